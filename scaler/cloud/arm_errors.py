"""Turns what Azure Resource Manager refuses into our errors: by exception type, status and code, never by wording."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError, ServiceRequestError

from shared.cloud.http_client import PASSING_STATUSES
from shared.cloud.retry_after import read_retry_after
from shared.errors import (
    CloudError,
    Forbidden,
    NoCapacity,
    PoolBusy,
    PoolChanged,
    PoolNotFound,
    QuotaExceeded,
    SubnetFull,
    Throttled,
    Transient,
)

if TYPE_CHECKING:
    from shared.pools import Pool

DEFAULT_RETRY_AFTER = timedelta(seconds=60)
"""Where a 429 names no time: an agent pool's bucket gains one PUT in a minute."""
OPERATION_NOT_ALLOWED = "operationnotallowed"
"""AKS has this one code for "an operation is in progress" and, from Compute, for "quota exceeded" (Azure/AKS#1184)."""

# One entry a code, lower case. Sources: learn.microsoft.com/troubleshoot/azure/azure-kubernetes/error-codes,
# …/azure-resource-manager/troubleshooting/common-deployment-errors, and answers quoted in public issues.
CODES: Mapping[str, type[CloudError]] = {
    "quotaexceeded": QuotaExceeded,
    "insufficientvcpuquota": QuotaExceeded,
    "errcode_insufficientvcpuquota": QuotaExceeded,
    "resourcequotaexceeded": QuotaExceeded,
    "allocationfailed": NoCapacity,
    "zonalallocationfailed": NoCapacity,
    "overconstrainedallocationrequest": NoCapacity,
    "overconstrainedzonalallocationrequest": NoCapacity,
    "skunotavailable": NoCapacity,
    "akscapacityheavyusage": NoCapacity,
    "errcode_akscapacityheavyusage": NoCapacity,
    "subnetisfull": SubnetFull,
    "insufficientsubnetsize": SubnetFull,
    "etagmismatch": PoolChanged,
    "putagentpool_failedprecondition": PoolChanged,
    "aksoperationpreempted": PoolBusy,
    "aksoperationpreemptedbydelete": PoolBusy,
    "authorizationfailed": Forbidden,
    "linkedauthorizationfailed": Forbidden,
    "requestdisallowedbypolicy": Forbidden,
    "scopelocked": Forbidden,
    "resourcenotfound": PoolNotFound,
    "resourcegroupnotfound": PoolNotFound,
    "parentresourcenotfound": PoolNotFound,
    "subscriptionnotfound": PoolNotFound,
    "notfound": PoolNotFound,
    "missingsubscriptionregistration": CloudError,
}
STATUSES: Mapping[int, type[CloudError]] = {
    HTTPStatus.FORBIDDEN: Forbidden,
    HTTPStatus.NOT_FOUND: PoolNotFound,
    HTTPStatus.CONFLICT: PoolBusy,
    HTTPStatus.PRECONDITION_FAILED: PoolChanged,
}
"""What a status means where no code says more."""
REMEDIES = {
    "linkedauthorizationfailed": "grant the app Microsoft.Network/virtualNetworks/subnets/join/action on the subnet",
    "requestdisallowedbypolicy": "an Azure Policy denies it: exempt the pool or change the policy",
    "scopelocked": "a resource lock forbids it: remove the lock",
}


