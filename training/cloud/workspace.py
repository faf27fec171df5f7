"""An Azure ML workspace seen through Resource Manager: plain REST over azure-core's pipeline, no second SDK."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from azure.core.exceptions import AzureError
from azure.core.rest import HttpRequest, HttpResponse

from shared.cloud.arm_endpoint import ArmAuthentication
from shared.cloud.arm_errors import CallContext, Refusal, error_for, translate
from shared.cloud.http_client import DEFAULT_LIMITS, TIME_LEFT_S, HttpLimits, http_client
from shared.errors import CloudError, ComputeNotFound, JobNotFound, QuotaExceeded, Transient, WorkspaceNotFound

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

    from shared.cloud.arm_endpoint import ArmEndpoint

API_VERSION = "2025-09-01"
"""learn.microsoft.com/rest/api/azureml: a stable version, which the sovereign clouds have as well."""
ROLE = "the role 'AzureML Data Scientist' on the workspace"
"""The built-in role that may submit, read and cancel jobs.

Source: learn.microsoft.com/azure/role-based-access-control/built-in-roles/ai-machine-learning.
"""
_SETTINGS = "check FORESCALE_AML_SUBSCRIPTION_ID, FORESCALE_AML_RESOURCE_GROUP and FORESCALE_AML_WORKSPACE"
DEADLINE_S = 75
"""The longest that submitting may take, so that the HTTP caller (who is cut off at 230 s) hears of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceName:
    """Which workspace."""

    subscription_id: str
    resource_group: str
    name: str

    @property
    def path(self) -> str:
        """Its Resource Manager path."""
        return (
            f"/subscriptions/{quote(self.subscription_id)}/resourceGroups/{quote(self.resource_group)}"
            f"/providers/Microsoft.MachineLearningServices/workspaces/{quote(self.name)}"
        )


class Deadline:
    """Time that is left for an operation of several calls; ``monotonic`` returns seconds and never steps back."""

    def __init__(self, monotonic: Callable[[], float], seconds: float) -> None:
        self._monotonic = monotonic
        self._until = monotonic() + seconds

    def left_s(self, doing: str) -> float:
        """Return the seconds left; raises :class:`~shared.errors.Transient` when there are none."""
        left_s = self._until - self._monotonic()
        if left_s <= 0:
            msg = f"{doing}: Azure ML is too slow, the time for it is used up"
            raise Transient(msg)
        return left_s


class Workspace:
    """Calls to one workspace; safe to share between threads."""

    def __init__(
        self,
        name: WorkspaceName,
        endpoint: "ArmEndpoint",
        credential: "TokenCredential",
        *,
        monotonic: Callable[[], float],
        limits: HttpLimits = DEFAULT_LIMITS,
    ) -> None:
        self.name = name
        self._base = endpoint.url
        self._monotonic = monotonic
        self._client = http_client(endpoint.url, ArmAuthentication(credential, endpoint), limits=limits)

    def deadline(self) -> Deadline:
        """Start the time for one operation."""
        return Deadline(self._monotonic, DEADLINE_S)

    def require_compute(self, compute: str, deadline: Deadline) -> None:
        """See that the workspace and its compute cluster are there and can run a job.

        Raises :class:`~shared.errors.WorkspaceNotFound`, :class:`~shared.errors.ComputeNotFound`,
        :class:`~shared.errors.QuotaExceeded` and the errors of every call.
        """
        self.call("GET", "", workspace_context(self.name.name), deadline)
        context = compute_context(compute)
        found = self.call("GET", f"/computes/{quote(compute)}", context, deadline)
        about = found.get("properties", {})
        if about.get("provisioningState") == "Failed":
            msg = f"compute cluster {compute!r} failed to be provisioned: {context.remedy}"
            raise ComputeNotFound(msg)
        scale = (about.get("properties") or {}).get("scaleSettings") or {}
        if scale and not scale.get("maxNodeCount"):
            msg = f"compute cluster {compute!r} may have no nodes: raise its maximum to 1"
            raise QuotaExceeded(msg)

    def call(
        self, method: str, path: str, context: CallContext, deadline: Deadline, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:  # fmt: skip
        """Make one call below the workspace's path and return its JSON; a read that fails in passing is tried again."""
        url = f"{self._base}{self.name.path}{path}?api-version={API_VERSION}"
        request = HttpRequest(method, url, json=body) if body is not None else HttpRequest(method, url)
        options: dict[str, Any] = {TIME_LEFT_S: lambda: deadline.left_s(str(context))}
        try:
            response = self._client.send_request(request, **options)
        except AzureError as exc:
            raise translate(exc, context) from exc
        body = _json(response)
        if response.status_code >= HTTPStatus.BAD_REQUEST:
            raise error_for(Refusal.from_answer(response.status_code, response.headers, body), context)
        return body


def workspace_context(name: str) -> CallContext:
    """Return the context of reading the workspace."""
    return CallContext(
        doing="reading", target=f"workspace {name!r}", right=ROLE, missing=WorkspaceNotFound, remedy=_SETTINGS
    )


def compute_context(name: str) -> CallContext:
    """Return the context of reading the compute cluster."""
    return CallContext(
        doing="reading",
        target=f"compute cluster {name!r}",
        right=ROLE,
        missing=ComputeNotFound,
        remedy=f"create a compute cluster {name!r} with at least 0 to 1 nodes, or set FORESCALE_AML_COMPUTE to one",
        parent=workspace_context(""),
    )


def job_context(doing: str, run_id: str, *, missing: type[CloudError] = JobNotFound) -> CallContext:
    """Return the context of asking about a job that should be there."""
    return CallContext(doing=doing, target=f"job {run_id}", right=ROLE, missing=missing, parent=workspace_context(""))


def submit_context(run_id: str) -> CallContext:
    """Return the context of starting a job; what is then not found is something that the job needs."""
    return job_context("submitting", run_id, missing=CloudError)


def _json(response: HttpResponse) -> dict[str, Any]:
    try:
        body = response.json()
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}
