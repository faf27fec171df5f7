"""What was ordered when, and what can therefore be ready: the arithmetic of lead time.

A node ordered at an instant serves from ``lead time`` later; one given up is gone at once. So the nodes ready during an
interval are the fewest that were ordered from one lead time before its start until its start.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a tick wanted, and what it asked for once every guard had spoken; in nodes."""

    at: datetime
    wanted_nodes: int
    desired_nodes: int


def lead_intervals(lead_time: timedelta, step: timedelta) -> int:
    """Return the lead time in whole intervals, rounded up."""
    return math.ceil(lead_time / step)


def ready_nodes(orders: Sequence[Order], *, start_utc: datetime, lead_time: timedelta) -> int | None:
    """Return the nodes that the orders make ready for the interval at ``start_utc``; None if they do not reach back.

    ``orders`` are in order of time. The order in force one lead time before the start counts as well.
    """
    since = start_utc - lead_time
    in_force = [order for order in orders if order.at <= since][-1:]
    later = [order for order in orders if since < order.at <= start_utc]
    return min(order.desired_nodes for order in (*in_force, *later)) if in_force else None
