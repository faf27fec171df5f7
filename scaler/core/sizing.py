"""From a forecast to a number of nodes: what each interval needs at each price of a miss, and what to order now.

A constant quantile spends the same part of the SLO's budget of misses on every interval. The cheapest way to spend a
budget has one *price* for a miss instead, the same in all intervals (a Lagrange multiplier): buy the nodes that
minimise ``nodes + price · P(demand > nodes)``. Where demand is certain that buys more than the SLO, where it is wild,
less. Everything here is computed for all ``MISS_PRICES`` side by side; ``scaler.core.miss_price`` selects one.
"""

import math
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from scaler.core.orders import Nodes, OrderHistory
from shared.forecasting.forecast import Forecast

ROUNDING = 1e-9
"""Demand that fills its nodes exactly must not buy one more for a rounding error of the division."""
MISS_PRICES = np.geomspace(0.5, 1e6, 64)
"""What a miss may cost, in node-intervals; steps of a quarter are finer than any series can tell apart."""


def nodes_for(demand: float, units_per_node: float) -> int:
    """Nodes that serve ``demand``; rounds up: a node too many costs money, a node too few costs an outage."""
    return math.ceil(demand / units_per_node - ROUNDING)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeTargets:
    """What each interval needs at each price: ``nodes`` and the ``level`` they cover, shape ``(intervals, prices)``."""

    nodes: Nodes
    level: NDArray[np.float64]

    def at_price(self, price: int) -> "NodeTargets":
        """Return the targets at one price (an index of ``MISS_PRICES``) alone."""
        return NodeTargets(nodes=self.nodes[:, [price]], level=self.level[:, [price]])


def nodes_by_price(forecast: Forecast, *, units_per_node: float) -> NodeTargets:
    """Return the nodes that minimise ``nodes + price · P(demand > nodes)``, for each interval and each price.

    This is the newsvendor's problem with a fixed cost for a shortage. The minimum is taken over the whole distribution,
    so that of two humps the far one is given up when reaching it costs more than it saves. Never falls as prices rise.
    """
    nodes = np.ceil(forecast.quantiles / units_per_node - ROUNDING)
    miss_probabilities = 1 - forecast.quantile_levels
    best = np.argmin(nodes[:, np.newaxis, :] + MISS_PRICES[:, np.newaxis] * miss_probabilities, axis=2)
    return NodeTargets(nodes=np.take_along_axis(nodes, best, axis=1), level=forecast.quantile_levels[best])


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizing:
    """Nodes to have now for each price, shape ``(prices,)``, and the index of the interval that decided for each."""

    nodes: Nodes
    deciding: NDArray[np.intp]


def size(forecast: Forecast, targets: NodeTargets, orders: OrderHistory, *, now_utc: datetime) -> Sizing:
    """Return the fewest nodes that have every coming interval's target ready, where it still can be.

    ``targets`` and ``orders`` have one column a plan. What earlier orders left cannot be exceeded before an order made
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
        can_be_ready = orders.max_ready_nodes(start_utc, now_utc=now_utc)
        target = targets.nodes[index]
        rows.append(target if can_be_ready is None else np.minimum(target, can_be_ready))
        indices.append(index)
        if can_be_ready is None:
            break
    if not rows:
        msg = f"the forecast made at {forecast.made_at_utc.isoformat()} ends before {now_utc.isoformat()}"
        raise ValueError(msg)
    stacked = np.array(rows)
    deciding = np.argmax(stacked, axis=0)
    return Sizing(nodes=stacked.max(axis=0), deciding=np.array(indices)[deciding])
