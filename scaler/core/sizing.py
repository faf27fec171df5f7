"""From a forecast to a number of nodes: how many the SLO is worth in each interval, and which of them to order now."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from scaler.core.orders import Order
from shared.forecast import Forecast

ROUNDING = 1e-9
"""Demand that fills its nodes exactly must not buy one more for a rounding error of the division."""


def nodes_for(demand: float, units_per_node: float) -> int:
    """Nodes that serve ``demand``; rounds up: a node too many costs money, a node too few costs an outage."""
    return math.ceil(demand / units_per_node - ROUNDING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Nodes worth having in one interval, and the quantile level that they cover."""

    nodes: int
    level: float


def cheapest(
    quantiles: NDArray[np.float64], levels: NDArray[np.float64], *, units_per_node: float, price_nodes: float
) -> Target:
    """Return the nodes that minimise ``nodes + price · P(demand > nodes)`` for one interval.

    ``quantiles`` are the demand's at ``levels``, both of shape ``(levels,)``; ``price_nodes`` is the price of one miss
    in node-intervals. This is the newsvendor's problem with a fixed cost for a shortage; the minimum is taken over
    the whole distribution, so that of two humps the far one is given up when reaching it costs more than it saves.
    """
    nodes = np.ceil(quantiles / units_per_node - ROUNDING)
    best = int(np.argmin(nodes + price_nodes * (1 - levels)))
    return Target(nodes=int(nodes[best]), level=float(levels[best]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Commitment:
    """What earlier decisions allow: the orders so far, how long a node takes, and the nodes there were before them."""

    orders: Sequence[Order]
    lead_time: timedelta
    nodes_before: int

    def ceiling(self, start_utc: datetime, *, now_utc: datetime) -> int | None:
        """Return the most nodes that can still be ready for the interval at ``start_utc``; None if there is no limit.

        Nodes ordered now are ready one lead time from now. Before that only what earlier orders left can serve:
        the fewest nodes ordered since one lead time before the interval.
        """
        since = start_utc - self.lead_time
        if since >= now_utc:
            return None
        in_force = [order.desired_nodes for order in self.orders if order.at <= since][-1:]
        later = [order.desired_nodes for order in self.orders if since < order.at < now_utc]
        return min((*(in_force or [self.nodes_before]), *later))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sized:
    """Nodes wanted now, and the target of the interval that decided."""

    nodes: int
    target: Target
    interval_utc: datetime


def sized(
    forecast: Forecast, commitment: Commitment, *, units_per_node: float, price_nodes: float, now_utc: datetime
) -> Sized:
    """Return the fewest nodes that have every coming interval's target ready, where it still can be.

    Intervals beyond what an order made now first serves do not count: the next tick will order for them.
    """
    best: Sized | None = None
    for index, quantiles in enumerate(forecast.values):
        start_utc = forecast.start_of(index)
        if start_utc + forecast.step <= now_utc:
            continue
        target = cheapest(quantiles, forecast.levels, units_per_node=units_per_node, price_nodes=price_nodes)
        ceiling = commitment.ceiling(start_utc, now_utc=now_utc)
        nodes = target.nodes if ceiling is None else min(target.nodes, ceiling)
        if best is None or nodes > best.nodes:
            best = Sized(nodes=nodes, target=target, interval_utc=start_utc)
        if ceiling is None:
            break
    if best is None:
        msg = f"the forecast made at {forecast.made_at_utc.isoformat()} ends before {now_utc.isoformat()}"
        raise ValueError(msg)
    return best
