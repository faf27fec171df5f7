"""What a tick remembers of a pool for the next one."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from scaler.core.backoff import Setback
from scaler.core.miss_price import Calibration
from scaler.core.orders import Order
from scaler.core.pool import Lever


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The step that a response-time policy took for one forecast interval, and to how many nodes."""

    interval_utc: datetime
    to_nodes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationInFlight:
    """A resize that the platform accepted and whose end has not been seen."""

    handle: str
    lever: Lever
    nodes: int
    started_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Everything that outlives a tick, for one pool; a new pool starts with ``Memory()``."""

    calibration: Calibration = field(default_factory=Calibration)
    orders: tuple[Order, ...] = ()
    step: Step | None = None
    operation: OperationInFlight | None = None
    setback: Setback | None = None
    model_version: str | None = None
    """The published model that last forecast for the pool."""

    def refused(self, setting: int) -> "Memory":
        """Correct the latest order: the platform did not take it, so the pool stays at ``setting``."""
        return replace(self, orders=(*self.orders[:-1], replace(self.orders[-1], desired_nodes=setting)))

    def ordering(self, order: Order, *, keep: timedelta) -> "Memory":
        """Remember an order and forget those older than ``keep``; a tick that runs twice replaces its own."""
        recent = tuple(past for past in self.orders if order.at - keep <= past.at < order.at)
        return replace(self, orders=(*recent, order))
