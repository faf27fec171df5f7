"""Node pools that take orders like a cluster's and cost nothing: for `make run`, for tests, for trying things out.

A resize is accepted at once and keeps the pool busy for a while, as in AKS. What the pools are lives in one blob each,
so that a restart finds them as they were.
"""

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from scaler.core.pool import AutoscalerBounds, Operation, PoolState, Provisioning, Resize, ScaledField
from scaler.ports import OperationOutcome, OperationStatus
from shared.clock import Clock
from shared.errors import BlobChanged, CloudError, PoolBusy, PoolChanged
from shared.json_blob import JsonBlob, Stored
from shared.pools import Pool
from shared.ports import Blobs

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
        stored = self._stored(pool)
        simulated = stored.value
        bounds = None
        if simulated.max_count is not None:
            bounds = AutoscalerBounds(min_count=simulated.configured_nodes, max_count=simulated.max_count)
        busy = simulated.busy_until is not None and self._clock() < simulated.busy_until
        return PoolState(
            nodes=simulated.configured_nodes,
            provisioning=Provisioning.BUSY if busy else Provisioning.READY,
            autoscaler=bounds,
            etag=stored.etag,
            vm_size="Simulated",
        )

    def resize(self, pool: Pool, state: PoolState, resize: Resize) -> Operation:
        """See :meth:`scaler.ports.NodePools.resize`."""
        stored = self._stored(pool)
        simulated, now_utc = stored.value, self._clock()
        if stored.etag != state.etag:
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
            self._blob(pool).write(resized, if_etag=stored.etag)
        except BlobChanged as exc:
            msg = f"pool {pool.name!r} is not what was read"
            raise PoolChanged(msg, code="EtagMismatch") from exc
        return operation

    def outcome(self, pool: Pool, operation: Operation) -> OperationOutcome:
        """See :meth:`scaler.ports.NodePools.outcome`."""
        simulated = self._stored(pool).value
        running = simulated.operation == operation.handle and not _is_over(simulated, self._clock())
        if running:
            return OperationOutcome(status=OperationStatus.RUNNING)
        return OperationOutcome(status=OperationStatus.SUCCEEDED, took=BUSY_FOR)

    def place(self, pool: Pool, simulated: SimulatedPool) -> None:
        """Put a pool into a state from outside, as a person or an autoscaler would."""
        self._blob(pool).replace(simulated)

    def _stored(self, pool: Pool) -> Stored[SimulatedPool]:
        """Return the pool as it is stored; one that was never seen is made first."""
        blob = self._blob(pool)
        stored = blob.read()
        if stored is None:
            blob.change(lambda known: known or SimulatedPool(configured_nodes=pool.min_nodes))
            return self._stored(pool)
        return stored

    def _blob(self, pool: Pool) -> JsonBlob[SimulatedPool]:
        return JsonBlob(
            blobs=self._blobs,
            name=f"simulated/{pool.name}.json",
            kind=SimulatedPool,
            remedy="delete it to simulate the pool anew",
            error=CloudError,
        )


def _is_over(simulated: SimulatedPool, now_utc: datetime) -> bool:
    return simulated.busy_until is None or now_utc >= simulated.busy_until
