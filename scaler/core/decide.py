"""From what was observed to a decision with its reasons: pure, and the same call in a tick and in a replay."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np

from scaler.core.guards import GuardEffect, apply_guards
from scaler.core.memory import Memory, ResponseTimeStep
from scaler.core.miss_price import ErrorBudget, Orders, observe_outcomes, select_miss_price
from scaler.core.orders import Order, plan_order_history, pool_order_history
from scaler.core.override import Override
from scaler.core.plausibility import expect_demand
from scaler.core.pool import Resize
from scaler.core.reasons import Reason
from scaler.core.situation import STALE_AFTER_INTERVALS, Situation
from scaler.core.sizing import MISS_PRICES, nodes_by_price, size
from scaler.core.warm_start import warm_start
from shared.calendar import Resizes
from shared.demand.history import History
from shared.forecasting.forecast import Forecast
from shared.pools import CapacitySizing, Mode, ResponseTimeSizing

KEPT_BEYOND = timedelta(hours=1)
"""How long orders are remembered beyond what lead time, stabilisation and late demand need."""

Numbers = Mapping[str, float | int | str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to do with a pool now, why, and the numbers to recompute it; "no change" is a decision too.

    ``resize`` is None when nothing is to be written. ``guards`` are all guards in order, with what each of them made of
    the nodes that the sizing wanted.
    """

    pool: str
    at_utc: datetime
    mode: Mode
    current_nodes: int
    desired_nodes: int
    resize: Resize | None
    reasons: tuple[Reason, ...]
    guards: tuple[GuardEffect, ...]
    numbers: Numbers
    forecast: Forecast | None
    overrides: tuple[Override, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """What the sizing wants before any guard, and what each price would want (``plans``)."""

    nodes: int
    memory: Memory
    reasons: tuple[Reason, ...] = ()
    numbers: Numbers = field(default_factory=dict)
    plans: tuple[int, ...] = ()


def decide(situation: Situation) -> tuple[Decision, Memory]:
    """Decide how many nodes the pool shall have: size, guard, and see whether the pool may be written.

    Returns the decision and what the next tick must know.
    """
    pool, state = situation.pool, situation.state
    target = _target(situation)
    desired, guards = apply_guards(target.nodes, situation)

    repairs = state.has_failed and situation.memory.backoff is not None
    changes = desired != state.configured_nodes or repairs
    blockers = _blockers(situation, adds_nodes=repairs or desired > state.configured_nodes)

    decision = Decision(
        pool=pool.name,
        at_utc=situation.now_utc,
        mode=pool.mode,
        current_nodes=state.configured_nodes,
        desired_nodes=desired,
        resize=Resize(scaled_field=state.scaled_field, nodes=desired) if changes and not blockers else None,
        reasons=(
            *situation.forecast_reasons,
            *((Reason.DEMAND_STALE,) if situation.is_stale else ()),
            *((Reason.DEMAND_DOUBTED,) if situation.is_doubted else ()),
            *target.reasons,
            *(effect.guard for effect in guards if effect.changed),
            *((Reason.REPAIRING,) if repairs else ()),
            *(blockers if changes else ()),
        ),
        guards=guards,
        numbers={
            "demand": situation.newest_demand,
            "wanted_nodes": target.nodes,
            **_doubt_numbers(situation),
            **target.numbers,
        },
        forecast=situation.forecast,
        overrides=situation.overrides,
    )
    order = Order(
        at=situation.now_utc,
        wanted_nodes=target.nodes,
        desired_nodes=state.configured_nodes if blockers and pool.mode is Mode.ACT else desired,
        plans=target.plans,
    )
    return decision, _remember(situation, target.memory.add_order(order, keep=_remembered_for(situation)))


def _remember(situation: Situation, memory: Memory) -> Memory:
    """Return the memory with what the next tick must know besides: what was expected, and since when the pool acts."""
    if situation.forecast is not None and situation.history is not None:
        expected = expect_demand(memory.plausibility, situation.forecast, situation.history)
        memory = replace(memory, plausibility=expected)
    is_acting = situation.pool.mode is Mode.ACT
    return replace(memory, acting_since=(memory.acting_since or situation.now_utc) if is_acting else None)


def _doubt_numbers(situation: Situation) -> Numbers:
    doubted = situation.memory.plausibility
    if doubted.doubt is None:
        return {}
    return {"doubt": doubted.doubt.value, "doubted_demand": doubted.doubted_demand}


def _target(situation: Situation) -> _Target:
    forecast, history = situation.forecast, situation.history
    if forecast is None or history is None:
        return _Target(nodes=situation.configured_nodes, memory=situation.memory)
    match situation.pool.sizing:
        case CapacitySizing() as sizing:
            return _capacity_target(situation, sizing, forecast, history)
        case ResponseTimeSizing() as sizing:
            return _response_time_target(situation, sizing, forecast)


def _capacity_target(situation: Situation, sizing: CapacitySizing, forecast: Forecast, history: History) -> _Target:
    """Buy what each interval that an order made now can still serve needs, at the price that keeps the SLO."""
    memory = warm_start(situation.memory, situation.card, units_per_node=sizing.units_per_node)
    nodes_now, lead_time = situation.configured_nodes, situation.pool.lead_time
    budget = ErrorBudget(slo=sizing.slo)
    orders = Orders(
        pool=pool_order_history(memory.orders, lead_time=lead_time, nodes_before=nodes_now),
        plans=plan_order_history(
            memory.orders, lead_time=lead_time, nodes_before=np.full(len(MISS_PRICES), float(nodes_now))
        ),
        units_per_node=sizing.units_per_node,
    )
    miss_price = observe_outcomes(memory.miss_price, history, orders, budget)

    targets = nodes_by_price(forecast, units_per_node=sizing.units_per_node)
    plans = size(forecast, targets, orders.plans, now_utc=situation.now_utc)
    price = select_miss_price(miss_price, 1 - targets.level[plans.deciding[-1]], budget)
    chosen = size(forecast, targets.at_price(price), orders.pool, now_utc=situation.now_utc)

    nodes, deciding = int(chosen.nodes[0]), int(chosen.deciding[0])
    return _Target(
        nodes=nodes,
        plans=tuple(plans.nodes.astype(int).tolist()),
        reasons=(_direction(nodes, nodes_now),),
        memory=replace(memory, miss_price=miss_price),
        numbers={
            "units_per_node": sizing.units_per_node,
            "slo": sizing.slo,
            "price_nodes": float(MISS_PRICES[price]),
            "level": float(targets.level[deciding, price]),
            "deciding_interval": forecast.start_of(deciding).isoformat(),
            "misses": miss_price.misses,
            "intervals": miss_price.intervals,
            "debt_misses": miss_price.debt_misses,
        },
    )


def _response_time_target(situation: Situation, sizing: ResponseTimeSizing, forecast: Forecast) -> _Target:
    """Take one step for each forecast interval; a tick that runs again finds the step and repeats its result."""
    memory, expected_s = situation.memory, float(forecast.median[0])
    numbers: Numbers = {"expected_s": expected_s, "sla_s": sizing.sla_s, "threshold_s": sizing.threshold_s}
    taken = memory.response_time_step
    if taken is not None and taken.interval_utc == forecast.first_utc:
        return _Target(nodes=taken.to_nodes, reasons=(Reason.STEP_TAKEN,), memory=memory, numbers=numbers)
    if expected_s > sizing.sla_s + sizing.threshold_s:
        move, reason = sizing.step_nodes, Reason.RESPONSE_TIME_HIGH
    elif expected_s < sizing.sla_s - sizing.threshold_s:
        move, reason = -sizing.step_nodes, Reason.RESPONSE_TIME_LOW
    else:
        move, reason = 0, Reason.RESPONSE_TIME_FINE
    nodes = max(0, situation.configured_nodes + move)
    step = ResponseTimeStep(interval_utc=forecast.first_utc, to_nodes=nodes)
    return _Target(nodes=nodes, reasons=(reason,), memory=replace(memory, response_time_step=step), numbers=numbers)


def _blockers(situation: Situation, *, adds_nodes: bool) -> tuple[Reason, ...]:
    """Return why the pool may not be written now; empty if it may."""
    memory, pool = situation.memory, situation.pool
    found = {
        Reason.OBSERVING: pool.mode is Mode.OBSERVE,
        Reason.PAUSED: pool.mode is Mode.PAUSED,
        Reason.PAUSED_BY_OVERRIDE: any(override.paused for override in situation.overrides),
        Reason.CHANGE_FREEZE: any(window.resizes is Resizes.NONE for window in situation.windows()),
        Reason.POOL_STOPPED: situation.state.is_stopped,
        Reason.POOL_BUSY: situation.state.is_busy or memory.operation is not None,
        Reason.BACKING_OFF: memory.backoff is not None
        and memory.backoff.blocks(adds_nodes=adds_nodes, now_utc=situation.now_utc),
    }
    return tuple(reason for reason, applies in found.items() if applies)


def _direction(nodes: int, nodes_now: int) -> Reason:
    if nodes == nodes_now:
        return Reason.STEADY
    return Reason.NEEDS_MORE if nodes > nodes_now else Reason.NEEDS_LESS


def _remembered_for(situation: Situation) -> timedelta:
    step = situation.history.step if situation.history else timedelta(0)
    stabilisation = timedelta(minutes=situation.pool.scale_in.stabilisation_min)
    return situation.pool.lead_time + stabilisation + (STALE_AFTER_INTERVALS + 1) * step + KEPT_BEYOND
