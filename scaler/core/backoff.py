"""How long to leave a pool alone after a resize went wrong: a wait that grows, and holds back only what it must."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from scaler.core.reasons import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The first wait, doubled with each failure in a row, up to the most."""

    first: timedelta
    most: timedelta

    def wait(self, failures: int) -> timedelta:
        """Return the wait after so many failures in a row, 1 or more."""
        doublings = min(failures - 1, 32)
        return min(self.first * (1 << doublings), self.most)


PACES: Mapping[Reason, Pace] = {
    Reason.POOL_CHANGED: Pace(first=timedelta(), most=timedelta()),
    Reason.POOL_BUSY: Pace(first=timedelta(minutes=1), most=timedelta(minutes=10)),
    Reason.CLOUD_UNREACHABLE: Pace(first=timedelta(minutes=1), most=timedelta(minutes=10)),
    Reason.THROTTLED: Pace(first=timedelta(minutes=1), most=timedelta(minutes=10)),
    Reason.NO_CAPACITY: Pace(first=timedelta(minutes=5), most=timedelta(hours=1)),
    Reason.QUOTA_EXCEEDED: Pace(first=timedelta(minutes=10), most=timedelta(hours=4)),
    Reason.SUBNET_FULL: Pace(first=timedelta(minutes=10), most=timedelta(hours=4)),
    Reason.FORBIDDEN: Pace(first=timedelta(minutes=5), most=timedelta(minutes=30)),
    Reason.POOL_NOT_FOUND: Pace(first=timedelta(minutes=5), most=timedelta(minutes=30)),
    Reason.POOL_UNSUPPORTED: Pace(first=timedelta(minutes=5), most=timedelta(minutes=30)),
    Reason.CLOUD_ERROR: Pace(first=timedelta(minutes=5), most=timedelta(hours=1)),
}
"""One pace an outcome. Ours, chosen 2026-11 for ticks of five minutes: what passes by itself is tried at the next tick
but one at the latest; machines that are short for an hour come back within one; a person's act is noticed in half an
hour, or in four hours where each try costs a failed operation. docs/decisions/0011."""

ONLY_GROWTH = frozenset({Reason.NO_CAPACITY, Reason.QUOTA_EXCEEDED, Reason.SUBNET_FULL})
"""Outcomes that say nothing against giving nodes back, which may even cure them."""
LONGEST_ASKED = timedelta(hours=1)
"""A ``Retry-After`` beyond this is taken for a mistake: a pool is not left alone for a day by one header."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setback:
    """Why the last resize of a pool went wrong, how often in a row, and until when to leave it alone."""

    reason: Reason
    failures: int
    until: datetime

    def holds(self, *, adds_nodes: bool, now_utc: datetime) -> bool:
        """Tell whether a resize must still wait."""
        return now_utc < self.until and (adds_nodes or self.reason not in ONLY_GROWTH)


def after(
    reason: Reason, previous: Setback | None, *, now_utc: datetime, retry_after: timedelta = timedelta()
) -> Setback:
    """Return the setback that follows ``previous`` (None: all was well); never waits less than was asked for."""
    same_again = previous is not None and previous.reason is reason
    failures = previous.failures + 1 if previous is not None and same_again else 1
    wait = max(PACES[reason].wait(failures), min(retry_after, LONGEST_ASKED))
    return Setback(reason=reason, failures=failures, until=now_utc + wait)
