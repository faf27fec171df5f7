"""Turns what Azure refuses into our errors: by status and code, never by wording; for AKS and Azure ML alike.

``Refusal`` is what came over the wire, whichever client saw it. ``CallContext`` is what we were doing. Both together
make one of our errors.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError, ServiceRequestError

from shared.cloud.http_client import PASSING_STATUSES
from shared.cloud.retry_after import read_retry_after
from shared.errors import (
    CloudError,
    Forbidden,
    NoCapacity,
    PoolBusy,
    PoolChanged,
    QuotaExceeded,
    SubnetFull,
    Throttled,
    Transient,
)

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
    "clustercorequotareached": QuotaExceeded,
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
    "missingsubscriptionregistration": CloudError,
}
MISSING_CODES = frozenset({"resourcenotfound", "notfound"})
"""The thing that was asked for does not exist: the context knows what that means."""
PARENT_CODES = frozenset({"resourcegroupnotfound", "parentresourcenotfound", "subscriptionnotfound"})
"""What should hold the thing does not exist."""
REMEDIES = {
    "linkedauthorizationfailed": "grant the app Microsoft.Network/virtualNetworks/subnets/join/action on the subnet",
    "requestdisallowedbypolicy": "an Azure Policy denies it: change the policy, or exempt the resource from it",
    "scopelocked": "a resource lock forbids it: remove the lock",
}
QUOTA_REMEDY = "ask for more quota of the VM family, or choose a smaller VM size"
TOKEN_REMEDY = "Azure does not take the app's token: check its identity and tenant"  # noqa: S105 - no secret


@dataclass(frozen=True, slots=True, kw_only=True)
class CallContext:
    """What we were doing and on what; and what it means, and what a person can do, should Azure refuse."""

    doing: str
    """Such as ``resizing``."""
    target: str
    """Such as ``pool 'web'``."""
    right: str
    """What to grant to the app if it may not do that."""
    missing: type[CloudError] = CloudError
    """The error if Azure does not find the target."""
    remedy: str = ""
    """The way out if Azure does not find the target."""
    conflict: type[CloudError] = CloudError
    """The error for a 409 without a code that says more."""
    parent: "CallContext | None" = None
    """The context of what holds the target, where that may be missing by itself."""

    def __str__(self) -> str:
        """Say it as the start of a message."""
        return f"{self.doing} {self.target}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmError:
    """The error that an answer or an operation carries: its code, its message and every code nested in it."""

    code: str = ""
    message: str = ""
    nested: tuple[str, ...] = ()
    """The deepest first: the deeper a code is nested, the nearer it is to the cause."""

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

    def kind(self, *, missing: type[CloudError], parent: type[CloudError] | None = None) -> type[CloudError] | None:
        """Return what the most specific code that we know means; None if there is none."""
        code = self.telling_code.lower()
        if code in MISSING_CODES:
            return missing
        if code in PARENT_CODES:
            return parent or missing
        return CODES.get(code)

    @property
    def is_operation_not_allowed(self) -> bool:
        """Whether the only thing it tells is AKS's ambiguous code."""
        codes = {code.lower() for code in self.nested}
        return OPERATION_NOT_ALLOWED in codes and not codes & _KNOWN_CODES

    @property
    def telling_code(self) -> str:
        """The code that decides: the deepest known one, or else the outermost."""
        return next((code for code in self.nested if code.lower() in _KNOWN_CODES), self.code)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An answer that said no; without a ``status`` no answer came, and the error's message says what came instead."""

    status: int | None = None
    error: ArmError = field(default_factory=ArmError)
    retry_after: timedelta | None = None

    @classmethod
    def from_answer(cls, status: int, headers: Mapping[str, str], body: object) -> "Refusal":
        """Read an answer that any HTTP client received; ``body`` is its JSON, or anything else if it is none."""
        return cls(status=status, error=ArmError.of(body), retry_after=read_retry_after(headers))

    @classmethod
    def from_exception(cls, exc: AzureError) -> "Refusal":
        """Read what azure-core raised; the body may be none of Azure's, such as a proxy's page."""
        if not isinstance(exc, HttpResponseError) or exc.status_code is None:
            met = "could not reach Azure" if isinstance(exc, ServiceRequestError) else "got no complete answer"
            return cls(error=ArmError(message=f"{met}: {type(exc).__name__}: {exc.message}"))
        response: Any = exc.response
        try:
            body = response.json() if response is not None else None
        except (ValueError, RecursionError, AzureError):
            body = None
        return cls.from_answer(exc.status_code, response.headers if response is not None else {}, body)

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "Refusal":
        """Return what :meth:`to_json` wrote, in another process."""
        wait_s = fields["retry_after_s"]
        error = ArmError(code=fields["code"], message=fields["message"], nested=tuple(fields["nested"]))
        return cls(
            status=fields["status"], error=error, retry_after=None if wait_s is None else timedelta(seconds=wait_s)
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        wait_s = None if self.retry_after is None else self.retry_after.total_seconds()
        error = {"code": self.error.code, "message": self.error.message, "nested": list(self.error.nested)}
        return {"status": self.status, "retry_after_s": wait_s, **error}

    @property
    def is_passing(self) -> bool:
        """Whether the same call may succeed in a moment."""
        return self.status is None or self.status in PASSING_STATUSES


def translate(exc: AzureError, context: CallContext) -> CloudError:
    """Return our error for one of azure-core's; the caller raises it ``from exc``."""
    if isinstance(exc, ClientAuthenticationError) and exc.status_code is None:
        return Forbidden(f"{context}: no identity could sign in: {exc.message}")
    return error_for(Refusal.from_exception(exc), context)


def error_for(refusal: Refusal, context: CallContext) -> CloudError:
    """Return our error for a refusal; the caller raises it ``from`` what it caught."""
    status, error = refusal.status, refusal.error
    if status is None:
        return Transient(f"{context}: {error.message}")
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        wait = refusal.retry_after or DEFAULT_RETRY_AFTER
        msg = f"{context}: Azure asks to wait {wait.total_seconds():.0f} s ({status} {error.code})"
        return Throttled(msg, retry_after=wait, code=error.telling_code)
    if status < HTTPStatus.BAD_REQUEST:
        return Transient(f"{context}: the answer ({status}) could not be read")
    kind = _kind(status, error, context)
    said = ": ".join(part for part in (error.telling_code, error.message) if part)
    remedy = _remedy(kind, status, error, context)
    msg = f"{context} failed ({status}{' ' + said if said else ''})"
    return kind(f"{msg}: {remedy}" if remedy else msg, code=error.telling_code)


@contextmanager
def translate_refusals(context: CallContext) -> Iterator[None]:
    """Translate whatever azure-core raises inside; a body that is not as expected counts as one that never came."""
    try:
        yield
    except AzureError as exc:
        raise translate(exc, context) from exc
    except ValueError as exc:
        msg = f"{context}: the answer is not the JSON that was expected: {exc}"
        raise Transient(msg) from exc


def _kind(status: int, error: ArmError, context: CallContext) -> type[CloudError]:
    parent = context.parent.missing if context.parent else None
    by_code = error.kind(missing=context.missing, parent=parent)
    if by_code is not None:
        return by_code
    if error.is_operation_not_allowed and status != HTTPStatus.CONFLICT:
        return QuotaExceeded
    if status in PASSING_STATUSES:
        return Transient
    by_status: Mapping[int, type[CloudError]] = {
        HTTPStatus.UNAUTHORIZED: Forbidden,
        HTTPStatus.FORBIDDEN: Forbidden,
        HTTPStatus.NOT_FOUND: context.missing,
        HTTPStatus.CONFLICT: context.conflict,
        HTTPStatus.PRECONDITION_FAILED: PoolChanged,  # only writes of pools carry an If-Match
    }
    return by_status.get(status, CloudError)


def _remedy(kind: type[CloudError], status: int, error: ArmError, context: CallContext) -> str:
    code = error.telling_code.lower()
    if status == HTTPStatus.UNAUTHORIZED:
        return TOKEN_REMEDY
    if issubclass(kind, Forbidden):
        return REMEDIES.get(code, f"grant the app {context.right}")
    if issubclass(kind, QuotaExceeded):
        return QUOTA_REMEDY
    if code in PARENT_CODES and context.parent is not None:
        return context.parent.remedy
    return context.remedy if code in MISSING_CODES | PARENT_CODES or status == HTTPStatus.NOT_FOUND else ""


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


_KNOWN_CODES = CODES.keys() | MISSING_CODES | PARENT_CODES
