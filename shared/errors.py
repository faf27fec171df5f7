"""Everything that may go wrong, as one tree; a class exists because its handler does something different.

::

    ForescaleError
    ├── ConfigurationError        a person must edit settings, the pools file or a command line
    ├── DemandError               this pool's demand cannot be used: hold the pool, serve the others
    │   └── DemandUnavailable     … because its source did not answer: the next tick may do better
    ├── ModelRefused              the model cannot be trusted: take the next fallback
    ├── TrainingRefused           this history cannot make a model: publish nothing, say why
    ├── RequestRefused            the caller must change what it asks for
    │   └── KeyReused             … or the idempotency key under which it asks for something else
    ├── RunNotFound               no retraining is known by that id
    ├── PoolUnknown               the pools file has no such pool
    ├── NoPreviousModel           nothing to roll back to
    ├── BlobNotFound              nothing is stored under that name
    ├── BlobChanged               another writer was first: read again, then decide again
    ├── CloudError                a cloud call failed for good
    │   ├── Transient             … but may succeed at the next tick
    │   │   ├── PoolBusy          an operation is in progress
    │   │   ├── PoolChanged       the pool is not what was read: read again
    │   │   ├── RunPending        a retraining is reserved, its job not yet accepted: ask again, nothing gets lost
    │   │   └── Throttled         wait ``retry_after`` first
    │   ├── CapacityError         asking again soon is useless: back off
    │   │   ├── QuotaExceeded     a person must raise a quota
    │   │   ├── NoCapacity        the region has no such machines now
    │   │   └── SubnetFull        a person must enlarge the subnet
    │   ├── Forbidden             a person must grant the action it names
    │   ├── PoolNotFound          a person must correct the pools file
    │   ├── WorkspaceNotFound     a person must correct the settings of Azure ML
    │   ├── ComputeNotFound       a person must create the compute cluster, or name another
    │   ├── JobNotFound           the training service knows no such job
    │   └── PoolUnsupported       this kind of pool cannot be scaled by us
    └── TickFailed                at least one pool failed; raised last, so that the invocation is red
"""

from datetime import timedelta


class ForescaleError(Exception):
    """Anything Forescale refuses or fails to do; its message is fit for an operator."""


class ConfigurationError(ForescaleError):
    """A setting, the pools file or a command line is wrong; the message lists every fault."""


class DemandError(ForescaleError):
    """The demand of one pool is missing, malformed or not a regular series."""


class DemandUnavailable(DemandError):
    """The source of one pool's demand did not answer."""


class ModelRefused(ForescaleError):
    """A published model fails its hash, its format version, or the checks of its arrays."""


class TrainingRefused(ForescaleError):
    """The history is too short, constant or empty: no honest model can come of it."""


class RequestRefused(ForescaleError):
    """A request over HTTP asks for something that cannot be; the message lists every fault."""


class KeyReused(RequestRefused):
    """The same idempotency key came with another request."""


class RunNotFound(ForescaleError):
    """No retraining run is known by that id."""


class PoolUnknown(ForescaleError):
    """The pools file has no pool of that name."""


class NoPreviousModel(ForescaleError):
    """No model served before the present one: there is nothing to roll back to."""


class BlobNotFound(ForescaleError):
    """Nothing is stored under that name."""


class BlobChanged(ForescaleError):
    """A conditional write lost: the blob is not what the writer had read."""


class CloudError(ForescaleError):
    """A cloud call failed; ``code`` is the service's own error code where it gave one."""

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class Transient(CloudError):
    """A failure that the next tick may not see."""


class PoolBusy(Transient):
    """An operation on the pool or its cluster is in progress."""


class PoolChanged(Transient):
    """The pool is no longer in the state that the decision rests on."""


class Throttled(Transient):
    """The service asks to be left alone for ``retry_after``."""

    def __init__(self, message: str, *, retry_after: timedelta, code: str = "") -> None:
        super().__init__(message, code=code)
        self.retry_after = retry_after


class RunPending(Transient):
    """A retraining is reserved as ``run_id``, but it is not known that its job was accepted."""

    def __init__(self, message: str, *, run_id: str, retry_after: timedelta) -> None:
        super().__init__(message)
        self.run_id = run_id
        self.retry_after = retry_after


class CapacityError(CloudError):
    """More nodes cannot be had now; asking again at once is useless."""


class QuotaExceeded(CapacityError):
    """The subscription's quota does not allow the nodes."""


class NoCapacity(CapacityError):
    """The region or zone has no machines of that size now."""


class SubnetFull(CapacityError):
    """The pool's subnet has no addresses left for the nodes."""


class Forbidden(CloudError):
    """The identity lacks a right; the message names the action."""


class PoolNotFound(CloudError):
    """The cluster or node pool does not exist."""


class WorkspaceNotFound(CloudError):
    """The Azure ML workspace does not exist, or the identity cannot see it."""


class ComputeNotFound(CloudError):
    """The compute cluster that trains does not exist, or cannot run a job."""


class JobNotFound(CloudError):
    """The training service has no job of that id."""


class PoolUnsupported(CloudError):
    """A node pool of a kind whose size cannot be set through ``count`` or ``minCount``."""


class TickFailed(ForescaleError):
    """Some pools of a tick failed; the message names them, the log has each one's cause."""
