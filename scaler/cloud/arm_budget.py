"""Counts calls to Azure Resource Manager, so that we stop before it stops us: token buckets that never wait."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING

from shared.errors import Throttled

if TYPE_CHECKING:
    from shared.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """So many calls at once, refilled at a steady pace."""

    burst: int
    per_s: float


READS = Rate(burst=250, per_s=25)
"""A subscription's reads: learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling."""
WRITES = Rate(burst=200, per_s=10)
"""A subscription's writes: the same page."""
POOL_WRITES = Rate(burst=1, per_s=1 / 60)
"""One PUT a minute for each pool. AKS lets 20 through and then refills one a minute: we keep its burst in reserve."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmCall:
    """What the budget needs to know of a request."""

    method: str
    path: str

    @property
    def subscription(self) -> str:
        """The subscription that is charged for the call; empty where the path names none."""
        parts = self.path.lower().strip("/").split("/")
        return parts[1] if len(parts) > 1 and parts[0] == "subscriptions" else ""

    @property
    def target(self) -> str:
        """What a ``Retry-After`` of the service holds back: this call only, so that no other pool waits."""
        return f"{self.method} {self.path.lower()}"

    @property
    def rates(self) -> dict[str, Rate]:
        """The buckets that the call draws from, by name."""
        if self.method in {"GET", "HEAD"}:
            return {f"reads of subscription {self.subscription}": READS}
        return {
            f"writes of subscription {self.subscription}": WRITES,
            f"writes of {self.path.lower()}": POOL_WRITES,
        }


@dataclass(slots=True, kw_only=True)
class _Bucket:
    rate: Rate
    tokens: float
    at: datetime

    def refill(self, now: datetime) -> None:
        """Add what has come in since; a clock that steps back adds nothing."""
        gained = max(0.0, (now - self.at).total_seconds()) * self.rate.per_s
        self.tokens = min(float(self.rate.burst), self.tokens + gained)
        self.at = now

    @property
    def wait(self) -> timedelta:
        """Time until one token is there."""
        return timedelta(seconds=max(0.0, 1 - self.tokens) / self.rate.per_s)


class ArmBudget:
    """What may still be asked of Resource Manager; safe to share between threads and subscriptions."""

    def __init__(self, clock: "Clock") -> None:
        self._clock = clock
        self._lock = Lock()
        self._buckets: dict[str, _Bucket] = {}
        self._held_until: dict[str, datetime] = {}

    def take(self, call: ArmCall) -> None:
        """Count one call, or refuse it: never waits.

        Raises :class:`~shared.errors.Throttled` that says how long to wait; then nothing was counted.
        """
        with self._lock:
            now = self._clock()
            held = self._held_until.get(call.target, now) - now
            if held > timedelta():
                msg = f"{call.target} is held back for {held.total_seconds():.0f} s more, as Azure asked"
                raise Throttled(msg, retry_after=held)
            buckets = {name: self._bucket(name, rate, now) for name, rate in call.rates.items()}
            short = {name: bucket.wait for name, bucket in buckets.items() if bucket.tokens < 1}
            if short:
                name, wait = max(short.items(), key=lambda item: item[1])
                msg = f"our own limit of {name} is used up for {wait.total_seconds():.0f} s"
                raise Throttled(msg, retry_after=wait)
            for bucket in buckets.values():
                bucket.tokens -= 1

    def hold(self, call: ArmCall, retry_after: timedelta) -> None:
        """Refuse this very call for ``retry_after``, because the service asked for it."""
        with self._lock:
            self._held_until[call.target] = self._clock() + retry_after

    def _bucket(self, name: str, rate: Rate, now: datetime) -> _Bucket:
        bucket = self._buckets.setdefault(name, _Bucket(rate=rate, tokens=float(rate.burst), at=now))
        bucket.refill(now)
        return bucket
