"""What was ordered when, and what can therefore be ready: the arithmetic of lead time.

A node ordered at an instant serves from one lead time later; one given up is gone at once. So the nodes ready during an
interval are the fewest that were ordered from one lead time before its start until its start.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

Nodes = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a tick wanted, what it asked for in the end, and what each price would have asked for; in nodes.

    ``desired_nodes`` is what the pool was configured to where it could not be written: only what was asked for can be
    ready. A pool that is only observed has what would have been asked for.
    """

    at: datetime
    wanted_nodes: int
    desired_nodes: int
    plans: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderHistory:
    """Orders in order of time, for one or several plans side by side: ``nodes`` has shape ``(orders, plans)``.

    ``nodes_before`` are the nodes of each plan before its first order, shape ``(plans,)``.
    """

    at: Sequence[datetime]
    nodes: Nodes
    nodes_before: Nodes
    lead_time: timedelta

    def ready_nodes(self, start_utc: datetime) -> Nodes | None:
        """Return the nodes ready in the interval at ``start_utc``; None if no order reaches back one lead time."""
        first = self._index_in_force(start_utc - self.lead_time)
        last = sum(at <= start_utc for at in self.at)
        if first is None:
            return None
        ready: Nodes = self.nodes[first:last].min(axis=0)
        return ready

    def max_ready_nodes(self, start_utc: datetime, *, now_utc: datetime) -> Nodes | None:
        """Return the most nodes that can still be ready for the interval at ``start_utc``; None: as many as we like.

        Nodes ordered now are ready one lead time from now. Before that only what earlier orders left can serve.
        """
        since = start_utc - self.lead_time
        if since >= now_utc:
            return None
        first = self._index_in_force(since)
        past = sum(at < now_utc for at in self.at)
        reaching = self.nodes[first or 0 : past]
        if first is None:
            reaching = np.vstack([self.nodes_before, reaching])
        fewest: Nodes = reaching.min(axis=0)
        return fewest

    def _index_in_force(self, instant: datetime) -> int | None:
        made = sum(at <= instant for at in self.at)
        return made - 1 if made else None


def pool_order_history(orders: Sequence[Order], *, lead_time: timedelta, nodes_before: int) -> OrderHistory:
    """Return what was really asked of the pool, as a history of one plan."""
    return OrderHistory(
        at=[order.at for order in orders],
        nodes=np.array([[order.desired_nodes] for order in orders], dtype=np.float64).reshape(-1, 1),
        nodes_before=np.array([float(nodes_before)]),
        lead_time=lead_time,
    )


def plan_order_history(orders: Sequence[Order], *, lead_time: timedelta, nodes_before: Nodes) -> OrderHistory:
    """Return what each price would have asked for; orders from before there were plans are left out."""
    kept = [order for order in orders if len(order.plans) == len(nodes_before)]
    return OrderHistory(
        at=[order.at for order in kept],
        nodes=np.array([order.plans for order in kept], dtype=np.float64).reshape(-1, len(nodes_before)),
        nodes_before=nodes_before,
        lead_time=lead_time,
    )
