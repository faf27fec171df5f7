"""The price of a miss, learnt online: what keeps the stated SLO when demand is not what it was.

A decision buys the nodes that minimise ``nodes + price · P(miss)`` (``scaler.core.sizing``). Where demand is
predictable that price buys more certainty than the SLO asks, where it is not it buys less; over time the misses must
meet the SLO. The price rises with every miss and sinks with every interval served: stochastic dual ascent on the
miss budget, the update of adaptive conformal inference (Gibbs & Candès 2021) on the logarithm of the price.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from scaler.core.orders import Order, ready_nodes
from shared.forecast import Forecast
from shared.pools import CapacitySizing
from shared.series import History

GAIN = 0.01
"""Step of the log-price per interval, in units of the miss budget: a miss at SLO 0.99 multiplies the price by e."""
HIGHEST_LOG_PRICE = 14.0
LOWEST_LOG_PRICE = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """State of the online correction: the log of a miss's price in node-intervals, and what it has seen."""

    log_price: float | None = None
    judged_until: datetime | None = None
    intervals: int = 0
    misses: int = 0

    @property
    def price_nodes(self) -> float:
        """The price of one miss in node-intervals; before the first forecast primed it, the lowest there is."""
        return math.exp(LOWEST_LOG_PRICE if self.log_price is None else self.log_price)


def judged(
    calibration: Calibration, history: History, orders: Sequence[Order], *, sizing: CapacitySizing, lead_time: timedelta
) -> Calibration:
    """Take in the intervals that became known since the last call: was each served by what we had ordered for it?

    Intervals whose demand is unknown, or which our orders do not reach, say nothing. Judging the same interval twice
    is impossible: a tick that runs again changes nothing.
    """
    first = 0
    if calibration.judged_until is not None:
        first = max(0, math.ceil((calibration.judged_until - history.start_utc) / history.step))
    elif orders:
        first = max(0, math.ceil((orders[0].at - history.start_utc) / history.step))
    else:
        return calibration
    budget = 1 - sizing.slo
    log_price, intervals, misses = calibration.log_price, calibration.intervals, calibration.misses
    for index in range(first, len(history)):
        demand = float(history.demand[index])
        ready = ready_nodes(orders, start_utc=history.instant(index), lead_time=lead_time)
        if ready is None or math.isnan(demand):
            continue
        miss = demand > ready * sizing.units_per_node
        intervals += 1
        misses += miss
        if log_price is not None:
            stepped = log_price + GAIN * (miss / budget - 1)
            log_price = min(max(stepped, LOWEST_LOG_PRICE), HIGHEST_LOG_PRICE)
    return replace(calibration, log_price=log_price, judged_until=history.end_utc, intervals=intervals, misses=misses)


def primed(calibration: Calibration, forecast: Forecast, *, sizing: CapacitySizing) -> Calibration:
    """Give a new pool its first price: the one at which an exponential tail as wide as the forecast's meets the SLO.

    For a tail ``P(D > y) = exp(-y / s)`` the cheapest ``y`` has ``price · P = s``, so the price is ``s / (1 - slo)``.
    """
    if calibration.log_price is not None:
        return calibration
    tail = forecast.quantile(0.99) - forecast.quantile(0.9)
    scale_nodes = max(0.25, float(np.mean(tail)) / math.log(10) / sizing.units_per_node)
    return replace(calibration, log_price=math.log(scale_nodes / (1 - sizing.slo)))
