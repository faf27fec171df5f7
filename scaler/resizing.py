"""Asking for a resize: what a refusal means, and how the operation that was accepted goes on."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from scaler.core.backoff import next_backoff
from scaler.core.decide import Decision
from scaler.core.memory import Memory
from scaler.core.pool import Operation, PoolState
from scaler.core.reasons import Reason
from scaler.ports import NodePools, OperationOutcome, OperationStatus
from shared.errors import (
    CloudError,
    Forbidden,
    NoCapacity,
    PoolBusy,
    PoolChanged,
    PoolNotFound,
    PoolUnsupported,
    QuotaExceeded,
    SubnetFull,
    Throttled,
    Transient,
)
from shared.pools import Pool

REFUSALS: Mapping[type[CloudError], Reason] = {
    PoolBusy: Reason.POOL_BUSY,
    PoolChanged: Reason.POOL_CHANGED,
    Throttled: Reason.THROTTLED,
    QuotaExceeded: Reason.QUOTA_EXCEEDED,
    NoCapacity: Reason.NO_CAPACITY,
    SubnetFull: Reason.SUBNET_FULL,
    Forbidden: Reason.FORBIDDEN,
    PoolNotFound: Reason.POOL_NOT_FOUND,
    PoolUnsupported: Reason.POOL_UNSUPPORTED,
    Transient: Reason.CLOUD_UNREACHABLE,
}
"""The reason that a refusal becomes; any other ``CloudError`` is ``cloud_error``."""

MENDED_BY_NEXT_TICK = frozenset({Reason.POOL_BUSY, Reason.POOL_CHANGED, Reason.THROTTLED, Reason.CLOUD_UNREACHABLE})
"""Refusals for which no person is called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResizeOutcome:
    """How asking for a resize went: the operation that was accepted, or the reason that there is none.

    ``note`` has the platform's own words. ``needs_person`` says that no later tick mends it.
    """

    reason: Reason | None = None
    operation: Operation | None = None
    note: str = ""
    needs_person: bool = False


NOTHING_ASKED = ResizeOutcome()


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedOperation:
    """An operation of an earlier tick whose end was seen now."""

    operation: Operation
    outcome: OperationOutcome

    @property
    def succeeded(self) -> bool:
        """Whether the pool has what was asked for."""
        return self.outcome.status is OperationStatus.SUCCEEDED

    @property
    def note(self) -> str:
        """One line for whoever reads the next decision."""
        outcome = self.outcome
        took = "" if outcome.took is None else f" after {outcome.took.total_seconds():.0f} s"
        why = " ".join(part for part in (outcome.error_code, outcome.error_message) if part)
        return f"the resize to {self.operation.resize.nodes} nodes {outcome.status.value}{took}" + (
            f": {why}" if why else ""
        )


def request_resize(
    node_pools: NodePools, pool: Pool, state: PoolState, decision: Decision, memory: Memory
) -> tuple[ResizeOutcome, Memory]:
    """Ask for the decision's resize, if it has one, and return the outcome and what the next tick must know.

    An accepted resize is remembered as the operation to follow. A refused one corrects the order that the memory
    holds, since the pool stays as it is, and starts a backoff. The memory is the same object where nothing changed.
    """
    if decision.resize is None:
        return NOTHING_ASKED, memory
    try:
        operation = node_pools.resize(pool, state, decision.resize)
    except CloudError as exc:
        reason = reason_of(type(exc))
        retry_after = exc.retry_after if isinstance(exc, Throttled) else timedelta()
        backoff = next_backoff(reason, memory.backoff, now_utc=decision.at_utc, retry_after=retry_after)
        outcome = ResizeOutcome(reason=reason, note=str(exc), needs_person=reason not in MENDED_BY_NEXT_TICK)
        return outcome, replace(memory.correct_last_order(state.configured_nodes), backoff=backoff)
    return (
        ResizeOutcome(reason=Reason.RESIZE_ACCEPTED, operation=operation),
        replace(memory, operation=operation),
    )


def follow_operation(
    node_pools: NodePools, pool: Pool, memory: Memory, *, now_utc: datetime
) -> tuple[Memory, EndedOperation | None]:
    """Look at the operation that an earlier tick started; forget it once it ended, and back off if it failed.

    An operation that cannot be asked about counts as running: what is not known is not over.
    """
    operation = memory.operation
    if operation is None:
        return memory, None
    try:
        outcome = node_pools.outcome(pool, operation)
    except Transient:
        return memory, None
    if outcome.status is OperationStatus.RUNNING:
        return memory, None
    ended = EndedOperation(operation=operation, outcome=outcome)
    backoff = None
    if not ended.succeeded:
        backoff = next_backoff(reason_of(outcome.cause), memory.backoff, now_utc=now_utc)
    return replace(memory, operation=None, backoff=backoff), ended


def reason_of(kind: type[CloudError]) -> Reason:
    """Return the reason that stands for a kind of refusal."""
    return next((reason for known, reason in REFUSALS.items() if issubclass(kind, known)), Reason.CLOUD_ERROR)
