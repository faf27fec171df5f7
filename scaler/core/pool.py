"""A node pool as the decision sees it, the one change that may be asked of it, and what became of asking."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class ScaledField(StrEnum):
    """What Forescale sets: the autoscaler's minimum where there is an autoscaler, the count where there is none."""

    COUNT = "count"
    MIN_COUNT = "min_count"


class Provisioning(StrEnum):
    """Whether the pool can be written to."""

    READY = "ready"
    BUSY = "busy"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoscalerBounds:
    """The cluster autoscaler's own limits."""

    min_count: int
    max_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolState:
    """What was read of a node pool; ``etag`` ties a later resize to exactly this state (None: the API gave none)."""

    nodes: int
    provisioning: Provisioning
    autoscaler: AutoscalerBounds | None = None
    is_system: bool = False
    etag: str | None = None
    vm_size: str = ""
    zones: tuple[str, ...] = ()
    is_spot: bool = False

    def __post_init__(self) -> None:
        """Refuse what no pool can be."""
        if self.nodes < 0:
            msg = f"a pool cannot have {self.nodes} nodes"
            raise ValueError(msg)

    @property
    def scaled_field(self) -> ScaledField:
        """What a resize of this pool sets."""
        return ScaledField.COUNT if self.autoscaler is None else ScaledField.MIN_COUNT

    @property
    def configured_nodes(self) -> int:
        """The present value of ``scaled_field``: what a decision that changes nothing would write."""
        return self.nodes if self.autoscaler is None else self.autoscaler.min_count

    @property
    def is_busy(self) -> bool:
        """An operation is in progress; a ``failed`` pool is not busy: a resize repairs it."""
        return self.provisioning is Provisioning.BUSY

    @property
    def has_failed(self) -> bool:
        """The last operation failed: the pool may have fewer nodes than it says."""
        return self.provisioning is Provisioning.FAILED

    @property
    def is_stopped(self) -> bool:
        """The pool or its cluster is switched off."""
        return self.provisioning is Provisioning.STOPPED


@dataclass(frozen=True, slots=True, kw_only=True)
class Resize:
    """Set ``scaled_field`` to ``nodes``."""

    scaled_field: ScaledField
    nodes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A resize that the platform accepted; ``handle`` is opaque, and enough to ask for its outcome after a restart."""

    handle: str
    resize: Resize
    started_at: datetime
