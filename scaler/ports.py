"""What the scaler needs from the world."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Protocol

from scaler.core.pool import Operation, PoolState, Resize
from shared.errors import CloudError
from shared.pools import Pool


class OperationStatus(StrEnum):
    """How an accepted resize stands."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationOutcome:
    """How an operation ended, or that it has not; ``error_code`` is the platform's own where it failed.

    ``cause`` is the error that the resize would have raised, had the platform known at once that it must fail.
    """

    status: OperationStatus
    took: timedelta | None = None
    cause: type[CloudError] = CloudError
    error_code: str = ""
    error_message: str = ""


class NodePools(Protocol):
    """Node pools that can be read and resized; one instance serves every pool, from several threads.

    Errors of every call are :class:`shared.errors.CloudError` and its children. Reads of several pools of one
    cluster within a tick may be answered from one call to the platform.
    """

    def read(self, pool: Pool) -> PoolState:
        """Return the pool's present state.

        Raises :class:`~shared.errors.PoolNotFound`, :class:`~shared.errors.PoolUnsupported`,
        :class:`~shared.errors.Forbidden`, :class:`~shared.errors.Throttled`, :class:`~shared.errors.Transient`.
        """
        ...

    def resize(self, pool: Pool, state: PoolState, resize: Resize) -> Operation:
        """Ask for the resize of the pool as it was read (If-Match its etag); returns once *accepted*, never waits.

        Raises what :meth:`read` does, and :class:`~shared.errors.PoolBusy`, :class:`~shared.errors.PoolChanged`,
        :class:`~shared.errors.QuotaExceeded`, :class:`~shared.errors.NoCapacity`.
        """
        ...

    def outcome(self, pool: Pool, operation: Operation) -> OperationOutcome:
        """Tell how an accepted operation stands, without waiting."""
        ...
