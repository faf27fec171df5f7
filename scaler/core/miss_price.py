"""Which price of a miss keeps the SLO: learnt from what every price would have done, corrected by what was missed.

Two parts. A *table*: each price runs its own simulated plan against the demand that came, and its misses are counted,
old ones fading. An *error budget*: the misses owed or saved so far move the rate that is asked of the table (integral
control as in conformal PID, Angelopoulos et al. 2023, but on the budget, so that the sum comes right and not only the
rate).
"""

import math
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from scaler.core.orders import OrderHistory
from scaler.core.sizing import MISS_PRICES
from shared.demand.history import History


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorBudget:
    """How fast the table forgets and the budget corrects, in allowed misses, so that it fits any step and any SLO.

    The defaults were measured on twelve public traces and held-out ones, 2026-11-22 (docs/decisions/0002).
    """

    slo: float
    memory_misses: float = 80.0
    """The table forgets over as many intervals as allow so many misses."""
    repay_misses: float = 4.0
    """A debt of so many misses asks for the lowest rate …"""
    spend_misses: float = 4.0
    """… and a credit of so many doubles it …"""
    repay_share: float = 0.4
    """… or this share of the misses allowed so far, if that is more: for debts,"""
    spend_share: float = 0.1
    """and for credits, which are spent sooner than debts are repaid."""
    max_allowed_misses: float = 200.0
    """Misses allowed so far are counted up to here."""
    min_rate_factor: float = 0.5
    """Lowest rate to aim at, as a share of what the SLO allows."""
    max_rate_factor: float = 2.0
    """Highest rate to aim at, as a multiple of what the SLO allows."""
    max_credit_misses: float = 12.0
    """Credit is kept up to here, or up to ``repay_share`` of the misses allowed so far: a quiet month must not pay for
    a bad day."""
    prior_misses: float = 1.0
    """Added to every plan's misses, so that a short history does not look perfect. Until the table has seen the
    intervals that allow so many, the forecast's own opinion stands in for those that are lacking."""

    @property
    def allowed_rate(self) -> float:
        """Share of intervals that may be missed."""
        return 1.0 - self.slo


@dataclass(frozen=True, slots=True, kw_only=True)
class MissPriceState:
    """What is remembered between ticks; a new pool starts with ``MissPriceState()``.

    ``plan_misses`` are the fading misses of each price's plan (empty: none yet), out of ``plan_intervals`` fading
    intervals. ``debt_misses`` are the pool's own misses beyond its budget (negative: credit), ``allowed_misses`` those
    that the SLO allowed meanwhile, capped. ``intervals`` and ``misses`` count all that was observed.
    """

    plan_misses: tuple[float, ...] = ()
    plan_intervals: float = 0.0
    debt_misses: float = 0.0
    allowed_misses: float = 0.0
    observed_until: datetime | None = None
    intervals: int = 0
    misses: int = 0

    @property
    def misses_by_price(self) -> NDArray[np.float64]:
        """The fading misses of each price's plan, shape ``(prices,)``; a table of another size is relearnt."""
        is_ours = len(self.plan_misses) == len(MISS_PRICES)
        return np.array(self.plan_misses) if is_ours else np.zeros(len(MISS_PRICES))


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What was ordered: by the pool itself (one column) and by the simulated plan of each price."""

    pool: OrderHistory
    plans: OrderHistory
    units_per_node: float


def observe_outcomes(state: MissPriceState, history: History, orders: Orders, budget: ErrorBudget) -> MissPriceState:
    """Take in the intervals that became known since the last call: which plans would have missed them, and did we?

    An interval whose demand is unknown, or to which no order reaches back, teaches nothing. None is counted twice.
    """
    if not orders.pool.at:
        return state
    since = state.observed_until or orders.pool.at[0]
    first = max(0, math.ceil((since - history.start_utc) / history.step))
    for interval in range(first, len(history)):
        demand_nodes = float(history.demand[interval]) / orders.units_per_node
        if math.isnan(demand_nodes):
            continue
        start_utc = history.instant(interval)
        state = _count_for_prices(state, orders.plans.ready_nodes(start_utc), demand_nodes, budget)
        state = _count_for_pool(state, orders.pool.ready_nodes(start_utc), demand_nodes, budget)
    return replace(state, observed_until=max(since, history.end_utc))


def select_miss_price(state: MissPriceState, expected_misses: NDArray[np.float64], budget: ErrorBudget) -> int:
    """Return the index of the lowest price whose plan keeps the rate asked now; the highest if none does.

    ``expected_misses`` is the forecast's own opinion of each price's rate, shape ``(prices,)``: it fills what the table
    has not seen yet, and says nothing once there is enough. The prior grows as that opinion leaves, or a new pool would
    begin with the highest price.
    """
    enough = budget.prior_misses / budget.allowed_rate
    lacking = max(0.0, enough - state.plan_intervals)
    prior = budget.prior_misses - lacking * budget.allowed_rate
    rate = (state.misses_by_price + prior + lacking * expected_misses) / (state.plan_intervals + lacking)
    good = np.flatnonzero(rate <= target_rate(state, budget))
    return int(good[0]) if len(good) else len(MISS_PRICES) - 1


def target_rate(state: MissPriceState, budget: ErrorBudget) -> float:
    """Return the rate of misses to aim at now: the SLO's, less when in debt, more when there is credit."""
    in_debt = state.debt_misses > 0
    misses, share = (budget.repay_misses, budget.repay_share) if in_debt else (budget.spend_misses, budget.spend_share)
    scale = max(misses, share * state.allowed_misses)
    factor = 1.0 - state.debt_misses / scale
    return budget.allowed_rate * min(max(factor, budget.min_rate_factor), budget.max_rate_factor)


def _count_for_prices(
    state: MissPriceState, ready: NDArray[np.float64] | None, demand_nodes: float, budget: ErrorBudget
) -> MissPriceState:
    """Count the interval in the table of prices."""
    if ready is None:
        return state
    keep = math.exp(-budget.allowed_rate / budget.memory_misses)
    misses = state.misses_by_price * keep + (demand_nodes > ready + 1e-9)
    return replace(state, plan_misses=tuple(misses.tolist()), plan_intervals=state.plan_intervals * keep + 1.0)


def _count_for_pool(
    state: MissPriceState, ready: NDArray[np.float64] | None, demand_nodes: float, budget: ErrorBudget
) -> MissPriceState:
    """Count the interval against the pool's own budget."""
    if ready is None:
        return state
    miss = demand_nodes > float(ready[0]) + 1e-9
    allowed = min(state.allowed_misses + budget.allowed_rate, budget.max_allowed_misses)
    credit = max(budget.max_credit_misses, budget.repay_share * allowed)
    debt = max(state.debt_misses + miss - budget.allowed_rate, -credit)
    return replace(
        state,
        debt_misses=debt,
        allowed_misses=allowed,
        intervals=state.intervals + 1,
        misses=state.misses + miss,
    )
