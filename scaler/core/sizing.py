"""From a forecast to a number of nodes: how many an interval is worth, and which of them to order now.

A constant quantile spends the same part of the SLO's budget of misses on every interval. The cheapest way to spend a
budget has one *price* for a miss instead, the same in all intervals (a Lagrange multiplier): buy the nodes that
minimise ``nodes + price · P(demand > nodes)``. Where demand is certain that buys more than the SLO, where it is wild,
less. Everything here is computed for all ``PRICES`` side by side; ``scaler.core.miss_price`` says which one rules.
"""

import math
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from scaler.core.orders import Ledger, Nodes
from shared.forecasting.forecast import Forecast

ROUNDING = 1e-9
"""Demand that fills its nodes exactly must not buy one more for a rounding error of the division."""
PRICES = np.geomspace(0.5, 1e6, 64)
"""What a miss may be worth, in node-intervals; steps of a quarter are finer than any series can tell apart."""


def nodes_for(demand: float, units_per_node: float) -> int:
    """Nodes that serve ``demand``; rounds up: a node too many costs money, a node too few costs an outage."""
    return math.ceil(demand / units_per_node - ROUNDING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """What each interval is worth at each price: ``nodes`` and the ``level`` they cover, ``(intervals, prices)``."""

    nodes: Nodes
    level: NDArray[np.float64]


def worth(forecast: Forecast, *, units_per_node: float) -> Worth:
    """Return the nodes that minimise ``nodes + price · P(demand > nodes)``, for each interval and each of ``PRICES``.

    This is the newsvendor's problem with a fixed cost for a shortage. The minimum is taken over the whole distribution,
    so that of two humps the far one is given up when reaching it costs more than it saves. Never falls as prices rise.
    """
    nodes = np.ceil(forecast.values / units_per_node - ROUNDING)
    misses = 1 - forecast.levels
    best = np.argmin(nodes[:, np.newaxis, :] + PRICES[:, np.newaxis] * misses, axis=2)
    return Worth(nodes=np.take_along_axis(nodes, best, axis=1), level=forecast.levels[best])


@dataclass(frozen=True, slots=True, kw_only=True)
class Sized:
    """Nodes to have now for each price, shape ``(prices,)``, and the index of the interval that decided for each."""

    nodes: Nodes
    deciding: NDArray[np.intp]


def sized(forecast: Forecast, value: Worth, ledger: Ledger, *, now_utc: datetime) -> Sized:
    """Return the fewest nodes that have every coming interval's worth ready, where it still can be.

    ``value`` and ``ledger`` have one column a plan. What earlier orders left cannot be exceeded before an order made
    now boots, so nothing is held for a peak that no order can meet any more. Intervals beyond the first that such an
    order serves do not count: the next tick orders for them.

    Raises ``ValueError`` if the forecast ends before ``now_utc``.
    """
    rows: list[Nodes] = []
    indices: list[int] = []
    for index in range(len(forecast)):
        start_utc = forecast.start_of(index)
        if start_utc + forecast.step <= now_utc:
            continue
        ceiling = ledger.ceiling(start_utc, now_utc=now_utc)
        rows.append(value.nodes[index] if ceiling is None else np.minimum(value.nodes[index], ceiling))
        indices.append(index)
        if ceiling is None:
            break
    if not rows:
        msg = f"the forecast made at {forecast.made_at_utc.isoformat()} ends before {now_utc.isoformat()}"
        raise ValueError(msg)
    stacked = np.array(rows)
    deciding = np.argmax(stacked, axis=0)
    return Sized(nodes=stacked.max(axis=0), deciding=np.array(indices)[deciding])
