"""From what was observed to a decision with its reasons: pure, and the same call in a tick and in a replay."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from scaler.core.guards import Surroundings, guarded
from scaler.core.memory import Memory, Step
from scaler.core.miss_price import Budget, Plans, judged, ruling_price
from scaler.core.orders import Order, own_ledger, plans_ledger
from scaler.core.pool import PoolState, Resize
from scaler.core.reasons import Reason
from scaler.core.sizing import PRICES, Worth, sized, worth
from scaler.core.warm_start import inherited
from shared.demand.history import History
from shared.forecasting.card import ModelCard
from shared.forecasting.forecast import Forecast
from shared.pools import CapacitySizing, Mode, Pool, ResponseTimeSizing

STALE_AFTER_INTERVALS = 3
"""Demand whose newest interval ended so many steps ago is stale: metrics pipelines are late by one or two."""
KEPT_BEYOND = timedelta(hours=1)
"""How long orders are remembered beyond what lead time, stabilisation and late demand need."""

Numbers = Mapping[str, float | int | str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Everything that a decision rests on; ``grounds`` tell how the forecast came about (the ladder's rungs)."""

    pool: Pool
    state: PoolState
    memory: Memory
    now_utc: datetime
    history: History | None = None
    forecast: Forecast | None = None
    grounds: tuple[Reason, ...] = ()
    card: ModelCard | None = None
    """Of the published model that the forecast comes from; None if it comes from a fallback."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to do with a pool now, why, and the numbers to recompute it; "no change" is a decision too.

    ``resize`` is None when nothing is to be written; ``memory`` is what the next tick must know.
    """

    pool: str
    at_utc: datetime
    mode: Mode
    current_nodes: int
    desired_nodes: int
    resize: Resize | None
    reasons: tuple[Reason, ...]
    numbers: Numbers
    forecast: Forecast | None
    memory: Memory


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    """What the sizing wants, before any guard."""

    nodes: int
    reasons: tuple[Reason, ...]
    memory: Memory
    numbers: Numbers
    plans: tuple[int, ...] = ()


def decide(situation: Situation) -> Decision:
    """Decide how many nodes the pool shall have: size, guard, and see whether it may be written."""
    pool, state = situation.pool, situation.state
    stale = _is_stale(situation)
    wish = _wish(situation)
    proposal = guarded(
        wish.nodes,
        Surroundings(
            pool=pool,
            state=state,
            memory=situation.memory,
            now_utc=situation.now_utc,
            in_doubt=stale or situation.forecast is None or Reason.MODEL_REFUSED in situation.grounds,
        ),
    )
    repairs = state.has_failed and situation.memory.setback is not None
    changes = proposal.nodes != state.setting or repairs
    hindrances = _hindrances(situation, adds_nodes=repairs or proposal.nodes > state.setting)
    held_up = bool(hindrances) and pool.mode is Mode.ACT
    order = Order(
        at=situation.now_utc,
        wanted_nodes=wish.nodes,
        desired_nodes=state.setting if held_up else proposal.nodes,
        plans=wish.plans,
    )
    return Decision(
        pool=pool.name,
        at_utc=situation.now_utc,
        mode=pool.mode,
        current_nodes=state.setting,
        desired_nodes=proposal.nodes,
        resize=Resize(lever=state.lever, nodes=proposal.nodes) if changes and not hindrances else None,
        reasons=(
            *situation.grounds,
            *((Reason.DEMAND_STALE,) if stale else ()),
            *wish.reasons,
            *proposal.reasons,
            *((Reason.REPAIRING,) if repairs else ()),
            *(hindrances if changes else ()),
        ),
        numbers={"demand": _latest(situation), "wanted_nodes": wish.nodes, **wish.numbers},
        forecast=situation.forecast,
        memory=wish.memory.ordering(order, keep=_kept(situation)),
    )


def _wish(situation: Situation) -> _Wish:
    forecast, history = situation.forecast, situation.history
    if forecast is None or history is None:
        return _Wish(nodes=situation.state.setting, reasons=(), memory=situation.memory, numbers={})
    match situation.pool.sizing:
        case CapacitySizing() as sizing:
            return _capacity(situation, sizing, forecast, history)
        case ResponseTimeSizing() as sizing:
            return _response_time(situation, sizing, forecast)


