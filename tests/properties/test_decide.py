"""What must hold of every decision, whatever the demand, the model and the operator's limits."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaler.core.decide import decide
from scaler.core.guards import apply_guards
from scaler.core.memory import Memory
from scaler.core.orders import Order
from scaler.core.override import Override
from scaler.core.pool import PoolState
from scaler.core.reasons import Reason
from scaler.core.situation import Situation
from shared.pools import Pool, read_pools
from tests.builders import NOW, STEP, flat, forecast, history, pool, state, workshop_json
from tests.builders import pools_file as file_of

nodes = st.integers(0, 60)
ACTING = Memory(acting_since=NOW - timedelta(days=1))
NO_BUDGET = {"max_share_per_tick": 1, "max_share_per_h": 1}


@st.composite
def pools(draw: st.DrawFn) -> Pool:
    low, high = sorted((draw(st.integers(0, 40)), draw(st.integers(1, 40))))
    return pool(
        min_nodes=low,
        max_nodes=max(high, 1),
        lead_time_min=draw(st.sampled_from([0, 5, 10, 17.5])),
        sizing={"kind": "capacity", "units_per_node": 100, "slo": draw(st.sampled_from([0.5, 0.95, 0.99, 0.9999]))},
        scale_in={
            "stabilisation_min": draw(st.sampled_from([0, 10, 30])),
            "max_nodes_per_tick": draw(st.sampled_from([None, 1, 3])),
        },
        scale_out={"max_nodes_per_tick": draw(st.sampled_from([None, 1, 5]))},
    )


@st.composite
def states(draw: st.DrawFn) -> PoolState:
    count = draw(nodes)
    ceiling = draw(st.none() | st.integers(count, 80))
    return state(count, autoscaled_to=ceiling, busy=draw(st.booleans()), system=draw(st.booleans()))


@st.composite
def memories(draw: st.DrawFn) -> Memory:
    ages = sorted(draw(st.lists(st.integers(1, 30), max_size=6, unique=True)), reverse=True)
    orders = [Order(at=NOW - age * STEP, wanted_nodes=draw(nodes), desired_nodes=draw(nodes)) for age in ages]
    return Memory(orders=tuple(orders))


@st.composite
def situations(draw: st.DrawFn, /, **fixed: Any) -> Situation:
    late = draw(st.integers(0, 6))
    demand = draw(st.lists(st.floats(0, 6000) | st.just(float("nan")), min_size=1, max_size=20))
    given_now = {
        "pool": draw(pools()),
        "state": draw(states()),
        "memory": draw(memories()),
        "now_utc": NOW,
        "history": history(demand, end_utc=NOW - late * STEP),
        "forecast": forecast(
            draw(st.floats(0, 6000)), spread=draw(st.floats(0, 200)), first_utc=NOW - late * STEP, intervals=late + 8
        ),
        "forecast_reasons": (draw(st.sampled_from([Reason.MODEL, Reason.NO_MODEL, Reason.MODEL_REFUSED])),),
    }
    return Situation(**{**given_now, **fixed})


def most_of(situation: Situation) -> int:
    bounds = situation.state.autoscaler
    return min(situation.pool.max_nodes, bounds.max_count if bounds else situation.pool.max_nodes)


def in_doubt(situation: Situation) -> Situation:
    return replace(situation, forecast=None, forecast_reasons=(Reason.NO_FORECAST,))


@given(situation=situations())
def test_a_decision_stays_within_the_limits_unless_nodes_may_not_go(situation: Situation) -> None:
    decision, _ = decide(situation)
    floor = max(situation.pool.min_nodes, 1 if situation.state.is_system else 0)
    held = {Reason.IN_DOUBT, Reason.REMOVAL_BUDGET}

    assert decision.desired_nodes >= min(floor, most_of(situation))
    assert decision.desired_nodes <= most_of(situation) or held & set(decision.reasons)


@given(situation=situations())
def test_without_a_forecast_nothing_is_removed(situation: Situation) -> None:
    assert decide(in_doubt(situation))[0].desired_nodes >= situation.state.configured_nodes


@given(situation=situations())
def test_without_demand_nothing_is_removed(situation: Situation) -> None:
    unknown = replace(in_doubt(situation), history=None)

    assert decide(unknown)[0].desired_nodes >= situation.state.configured_nodes


@given(situation=situations(forecast_reasons=(Reason.MODEL_REFUSED, Reason.NAIVE_FORECAST)))
def test_after_a_refused_model_nothing_is_removed(situation: Situation) -> None:
    assert decide(situation)[0].desired_nodes >= situation.state.configured_nodes


@given(situation=situations(), late=st.integers(3, 300))
def test_on_stale_demand_nothing_is_removed(situation: Situation, late: int) -> None:
    end_utc = NOW - late * STEP
    stale = replace(
        situation,
        history=flat(1.0, intervals=20, end_utc=end_utc),
        forecast=forecast(0.0, first_utc=end_utc, made_at_utc=end_utc, intervals=late + 8),
    )

    decision, _ = decide(stale)

    assert decision.desired_nodes >= situation.state.configured_nodes
    assert Reason.DEMAND_STALE in decision.reasons


@given(situation=situations())
def test_the_same_situation_leads_to_the_same_decision(situation: Situation) -> None:
    assert decide(situation) == decide(situation)


@given(situation=situations(state=state(5)))
def test_a_tick_that_runs_again_upon_its_own_memory_decides_the_same(situation: Situation) -> None:
    first, remembered = decide(situation)

    second, after = decide(replace(situation, memory=remembered))

    assert second.desired_nodes == first.desired_nodes
    assert after.orders == remembered.orders
    assert after.miss_price.misses == remembered.miss_price.misses


@given(situation=situations(), low=st.floats(0, 6000), high=st.floats(0, 6000))
def test_more_certain_demand_never_means_fewer_nodes(situation: Situation, low: float, high: float) -> None:
    low, high = sorted((low, high))

    fewer, _ = decide(replace(situation, forecast=forecast(low, intervals=8)))
    more, _ = decide(replace(situation, forecast=forecast(high, intervals=8)))

    assert fewer.desired_nodes <= more.desired_nodes


@given(situation=situations(), low=nodes, high=nodes, doubt=st.booleans())
def test_no_guard_turns_a_larger_wish_into_fewer_nodes(
    situation: Situation, low: int, high: int, *, doubt: bool
) -> None:
    low, high = sorted((low, high))
    judged = {True: in_doubt(situation), False: situation}[doubt]

    assert apply_guards(low, judged)[0] <= apply_guards(high, judged)[0]


@given(situation=situations())
def test_what_may_be_written_is_a_change_of_the_pools_own_field(situation: Situation) -> None:
    decision, _ = decide(situation)
    written = [] if decision.resize is None else [(decision.resize.scaled_field, decision.resize.nodes)]

    assert written in ([], [(situation.state.scaled_field, decision.desired_nodes)])
    assert written == [] or not situation.state.is_busy


@given(situation=situations(pool=pool(mode="observe")) | situations(pool=pool(mode="paused")))
def test_a_pool_that_may_not_be_touched_is_not(situation: Situation) -> None:
    assert decide(situation)[0].resize is None


@given(situation=situations())
def test_every_decision_has_a_reason_and_finite_numbers(situation: Situation) -> None:
    decision, _ = decide(situation)
    numbers = [value for value in decision.numbers.values() if isinstance(value, float)]

    assert decision.reasons
    assert len(set(decision.reasons)) == len(decision.reasons)
    assert np.isfinite(numbers).all()


@given(situation=situations(), earlier=st.integers(1, 500))
@settings(max_examples=50)
def test_a_clock_that_steps_back_never_judges_an_interval_twice(situation: Situation, earlier: int) -> None:
    _, first = decide(situation)
    known = situation.history
    assert known is not None
    back = replace(
        situation,
        memory=first,
        now_utc=NOW - earlier * timedelta(minutes=1),
        history=known.until(NOW - earlier * timedelta(minutes=1)),
    )
    _, again = decide(back)

    _, third = decide(replace(situation, memory=again))

    assert third.miss_price.intervals <= max(first.miss_price.intervals, len(known))


@given(seconds=st.floats(0, 1000), current=st.integers(0, 4))
def test_a_response_time_step_is_taken_once_for_each_interval(seconds: float, current: int) -> None:
    situation = response_time(seconds, state(current))
    first, remembered = decide(situation)

    second, _ = decide(replace(situation, memory=remembered, state=state(first.desired_nodes)))

    assert abs(first.desired_nodes - current) <= 1
    assert second.desired_nodes == first.desired_nodes
    assert second.resize is None


def response_time(seconds: float, at: PoolState) -> Situation:
    (workshop,) = read_pools(file_of(workshop_json(min_nodes=1, max_nodes=4)))
    return Situation(
        pool=workshop,
        state=at,
        memory=Memory(),
        now_utc=NOW,
        history=flat(1.0, intervals=30),
        forecast=forecast(seconds, intervals=1),
        forecast_reasons=(Reason.MODEL,),
    )


@pytest.mark.parametrize(
    ("seconds", "current", "desired", "reason"),
    [
        pytest.param(97.15, 1, 2, Reason.RESPONSE_TIME_HIGH, id="the workshop's day"),
        pytest.param(70.0, 2, 2, Reason.RESPONSE_TIME_FINE, id="just within"),
        pytest.param(70.001, 2, 3, Reason.RESPONSE_TIME_HIGH, id="just above"),
        pytest.param(30.0, 2, 2, Reason.RESPONSE_TIME_FINE, id="just within below"),
        pytest.param(29.999, 2, 1, Reason.RESPONSE_TIME_LOW, id="just below"),
        pytest.param(0.0, 1, 1, Reason.MIN_NODES, id="never below the minimum"),
        pytest.param(200.0, 4, 4, Reason.MAX_NODES, id="never above the maximum"),
    ],
)
def test_the_workshops_policy_step_by_step(seconds: float, current: int, desired: int, reason: Reason) -> None:
    decision, _ = decide(response_time(seconds, state(current)))

    assert decision.desired_nodes == desired
    assert reason in decision.reasons


# the hostile table: each situation asks for less, and none may remove a node

SPRING_FORWARD = datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
FALL_BACK = datetime(2026, 10, 25, 1, 0, tzinfo=UTC)


def quiet(now_utc: datetime = NOW, **changes: Any) -> Situation:
    """A pool of ten nodes and no demand: it would shrink to its minimum."""
    usual: dict[str, Any] = {
        "pool": pool(scale_in=NO_BUDGET),
        "state": state(10),
        "memory": ACTING,
        "now_utc": now_utc,
        "history": flat(0.0, intervals=300, end_utc=now_utc),
        "forecast": forecast(0.0, first_utc=now_utc, made_at_utc=now_utc),
        "forecast_reasons": (Reason.MODEL,),
    }
    return Situation(**{**usual, **changes})


def test_the_quiet_pool_shrinks_when_nothing_is_wrong() -> None:
    assert decide(quiet())[0].desired_nodes == 1


@pytest.mark.parametrize(
    "situation",
    [
        pytest.param(
            quiet(history=None, forecast=None, forecast_reasons=(Reason.DEMAND_UNAVAILABLE,)), id="demand unavailable"
        ),
        pytest.param(quiet(forecast=None, forecast_reasons=(Reason.NO_FORECAST,)), id="no forecast"),
        pytest.param(
            quiet(history=history([float("nan")] * 12), forecast=None, forecast_reasons=(Reason.NO_FORECAST,)),
            id="all unknown",
        ),
        pytest.param(
            quiet(history=flat(0.0, intervals=0), forecast=None, forecast_reasons=(Reason.NO_FORECAST,)),
            id="an empty history",
        ),
        pytest.param(
            quiet(
                history=flat(0.0, end_utc=NOW - 3 * STEP),
                forecast=forecast(0.0, first_utc=NOW - 3 * STEP, intervals=9),
            ),
            id="a gap at the end",
        ),
        pytest.param(quiet(forecast_reasons=(Reason.MODEL_REFUSED, Reason.LAST_GOOD_MODEL)), id="a refused model"),
        pytest.param(
            quiet(now_utc=NOW + timedelta(days=400), history=flat(0.0), forecast=None), id="a clock far ahead"
        ),
    ],
)
def test_in_doubt_ten_nodes_stay_ten(situation: Situation) -> None:
    decision, _ = decide(situation)

    assert decision.desired_nodes == 10
    assert decision.resize is None


@pytest.mark.parametrize("now_utc", [SPRING_FORWARD, FALL_BACK, FALL_BACK + STEP])
def test_a_change_of_daylight_saving_changes_nothing(now_utc: datetime) -> None:
    local = pool(calendar={"timezone": "Europe/Madrid"})

    assert decide(quiet(now_utc, pool=local))[0].desired_nodes == decide(quiet(now_utc))[0].desired_nodes


def test_an_event_holds_its_floor_from_before_its_first_local_minute() -> None:
    calendar = {
        "timezone": "Europe/Madrid",
        "events": [{"start": "2026-11-23T13:10", "end": "2026-11-23T14:00", "min_nodes": 12}],
    }

    decision, _ = decide(quiet(pool=pool(calendar=calendar)))

    assert decision.desired_nodes == 12
    assert Reason.EVENT_FLOOR in decision.reasons


def test_an_event_that_is_over_holds_nothing() -> None:
    calendar = {"events": [{"start": "2026-11-23T10:00", "end": "2026-11-23T12:00", "min_nodes": 12}]}

    assert decide(quiet(pool=pool(calendar=calendar, scale_in=NO_BUDGET)))[0].desired_nodes == 1


def test_orders_from_the_future_are_forgotten_when_the_clock_steps_back() -> None:
    future = Order(at=NOW + timedelta(hours=1), wanted_nodes=9, desired_nodes=9)

    _, memory = decide(quiet(memory=Memory(orders=(future,))))

    assert [order.at for order in memory.orders] == [NOW]


def test_scale_in_waits_for_every_recent_wish() -> None:
    recent = Order(at=NOW - STEP, wanted_nodes=7, desired_nodes=7)
    calm = pool(scale_in={**NO_BUDGET, "stabilisation_min": 15})

    decision, _ = decide(quiet(pool=calm, memory=replace(ACTING, orders=(recent,))))

    assert decision.desired_nodes == 7
    assert Reason.STABILISING in decision.reasons


def test_nodes_go_no_faster_than_allowed() -> None:
    decision, _ = decide(quiet(pool=pool(scale_in={**NO_BUDGET, "max_nodes_per_tick": 2})))

    assert decision.desired_nodes == 8
    assert Reason.SCALE_IN_LIMIT in decision.reasons


def test_nodes_come_no_faster_than_allowed() -> None:
    slow = pool(scale_out={"max_nodes_per_tick": 2})

    decision, _ = decide(quiet(pool=slow, forecast=forecast(2000.0)))

    assert decision.desired_nodes == 12
    assert Reason.SCALE_OUT_LIMIT in decision.reasons


def test_the_autoscalers_ceiling_is_never_passed() -> None:
    decision, _ = decide(quiet(state=state(3, autoscaled_to=6), forecast=forecast(2000.0)))

    assert decision.desired_nodes == 6
    assert Reason.AUTOSCALER_MAX in decision.reasons


def test_a_forecast_that_ended_is_refused() -> None:
    ended = forecast(0.0, first_utc=NOW - timedelta(days=1))
    with pytest.raises(ValueError, match="ends before"):
        decide(quiet(forecast=ended))


# what a person said for a while


def override(**rule: Any) -> Override:
    return Override(until_utc=NOW + STEP, by="ana", reason="load test", set_at_utc=NOW, **rule)


def in_window(**rule: Any) -> Pool:
    return pool(calendar={"windows": [{"from_time": "11:00", "to_time": "13:00", **rule}]}, scale_in=NO_BUDGET)


@given(situation=situations())
def test_an_override_that_pauses_writes_nothing(situation: Situation) -> None:
    paused = replace(situation, overrides=(override(paused=True),))

    assert decide(paused)[0].resize is None


@given(situation=situations(), floor=nodes)
def test_a_floor_set_by_hand_is_kept_as_far_as_the_limits_allow(situation: Situation, floor: int) -> None:
    raised, _ = decide(replace(situation, overrides=(override(min_nodes=floor),)))
    limits = situation.pool.scale_out.max_nodes_per_tick

    assert raised.desired_nodes >= min(floor, most_of(situation)) or limits is not None
    assert raised.overrides[0].by == "ana"


def test_a_change_freeze_decides_and_writes_nothing() -> None:
    decision, memory = decide(quiet(pool=in_window(resizes="none"), forecast=forecast(1500.0)))

    assert decision.desired_nodes == 15
    assert decision.resize is None
    assert Reason.CHANGE_FREEZE in decision.reasons
    assert memory.orders[-1].desired_nodes == 10


def test_outside_its_window_a_freeze_is_over() -> None:
    night = pool(calendar={"windows": [{"from_time": "22:00", "to_time": "06:00", "resizes": "none"}]})

    assert decide(quiet(pool=night, forecast=forecast(1500.0)))[0].resize is not None
