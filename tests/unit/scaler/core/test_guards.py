"""Each guard says what it made of the nodes proposed to it."""

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaler.core.guards import GUARDS, apply_guards
from scaler.core.memory import Memory
from scaler.core.orders import Order
from scaler.core.reasons import Reason
from scaler.core.situation import Situation
from tests.builders import NOW, STEP, flat, forecast, pool, state


def situation(**changes: object) -> Situation:
    usual = {
        "pool": pool(),
        "state": state(10),
        "memory": Memory(),
        "now_utc": NOW,
        "history": flat(100.0),
        "forecast": forecast(100.0),
    }
    return Situation(**{**usual, **changes})  # type: ignore[arg-type]


@given(nodes=st.integers(0, 60))
def test_what_one_guard_leaves_the_next_one_gets(nodes: int) -> None:
    limited = situation(pool=pool(max_nodes=20, scale_in={"max_nodes_per_tick": 2, "stabilisation_min": 15}))

    allowed, effects = apply_guards(nodes, limited)

    assert [effect.guard for effect in effects] == [guard.reason for guard in GUARDS]
    assert (effects[0].before, effects[-1].after) == (nodes, allowed)
    assert all(before.after == after.before for before, after in pairwise(effects))


EVENT = {"events": [{"start": "2026-11-23T12:14", "end": "2026-11-23T13:00", "min_nodes": 14}]}
RECENT = Memory(orders=(Order(at=NOW - STEP, wanted_nodes=8, desired_nodes=8),))


@pytest.mark.parametrize(
    ("reason", "around", "wanted", "allowed"),
    [
        pytest.param(Reason.EVENT_FLOOR, situation(pool=pool(calendar=EVENT)), 3, 14, id="event"),
        pytest.param(
            Reason.STABILISING,
            situation(pool=pool(scale_in={"stabilisation_min": 15}), memory=RECENT),
            3,
            8,
            id="stabilisation",
        ),
        pytest.param(
            Reason.SCALE_IN_LIMIT, situation(pool=pool(scale_in={"max_nodes_per_tick": 2})), 3, 8, id="scale in"
        ),
        pytest.param(
            Reason.SCALE_OUT_LIMIT, situation(pool=pool(scale_out={"max_nodes_per_tick": 2})), 19, 12, id="scale out"
        ),
        pytest.param(Reason.MIN_NODES, situation(pool=pool(min_nodes=4)), 3, 4, id="minimum"),
        pytest.param(
            Reason.MIN_NODES, situation(pool=pool(min_nodes=0), state=state(10, system=True)), 0, 1, id="system pool"
        ),
        pytest.param(Reason.MAX_NODES, situation(), 30, 20, id="maximum"),
        pytest.param(Reason.AUTOSCALER_MAX, situation(state=state(10, autoscaled_to=12)), 15, 12, id="autoscaler"),
        pytest.param(Reason.IN_DOUBT, situation(forecast=None), 3, 10, id="doubt"),
    ],
)
def test_a_guard_that_changes_the_proposal_is_named(
    reason: Reason, around: Situation, wanted: int, allowed: int
) -> None:
    nodes, effects = apply_guards(wanted, around)

    assert nodes == allowed
    assert [(effect.guard, effect.before, effect.after) for effect in effects if effect.changed] == [
        (reason, wanted, allowed)
    ]


def test_an_event_is_prepared_for_a_tick_earlier_than_its_nodes_need() -> None:
    """The nodes take ten minutes; one tick of five minutes may be late, so they are ordered a quarter before."""
    held = situation(pool=pool(calendar=EVENT), now_utc=NOW - timedelta(minutes=1))
    too_early = situation(pool=pool(calendar=EVENT), now_utc=NOW - timedelta(minutes=2))

    assert (apply_guards(3, held)[0], apply_guards(3, too_early)[0]) == (14, 3)


def test_doubt_is_stronger_than_the_operators_maximum() -> None:
    assert apply_guards(3, situation(pool=pool(max_nodes=5), forecast=None))[0] == 10
