"""Which price of a miss keeps the SLO: learnt from what every price would have done, corrected by what was missed.

Two parts. A *table*: each price runs its own simulated plan against the demand that came, and its misses are counted,
old ones fading. A *budget*: the misses owed or saved so far move the rate that is asked of the table (integral control
as in conformal PID, Angelopoulos et al. 2023, but on the budget, so that the sum comes right and not only the rate).
"""

import math
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from scaler.core.orders import Ledger
from scaler.core.sizing import PRICES
from shared.demand.history import History


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How fast the table forgets and the budget corrects, in allowed misses, so that it fits any step and any SLO.

    The defaults were measured on twelve public traces and held-out ones, 2026-11-22 (docs/decisions/0002).
    """

    slo: float
    memory_misses: float = 80.0
    """The table forgets over as many intervals as allow so many misses."""
    repay_misses: float = 4.0
    """A debt of so many misses asks for the least rate …"""
    spend_misses: float = 4.0
    """… and a credit of so many doubles it …"""
    patience: float = 0.4
    """… or this share of the misses allowed so far, if that is more: for debts,"""
    thrift: float = 0.1
    """and for credits, which are spent sooner than debts are repaid."""
    patience_misses: float = 200.0
    """Misses allowed so far are counted up to here."""
    least: float = 0.5
    """Lowest rate to aim at, as a share of what the SLO allows."""
    most: float = 2.0
    """Highest rate to aim at, as a multiple of what the SLO allows."""
    credit_misses: float = 12.0
    """Credit is kept up to here, or up to ``patience``'s share: a quiet month must not pay for a bad day."""
    doubt_misses: float = 1.0
    """Added to every plan's misses, so that a short history does not look perfect. Until the table has seen the
    intervals that allow so many, the forecast's own opinion stands in for those that are lacking."""

    @property
    def allowed(self) -> float:
        """Share of intervals that may be missed."""
        return 1.0 - self.slo


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What is remembered between ticks; a new pool starts with ``Calibration()``.

    ``missed`` are the fading misses of each price's plan (empty: none seen yet), ``seen`` the fading intervals that
    they are out of. ``debt`` are the pool's own misses beyond its budget (negative: credit), ``allowed_so_far`` those
    that the SLO allowed meanwhile, capped. ``intervals`` and ``misses`` count what was judged in all.
    """

    missed: tuple[float, ...] = ()
    seen: float = 0.0
    debt: float = 0.0
    allowed_so_far: float = 0.0
    judged_until: datetime | None = None
    intervals: int = 0
    misses: int = 0

    @property
    def table(self) -> NDArray[np.float64]:
        """The fading misses of each price's plan, shape ``(prices,)``; a table of another size is relearnt."""
        return np.array(self.missed) if len(self.missed) == len(PRICES) else np.zeros(len(PRICES))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plans:
    """What was ordered: by the pool itself (one column) and by the simulated plan of each price."""

    own: Ledger
    priced: Ledger
    units_per_node: float


def judged(calibration: Calibration, history: History, plans: Plans, budget: Budget) -> Calibration:
    """Take in the intervals that became known since the last call: which plans would have missed them, and did we?

    An interval whose demand is unknown, or to which no order reaches back, teaches nothing. None is judged twice.
    """
    if not plans.own.at:
        return calibration
    since = calibration.judged_until or plans.own.at[0]
    first = max(0, math.ceil((since - history.start_utc) / history.step))
    for interval in range(first, len(history)):
        demand_nodes = float(history.demand[interval]) / plans.units_per_node
        if math.isnan(demand_nodes):
            continue
        start_utc = history.instant(interval)
        calibration = _taught(calibration, plans.priced.ready(start_utc), demand_nodes, budget)
        calibration = _billed(calibration, plans.own.ready(start_utc), demand_nodes, budget)
    return replace(calibration, judged_until=max(since, history.end_utc))


def ruling_price(calibration: Calibration, expected_misses: NDArray[np.float64], budget: Budget) -> int:
    """Return the index of the lowest price whose plan keeps the rate asked now; the highest if none does.

    ``expected_misses`` is the forecast's own opinion of each price's rate, shape ``(prices,)``: it fills what the table
    has not seen yet, and says nothing once there is enough. The doubt grows as that opinion leaves, or a new pool would
    begin with the highest price.
    """
    enough = budget.doubt_misses / budget.allowed
    lacking = max(0.0, enough - calibration.seen)
    doubt = budget.doubt_misses - lacking * budget.allowed
    rate = (calibration.table + doubt + lacking * expected_misses) / (calibration.seen + lacking)
    good = np.flatnonzero(rate <= asked_rate(calibration, budget))
    return int(good[0]) if len(good) else len(PRICES) - 1


def asked_rate(calibration: Calibration, budget: Budget) -> float:
    """Return the rate of misses to aim at now: the SLO's, less when in debt, more when there is credit."""
    in_debt = calibration.debt > 0
    fewest, share = (budget.repay_misses, budget.patience) if in_debt else (budget.spend_misses, budget.thrift)
    scale = max(fewest, share * calibration.allowed_so_far)
    return budget.allowed * min(max(1.0 - calibration.debt / scale, budget.least), budget.most)


def _taught(
    calibration: Calibration, ready: NDArray[np.float64] | None, demand_nodes: float, budget: Budget
) -> Calibration:
    """Count the interval in the table of prices."""
    if ready is None:
        return calibration
    keep = math.exp(-budget.allowed / budget.memory_misses)
    missed = calibration.table * keep + (demand_nodes > ready + 1e-9)
    return replace(calibration, missed=tuple(missed.tolist()), seen=calibration.seen * keep + 1.0)


def _billed(
    calibration: Calibration, ready: NDArray[np.float64] | None, demand_nodes: float, budget: Budget
) -> Calibration:
    """Count the interval against the pool's own budget."""
    if ready is None:
        return calibration
    miss = demand_nodes > float(ready[0]) + 1e-9
    allowed = min(calibration.allowed_so_far + budget.allowed, budget.patience_misses)
    credit = max(budget.credit_misses, budget.patience * allowed)
    debt = max(calibration.debt + miss - budget.allowed, -credit)
    return replace(
        calibration,
        debt=debt,
        allowed_so_far=allowed,
        intervals=calibration.intervals + 1,
        misses=calibration.misses + miss,
    )