class Action(StrEnum):
    """The rights that Forescale uses, by their names in a role definition."""

    READ_POOL = "Microsoft.ContainerService/managedClusters/agentPools/read"
    WRITE_POOL = "Microsoft.ContainerService/managedClusters/agentPools/write"
    READ_CLUSTER = "Microsoft.ContainerService/managedClusters/read"
    READ_OPERATION = "Microsoft.ContainerService/locations/operations/read"
    READ_PERMISSIONS = "Microsoft.Authorization/permissions/read"
    READ_USAGES = "Microsoft.Compute/locations/usages/read"
    READ_SIZES = "Microsoft.Compute/skus/read"


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """What we were doing, for the message; the right it needs, should that be what is missing."""

    doing: str
    action: Action
    pool: "Pool"

    def __str__(self) -> str:
        """Say it as the start of a message."""
        cluster = self.pool.cluster
        where = "" if cluster is None else f" of cluster {cluster.name!r} in {cluster.resource_group!r}"
        return f"{self.doing} pool {self.pool.node_pool!r}{where}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmError:
    """The error that an answer or an operation carries: its code, its message and every code nested in it."""

    code: str = ""
    message: str = ""
    nested: tuple[str, ...] = ()

    @classmethod
    def of(cls, body: object) -> "ArmError":
        """Read ``{"error": {…}}`` or the bare ``{…}`` that AKS itself answers with; anything else says nothing."""
        error = body.get("error", body) if isinstance(body, Mapping) else None
        if not isinstance(error, Mapping):
            return cls()
        codes = tuple(_codes(error))
        return cls(
            code=_text(error.get("code")) or next(iter(codes), ""), message=_text(error.get("message")), nested=codes
        )

    @property
    def kind(self) -> type[CloudError] | None:
        """What the most specific code that we know means: the deeper a code is nested, the nearer to the cause."""
        return next((CODES[code.lower()] for code in self.nested if code.lower() in CODES), None)

    @property
    def is_operation_not_allowed(self) -> bool:
        """Whether the only thing it tells is AKS's ambiguous code."""
        return self.kind is None and any(code.lower() == OPERATION_NOT_ALLOWED for code in self.nested)

    @property
    def telling_code(self) -> str:
        """The code that decided: the deepest known one, or else the outermost."""
        return next((code for code in self.nested if code.lower() in CODES), self.code)


def translated(exc: AzureError, errand: Errand) -> CloudError:
    """Return our error for one of the SDK's; the caller raises it ``from exc``."""
    if isinstance(exc, ClientAuthenticationError):
        return Forbidden(_signed_out(exc, errand))
    if not isinstance(exc, HttpResponseError) or exc.status_code is None:
        doing = "could not reach Azure" if isinstance(exc, ServiceRequestError) else "got no complete answer"
        return Transient(f"{errand}: {doing}: {type(exc).__name__}: {exc.message}")
    error = error_of(exc)
    if exc.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        wait = DEFAULT_RETRY_AFTER if exc.response is None else retry_after_of(exc.response)
        msg = f"{errand}: Azure asks to wait {wait.total_seconds():.0f} s ({exc.status_code} {error.code})"
        return Throttled(msg, retry_after=wait, code=error.telling_code)
    kind = _kind(exc.status_code, error)
    return kind(_told(kind, error, errand, status=exc.status_code), code=error.telling_code)


def error_of(exc: HttpResponseError) -> ArmError:
    """Read the error in a refused request's body; empty where the body is none of ours, such as a proxy's page."""
    try:
        return ArmError.of(exc.response.json() if exc.response is not None else None)  # type: ignore[attr-defined]
    except (ValueError, AzureError):
        return ArmError()


def retry_after_of(answer: Any) -> timedelta:  # noqa: ANN401 - the SDK's type for it has no headers
    """Return how long an answer asks to wait, in seconds or as a date; a minute where it does not say."""
    return read_retry_after(answer.headers) or DEFAULT_RETRY_AFTER


def _kind(status: int, error: ArmError) -> type[CloudError]:
    if error.kind is not None:
        return error.kind
    if error.is_operation_not_allowed and status != HTTPStatus.CONFLICT:
        return QuotaExceeded
    if status in PASSING_STATUSES or status < HTTPStatus.BAD_REQUEST:
        return Transient
    return STATUSES.get(status, CloudError)


def _told(kind: type[CloudError], error: ArmError, errand: Errand, *, status: int) -> str:
    said = f" {error.telling_code}: {error.message}" if error.code else ""
    if status < HTTPStatus.BAD_REQUEST:
        return f"{errand}: the answer ({status}) could not be read"
    if issubclass(kind, Forbidden):
        remedy = REMEDIES.get(error.telling_code.lower(), f"grant the app {errand.action} on the cluster")
        return f"{errand} was refused ({status}{said}): {remedy}"
    return f"{errand} failed ({status}{said})"


def _signed_out(exc: ClientAuthenticationError, errand: Errand) -> str:
    if exc.status_code is None:
        return f"{errand}: no identity could sign in: {exc.message}"
    return f"{errand}: Azure does not take the app's token ({exc.status_code}): check its identity and tenant"


def _codes(error: Mapping[str, object]) -> Iterator[str]:
    """Every code in the error, the deepest first."""
    details = error.get("details")
    for detail in details if isinstance(details, list) else []:
        if isinstance(detail, Mapping):
            yield from _codes(detail)
    inner = error.get("innererror") or error.get("innerError")
    if isinstance(inner, Mapping):
        yield from _codes(inner)
    yield from (text for text in (_text(error.get("subcode")), _text(error.get("code"))) if text)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
