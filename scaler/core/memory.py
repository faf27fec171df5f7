"""What a tick remembers of a pool for the next one."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from scaler.core.backoff import Backoff
from scaler.core.miss_price import MissPriceState
from scaler.core.orders import Order
from scaler.core.plausibility import Plausibility
from scaler.core.pool import Operation


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseTimeStep:
    """The step that a response-time policy took for one forecast interval, and to how many nodes."""

    interval_utc: datetime
    to_nodes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Everything that outlives a tick, for one pool; a new pool starts with ``Memory()``.

    ``operation`` is a resize that the platform accepted and whose end has not been seen; ``model_version`` is the
    published model that last forecast for the pool; ``acting_since`` is when the pool was switched to act.
    """

    miss_price: MissPriceState = field(default_factory=MissPriceState)
    orders: tuple[Order, ...] = ()
    response_time_step: ResponseTimeStep | None = None
    operation: Operation | None = None
    backoff: Backoff | None = None
    model_version: str | None = None
    plausibility: Plausibility = field(default_factory=Plausibility)
    acting_since: datetime | None = None

    def correct_last_order(self, nodes: int) -> "Memory":
        """Return the memory whose last order is ``nodes``: the platform did not take what was asked for."""
        return replace(self, orders=(*self.orders[:-1], replace(self.orders[-1], desired_nodes=nodes)))

    def add_order(self, order: Order, *, keep: timedelta) -> "Memory":
        """Return the memory with an order, without those older than ``keep``; a tick run twice replaces its own."""
        recent = tuple(past for past in self.orders if order.at - keep <= past.at < order.at)
        return replace(self, orders=(*recent, order))