def _capacity(situation: Situation, sizing: CapacitySizing, forecast: Forecast, history: History) -> _Wish:
    """Buy what the SLO is worth in each interval that an order made now can still serve."""
    memory = inherited(situation.memory, situation.card, units_per_node=sizing.units_per_node)
    lead_time = situation.pool.lead_time
    setting, budget = situation.state.setting, Budget(slo=sizing.slo)
    plans = Plans(
        own=own_ledger(memory.orders, lead_time=lead_time, nodes_before=setting),
        priced=plans_ledger(memory.orders, lead_time=lead_time, before=np.full(len(PRICES), float(setting))),
        units_per_node=sizing.units_per_node,
    )
    calibration = judged(memory.calibration, history, plans, budget)
    value = worth(forecast, units_per_node=sizing.units_per_node)
    planned = sized(forecast, value, plans.priced, now_utc=situation.now_utc)
    ruling = ruling_price(calibration, 1 - value.level[planned.deciding[-1]], budget)
    bought = Worth(nodes=value.nodes[:, [ruling]], level=value.level[:, [ruling]])
    chosen = sized(forecast, bought, plans.own, now_utc=situation.now_utc)
    nodes, deciding = int(chosen.nodes[0]), int(chosen.deciding[0])
    return _Wish(
        nodes=nodes,
        plans=tuple(planned.nodes.astype(int).tolist()),
        reasons=(_direction(nodes, setting),),
        memory=replace(memory, calibration=calibration),
        numbers={
            "units_per_node": sizing.units_per_node,
            "slo": sizing.slo,
            "price_nodes": float(PRICES[ruling]),
            "level": float(bought.level[deciding, 0]),
            "deciding_interval": forecast.start_of(deciding).isoformat(),
            "misses": calibration.misses,
            "intervals": calibration.intervals,
            "debt_misses": calibration.debt,
        },
    )


def _response_time(situation: Situation, sizing: ResponseTimeSizing, forecast: Forecast) -> _Wish:
    """Take one step for each forecast interval; a tick that runs again finds the step and repeats its result."""
    expected_s = float(forecast.median[0])
    numbers: Numbers = {"expected_s": expected_s, "sla_s": sizing.sla_s, "threshold_s": sizing.threshold_s}
    taken = situation.memory.step
    if taken is not None and taken.interval_utc == forecast.first_utc:
        return _Wish(nodes=taken.to_nodes, reasons=(Reason.STEP_TAKEN,), memory=situation.memory, numbers=numbers)
    if expected_s > sizing.sla_s + sizing.threshold_s:
        move, reason = sizing.step_nodes, Reason.RESPONSE_TIME_HIGH
    elif expected_s < sizing.sla_s - sizing.threshold_s:
        move, reason = -sizing.step_nodes, Reason.RESPONSE_TIME_LOW
    else:
        move, reason = 0, Reason.RESPONSE_TIME_FINE
    nodes = max(0, situation.state.setting + move)
    step = Step(interval_utc=forecast.first_utc, to_nodes=nodes)
    return _Wish(nodes=nodes, reasons=(reason,), memory=replace(situation.memory, step=step), numbers=numbers)


def _hindrances(situation: Situation, *, adds_nodes: bool) -> tuple[Reason, ...]:
    """Return why the pool may not be written now, if it may not."""
    memory, pool = situation.memory, situation.pool
    found = {
        Reason.OBSERVING: pool.mode is Mode.OBSERVE,
        Reason.PAUSED: pool.mode is Mode.PAUSED,
        Reason.POOL_STOPPED: situation.state.is_stopped,
        Reason.POOL_BUSY: situation.state.is_busy or memory.operation is not None,
        Reason.BACKING_OFF: memory.setback is not None
        and memory.setback.holds(adds_nodes=adds_nodes, now_utc=situation.now_utc),
    }
    return tuple(reason for reason, applies in found.items() if applies)


def _latest(situation: Situation) -> float | None:
    """Return the newest known demand; a source trims what is unknown at the end."""
    history = situation.history
    known = history is not None and len(history) > 0 and math.isfinite(history.demand[-1])
    return float(history.demand[-1]) if history is not None and known else None


def _direction(nodes: int, setting: int) -> Reason:
    if nodes == setting:
        return Reason.STEADY
    return Reason.NEEDS_MORE if nodes > setting else Reason.NEEDS_LESS


def _is_stale(situation: Situation) -> bool:
    if situation.history is None:
        return False
    age = situation.now_utc - situation.history.end_utc
    return age >= STALE_AFTER_INTERVALS * situation.history.step


def _kept(situation: Situation) -> timedelta:
    step = situation.history.step if situation.history else timedelta(0)
    stabilisation = timedelta(minutes=situation.pool.scale_in.stabilisation_min)
    return situation.pool.lead_time + stabilisation + (STALE_AFTER_INTERVALS + 1) * step + KEPT_BEYOND
