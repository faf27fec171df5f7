"""Each guard says what it made of the nodes proposed to it."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaler.core.guards import GUARDS, apply_guards
from scaler.core.memory import Memory
from scaler.core.orders import Order
from scaler.core.override import Override
from scaler.core.reasons import Reason
from scaler.core.situation import Situation
from shared.pools import Pool
from tests.builders import NOW, STEP, flat, forecast, pool, state

ACTING = Memory(acting_since=NOW - timedelta(days=1))
NO_BUDGET = {"max_share_per_tick": 1, "max_share_per_h": 1}


def situation(**changes: object) -> Situation:
    usual = {
        "pool": pool(scale_in=NO_BUDGET),
        "state": state(10),
        "memory": ACTING,
        "now_utc": NOW,
        "history": flat(100.0),
        "forecast": forecast(100.0),
    }
    return Situation(**{**usual, **changes})  # type: ignore[arg-type]


def in_window(**rule: object) -> Pool:
    """A pool in the middle of a calendar's window."""
    window = {"from_time": "11:00", "to_time": "13:00", **rule}
    return pool(calendar={"windows": [window]}, scale_in=NO_BUDGET)


def override(**rule: Any) -> Override:
    return Override(until_utc=NOW + STEP, by="ana", reason="load test", set_at_utc=NOW, **rule)


@given(nodes=st.integers(0, 60))
def test_what_one_guard_leaves_the_next_one_gets(nodes: int) -> None:
    limited = situation(pool=pool(max_nodes=20, scale_in={"max_nodes_per_tick": 2, "stabilisation_min": 15}))

    allowed, effects = apply_guards(nodes, limited)

    assert [effect.guard for effect in effects] == [guard.reason for guard in GUARDS]
    assert (effects[0].before, effects[-1].after) == (nodes, allowed)
    assert all(before.after == after.before for before, after in pairwise(effects))


EVENT = {"events": [{"start": "2026-11-23T12:14", "end": "2026-11-23T13:00", "min_nodes": 14}]}
RECENT = replace(ACTING, orders=(Order(at=NOW - STEP, wanted_nodes=8, desired_nodes=8),))


@pytest.mark.parametrize(
    ("reason", "around", "wanted", "allowed"),
    [
        pytest.param(Reason.EVENT_FLOOR, situation(pool=pool(calendar=EVENT, scale_in=NO_BUDGET)), 3, 14, id="event"),
        pytest.param(
            Reason.STABILISING,
            situation(pool=pool(scale_in={**NO_BUDGET, "stabilisation_min": 15}), memory=RECENT),
            3,
            8,
            id="stabilisation",
        ),
        pytest.param(
            Reason.SCALE_IN_LIMIT,
            situation(pool=pool(scale_in={**NO_BUDGET, "max_nodes_per_tick": 2})),
            3,
            8,
            id="scale in",
        ),
        pytest.param(
            Reason.SCALE_OUT_LIMIT, situation(pool=pool(scale_out={"max_nodes_per_tick": 2})), 19, 12, id="scale out"
        ),
        pytest.param(Reason.MIN_NODES, situation(pool=pool(min_nodes=4, scale_in=NO_BUDGET)), 3, 4, id="minimum"),
        pytest.param(
            Reason.MIN_NODES,
            situation(pool=pool(min_nodes=0, scale_in=NO_BUDGET), state=state(10, system=True)),
            0,
            1,
            id="system pool",
        ),
        pytest.param(Reason.MAX_NODES, situation(), 30, 20, id="maximum"),
        pytest.param(Reason.AUTOSCALER_MAX, situation(state=state(10, autoscaled_to=12)), 15, 12, id="autoscaler"),
        pytest.param(Reason.WINDOW_FLOOR, situation(pool=in_window(min_nodes=14)), 3, 14, id="window's floor"),
        pytest.param(Reason.WINDOW_CEILING, situation(pool=in_window(max_nodes=12)), 15, 12, id="window's ceiling"),
        pytest.param(Reason.ONLY_GROWTH, situation(pool=in_window(resizes="growth")), 3, 10, id="only growth"),
        pytest.param(
            Reason.OVERRIDE_FLOOR, situation(overrides=(override(min_nodes=14),)), 3, 14, id="override's floor"
        ),
        pytest.param(
            Reason.OVERRIDE_CEILING, situation(overrides=(override(max_nodes=8),)), 15, 8, id="override's ceiling"
        ),
        pytest.param(Reason.REMOVAL_BUDGET, situation(pool=pool()), 3, 6, id="removal budget"),
        pytest.param(Reason.REMOVAL_BUDGET, situation(memory=Memory()), 3, 9, id="removal budget, first hour"),
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
    held = situation(pool=pool(calendar=EVENT, scale_in=NO_BUDGET), now_utc=NOW - timedelta(minutes=1))
    too_early = situation(pool=pool(calendar=EVENT, scale_in=NO_BUDGET), now_utc=NOW - timedelta(minutes=2))

    assert (apply_guards(3, held)[0], apply_guards(3, too_early)[0]) == (14, 3)


def test_doubt_is_stronger_than_the_operators_maximum() -> None:
    assert apply_guards(3, situation(pool=pool(max_nodes=5), forecast=None))[0] == 10


def test_the_budget_of_an_hour_counts_from_the_most_nodes_that_were_asked_for_in_it() -> None:
    earlier = [Order(at=NOW - age * STEP, wanted_nodes=1, desired_nodes=nodes) for age, nodes in ((13, 100), (9, 40))]
    around = situation(pool=pool(), memory=replace(ACTING, orders=tuple(earlier)), state=state(11))

    assert apply_guards(1, around)[0] == 10


def test_the_last_nodes_of_a_small_pool_go_one_by_one() -> None:
    small = pool(min_nodes=0)

    assert [apply_guards(0, situation(pool=small, state=state(nodes)))[0] for nodes in (3, 2, 1)] == [1, 1, 0]


@pytest.mark.parametrize("limits", [{"max_nodes": 2}, {"sizing": {"kind": "capacity", "units_per_node": 1000}}])
def test_a_typo_in_the_limits_takes_a_third_of_the_nodes_in_a_tick_and_not_all(limits: dict[str, object]) -> None:
    assert apply_guards(2, situation(pool=pool(**limits), state=state(20)))[0] == 13
