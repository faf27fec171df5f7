"""Turns what Azure ML refuses into our errors: by status and error code, never by wording."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus

from shared.errors import (
    CloudError,
    ComputeNotFound,
    Forbidden,
    JobNotFound,
    QuotaExceeded,
    Throttled,
    Transient,
    WorkspaceNotFound,
)

PASSING = frozenset({408, 500, 502, 503, 504})
"""Statuses of a fault on the way or inside the service, which the next call may not meet."""
DEFAULT_RETRY_AFTER = timedelta(seconds=60)
ROLE = "AzureML Data Scientist"
"""The built-in role that may submit, read and cancel jobs.

Source: learn.microsoft.com/azure/role-based-access-control/built-in-roles/ai-machine-learning.
"""
QUOTA_CODES = frozenset({"quotaexceeded", "clustercorequotareached", "operationnotallowed", "resourcequotaexceeded"})
WORKSPACE_CODES = frozenset({"resourcegroupnotfound", "subscriptionnotfound", "parentresourcenotfound"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the service answered to a call that failed; no status: no answer came at all."""

    status: int | None = None
    code: str = ""
    message: str = ""
    retry_after_s: float | None = None

    @property
    def passing(self) -> bool:
        """Whether the same call may succeed in a moment."""
        return self.status is None or self.status in PASSING


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """What we were doing, and what it means if Azure ML does not find it."""

    doing: str
    missing: type[CloudError] = CloudError
    remedy: str = ""


def translated(answer: Answer, errand: Errand) -> CloudError:
    """Return our error for a refused call; the caller raises it ``from`` what it caught."""
    if answer.status is None:
        return Transient(f"{errand.doing}: Azure ML gave no answer ({answer.message})")
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        wait = timedelta(seconds=answer.retry_after_s) if answer.retry_after_s else DEFAULT_RETRY_AFTER
        msg = f"{errand.doing}: Azure ML asks to wait {wait.total_seconds():.0f} s ({answer.status})"
        return Throttled(msg, retry_after=wait, code=answer.code)
    kind, remedy = _kind(answer, errand)
    said = ": ".join(part for part in (answer.code, answer.message) if part)
    msg = f"{errand.doing} failed ({answer.status}{' ' + said if said else ''})"
    return kind(f"{msg}: {remedy}" if remedy else msg, code=answer.code)


def error_in(body: object) -> tuple[str, str]:
    """Return code and message of an error body, as ARM and Azure ML's own services write it; empty if it is none."""
    error = body.get("error", body) if isinstance(body, Mapping) else None
    if not isinstance(error, Mapping):
        return "", ""
    inner = error.get("innerError") or error.get("innererror")
    code = inner.get("code") if isinstance(inner, Mapping) else None
    return str(code or error.get("code") or ""), str(error.get("message") or "")


def seconds_in(header: str | None) -> float | None:
    """Return a ``Retry-After`` given in seconds; None for a date or nothing."""
    return float(header) if header and header.isdigit() else None


def _kind(answer: Answer, errand: Errand) -> tuple[type[CloudError], str]:
    status, code = answer.status, answer.code.lower()
    if code in QUOTA_CODES:
        return QuotaExceeded, "ask for more quota of the cluster's VM family, or use a smaller VM size"
    if status == HTTPStatus.UNAUTHORIZED:
        return Forbidden, "Azure ML does not take the app's token: check its identity and its tenant"
    if status == HTTPStatus.FORBIDDEN:
        return Forbidden, f"grant the app's identity the role {ROLE!r} on the workspace"
    if status == HTTPStatus.NOT_FOUND and code in WORKSPACE_CODES:
        return WorkspaceNotFound, _SETTINGS
    if status == HTTPStatus.NOT_FOUND:
        return errand.missing, errand.remedy
    return (Transient if answer.passing else CloudError), ""


_SETTINGS = "check FORESCALE_AML_SUBSCRIPTION_ID, FORESCALE_AML_RESOURCE_GROUP and FORESCALE_AML_WORKSPACE"


def of_workspace(name: str) -> Errand:
    """Return the errand of reading the workspace."""
    return Errand(doing=f"reading workspace {name!r}", missing=WorkspaceNotFound, remedy=_SETTINGS)


def of_compute(name: str) -> Errand:
    """Return the errand of reading the compute cluster."""
    remedy = f"create a compute cluster {name!r} with at least 0 to 1 nodes, or set FORESCALE_AML_COMPUTE to one"
    return Errand(doing=f"reading compute cluster {name!r}", missing=ComputeNotFound, remedy=remedy)


def of_submitting(run_id: str) -> Errand:
    """Return the errand of starting a job."""
    return Errand(doing=f"submitting job {run_id}")


def of_job(doing: str, run_id: str) -> Errand:
    """Return the errand of asking about a job that should be there."""
    return Errand(doing=f"{doing} job {run_id}", missing=JobNotFound)
