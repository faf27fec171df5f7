"""Node pools that take orders like a cluster's and cost nothing: for `make run`, for tests, for trying things out.

A resize is accepted at once and keeps the pool busy for a while, as in AKS. What the pools are lives in one blob each,
so that a restart finds them as they were.
"""

import contextlib
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from scaler.core.pool import AutoscalerBounds, Operation, PoolState, Provisioning, Resize, ScaledField
from scaler.ports import OperationOutcome, OperationStatus
from shared.clock import Clock
from shared.errors import BlobChanged, BlobNotFound, CloudError, PoolBusy, PoolChanged
from shared.pools import Pool
from shared.ports import Blobs, read_whole

BUSY_FOR = timedelta(minutes=2)
"""How long a resize keeps a pool busy; in AKS a node takes "typically 2-5 minutes"."""


class SimulatedPool(BaseModel):
    """A node pool's whole state; with ``max_count`` set it has an autoscaler, whose floor is ``configured_nodes``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    configured_nodes: Annotated[int, Field(ge=0, le=1000)]
    max_count: int | None = None
    operation: str | None = None
    busy_until: AwareDatetime | None = None


class SimulatedPools:
    """``scaler.ports.NodePools`` without a cloud; a pool that was never seen starts at its ``min_nodes``."""

    def __init__(self, blobs: Blobs, clock: Clock) -> None:
        self._blobs = blobs
        self._clock = clock

    def read(self, pool: Pool) -> PoolState:
        """See :meth:`scaler.ports.NodePools.read`."""
        simulated, etag = self._stored(pool)
        bounds = None
        if simulated.max_count is not None:
            bounds = AutoscalerBounds(min_count=simulated.configured_nodes, max_count=simulated.max_count)
        busy = simulated.busy_until is not None and self._clock() < simulated.busy_until
        return PoolState(
            nodes=simulated.configured_nodes,
            provisioning=Provisioning.BUSY if busy else Provisioning.READY,
            autoscaler=bounds,
            etag=etag,
            vm_size="Simulated",
        )

    def resize(self, pool: Pool, state: PoolState, resize: Resize) -> Operation:
        """See :meth:`scaler.ports.NodePools.resize`."""
        simulated, etag = self._stored(pool)
        now_utc = self._clock()
        if etag != state.etag:
            msg = f"pool {pool.name!r} is not what was read"
            raise PoolChanged(msg, code="EtagMismatch")
        if simulated.busy_until is not None and now_utc < simulated.busy_until:
            msg = f"pool {pool.name!r} has an operation in progress until {simulated.busy_until.isoformat()}"
            raise PoolBusy(msg, code="OperationNotAllowed")
        if resize.scaled_field is not (ScaledField.COUNT if simulated.max_count is None else ScaledField.MIN_COUNT):
            msg = f"pool {pool.name!r} cannot be resized by its {resize.scaled_field}"
            raise CloudError(msg, code="InvalidParameter")
        operation = Operation(handle=f"{pool.name}-{now_utc.isoformat()}", resize=resize, started_at=now_utc)
        resized = simulated.model_copy(
            update={"configured_nodes": resize.nodes, "operation": operation.handle, "busy_until": now_utc + BUSY_FOR}
        )
        try:
            self._blobs.write(_name(pool), resized.model_dump_json(indent=2).encode(), if_etag=etag)
        except BlobChanged as exc:
            msg = f"pool {pool.name!r} is not what was read"
            raise PoolChanged(msg, code="EtagMismatch") from exc
        return operation

    def outcome(self, pool: Pool, operation: Operation) -> OperationOutcome:
        """See :meth:`scaler.ports.NodePools.outcome`."""
        simulated, _ = self._stored(pool)
        running = simulated.operation == operation.handle and not _is_over(simulated, self._clock())
        if running:
            return OperationOutcome(status=OperationStatus.RUNNING)
        return OperationOutcome(status=OperationStatus.SUCCEEDED, took=BUSY_FOR)

    def place(self, pool: Pool, simulated: SimulatedPool) -> None:
        """Put a pool into a state from outside, as a person or an autoscaler would."""
        etag = None
        with contextlib.suppress(BlobNotFound):
            etag = read_whole(self._blobs, _name(pool)).etag
        self._blobs.write(_name(pool), simulated.model_dump_json(indent=2).encode(), if_etag=etag)

    def _stored(self, pool: Pool) -> tuple[SimulatedPool, str]:
        """Return the pool and its etag, making it on first sight."""
        try:
            blob = read_whole(self._blobs, _name(pool))
        except BlobNotFound:
            self.place(pool, SimulatedPool(configured_nodes=pool.min_nodes))
            blob = read_whole(self._blobs, _name(pool))
        try:
            return SimulatedPool.model_validate_json(blob.data), blob.etag
        except ValidationError as exc:
            msg = f"{_name(pool)} cannot be read ({exc.errors()[0]['msg']}): delete it to simulate the pool anew"
            raise CloudError(msg) from exc


def _is_over(simulated: SimulatedPool, now_utc: datetime) -> bool:
    return simulated.busy_until is None or now_utc >= simulated.busy_until


def _name(pool: Pool) -> str:
    return f"simulated/{pool.name}.json"
