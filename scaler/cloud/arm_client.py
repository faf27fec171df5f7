"""The AKS client: the SDK's own, with our time-outs and retries, which counts what it asks."""

from http import HTTPStatus
from threading import Lock
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from azure.core.pipeline.policies import ContentDecodePolicy, HTTPPolicy
from azure.core.rest import HttpRequest, HttpResponse
from azure.mgmt.containerservice import ContainerServiceClient

from scaler.cloud.arm_budget import ArmBudget, ArmCall
from shared.cloud.arm_endpoint import ArmAuthentication
from shared.cloud.arm_errors import DEFAULT_RETRY_AFTER
from shared.cloud.http_client import DEFAULT_LIMITS, HttpLimits, policies_of, timeouts_of
from shared.cloud.retry_after import read_retry_after

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.core.pipeline import PipelineRequest, PipelineResponse

    from shared.cloud.arm_endpoint import ArmEndpoint

    Request = PipelineRequest[HttpRequest]
    Response = PipelineResponse[HttpRequest, HttpResponse]


class CountedCalls(HTTPPolicy[HttpRequest, HttpResponse]):
    """Asks the budget before every request, and tells it what a 429 asks for."""

    def __init__(self, budget: ArmBudget) -> None:
        super().__init__()
        self._budget = budget

    def send(self, request: "Request") -> "Response":
        """Send the request if the budget allows it; raises :class:`~shared.errors.Throttled` if not."""
        call = ArmCall(method=request.http_request.method, path=urlsplit(request.http_request.url).path)
        self._budget.take(call)
        response = self.next.send(request)
        if response.http_response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            wait = read_retry_after(response.http_response.headers)
            self._budget.hold(call, wait or DEFAULT_RETRY_AFTER)
        return response


class ArmClients:
    """One client for each subscription, built when it is first needed; safe to share between threads."""

    def __init__(
        self,
        endpoint: "ArmEndpoint",
        credential: "TokenCredential",
        budget: ArmBudget,
        limits: HttpLimits = DEFAULT_LIMITS,
    ) -> None:
        self.endpoint = endpoint
        self._limits = limits
        self._credential = credential
        self._budget = budget
        self._lock = Lock()
        self._clients: dict[str, ContainerServiceClient] = {}

    def of(self, subscription_id: str) -> ContainerServiceClient:
        """Return the client of a subscription; asks for no token until its first call."""
        with self._lock:
            if subscription_id not in self._clients:
                self._clients[subscription_id] = self._built(subscription_id)
            return self._clients[subscription_id]

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            for client in self._clients.values():
                client.close()
            self._clients.clear()

    def _built(self, subscription_id: str) -> ContainerServiceClient:
        """Build a client that, unlike the SDK's own, registers no resource providers in the operator's subscription."""
        counted = CountedCalls(self._budget)
        signed = ArmAuthentication(self._credential, self.endpoint)
        return ContainerServiceClient(
            self._credential,
            subscription_id,
            self.endpoint.url,
            policies=[ContentDecodePolicy(), *policies_of(self._limits, counted, signed)],
            **timeouts_of(self._limits),
        )
