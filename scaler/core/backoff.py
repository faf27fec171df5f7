"""How long to leave a pool alone after a resize went wrong: a wait that grows, and holds back only what it must."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from scaler.core.reasons import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class BackoffPolicy:
    """The first wait, doubled with each failure in a row, up to the longest."""

    first_wait: timedelta
    max_wait: timedelta

    def wait(self, failures: int) -> timedelta:
        """Return the wait after so many failures in a row, 1 or more."""
        doublings = min(failures - 1, 32)
        return min(self.first_wait * (1 << doublings), self.max_wait)


_PASSES_BY_ITSELF = BackoffPolicy(first_wait=timedelta(minutes=1), max_wait=timedelta(minutes=10))
_MACHINES_SHORT = BackoffPolicy(first_wait=timedelta(minutes=5), max_wait=timedelta(hours=1))
_COSTS_A_FAILED_OPERATION = BackoffPolicy(first_wait=timedelta(minutes=10), max_wait=timedelta(hours=4))
_NEEDS_A_PERSON = BackoffPolicy(first_wait=timedelta(minutes=5), max_wait=timedelta(minutes=30))

BACKOFF_POLICIES: Mapping[Reason, BackoffPolicy] = {
    Reason.POOL_CHANGED: BackoffPolicy(first_wait=timedelta(), max_wait=timedelta()),
    Reason.POOL_BUSY: _PASSES_BY_ITSELF,
    Reason.CLOUD_UNREACHABLE: _PASSES_BY_ITSELF,
    Reason.THROTTLED: _PASSES_BY_ITSELF,
    Reason.NO_CAPACITY: _MACHINES_SHORT,
    Reason.QUOTA_EXCEEDED: _COSTS_A_FAILED_OPERATION,
    Reason.SUBNET_FULL: _COSTS_A_FAILED_OPERATION,
    Reason.FORBIDDEN: _NEEDS_A_PERSON,
    Reason.POOL_NOT_FOUND: _NEEDS_A_PERSON,
    Reason.POOL_UNSUPPORTED: _NEEDS_A_PERSON,
    Reason.CLOUD_ERROR: _MACHINES_SHORT,
}
"""One policy an outcome. Ours, chosen 2026-11 for ticks of five minutes: what passes by itself is tried at the next
tick but one at the latest; machines that are short for an hour come back within one; a person's act is noticed in half
an hour, or in four hours where each try costs a failed operation. docs/decisions/0011."""

BLOCKS_ONLY_GROWTH = frozenset({Reason.NO_CAPACITY, Reason.QUOTA_EXCEEDED, Reason.SUBNET_FULL})
"""Outcomes that say nothing against giving nodes back, which may even cure them."""
MAX_RETRY_AFTER = timedelta(hours=1)
"""A ``Retry-After`` beyond this is taken for a mistake: a pool is not left alone for a day by one header."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Why the last resize of a pool went wrong, how often in a row, and until when to leave it alone."""

    reason: Reason
    failures: int
    until: datetime

    def blocks(self, *, adds_nodes: bool, now_utc: datetime) -> bool:
        """Return whether a resize must still wait."""
        return now_utc < self.until and (adds_nodes or self.reason not in BLOCKS_ONLY_GROWTH)


def next_backoff(
    reason: Reason, previous: Backoff | None, *, now_utc: datetime, retry_after: timedelta = timedelta()
) -> Backoff:
    """Return the backoff that follows ``previous`` (None: all was well); never waits less than was asked for."""
    failures = previous.failures + 1 if previous is not None and previous.reason is reason else 1
    wait = max(BACKOFF_POLICIES[reason].wait(failures), min(retry_after, MAX_RETRY_AFTER))
    return Backoff(reason=reason, failures=failures, until=now_utc + wait)
