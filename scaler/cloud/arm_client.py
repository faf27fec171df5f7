"""The AKS client: the SDK's own, told never to sleep for a throttle and to count what it asks."""

from datetime import timedelta
from http import HTTPStatus
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from azure.core.pipeline.policies import (
    ContentDecodePolicy,
    DistributedTracingPolicy,
    HTTPPolicy,
    NetworkTraceLoggingPolicy,
    RequestIdPolicy,
    RetryMode,
    RetryPolicy,
    UserAgentPolicy,
)
from azure.core.rest import HttpRequest, HttpResponse
from azure.mgmt.containerservice import ContainerServiceClient
from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy

from scaler.cloud.arm_budget import ArmBudget, ArmCall
from scaler.cloud.arm_errors import PASSING, retry_after_of

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.core.pipeline import PipelineRequest, PipelineResponse
    from azure.core.pipeline.transport import HttpTransport

    from shared.cloud.arm_endpoint import ArmEndpoint

    Request = PipelineRequest[HttpRequest]
    Response = PipelineResponse[HttpRequest, HttpResponse]

CONNECT_TIMEOUT = timedelta(seconds=5)
READ_TIMEOUT = timedelta(seconds=30)
"""A tick serves every pool within minutes: the SDK's five minutes for one answer are too long for that."""


class ReadRetries(RetryPolicy[HttpRequest, HttpResponse]):
    """At most two more tries of a read that failed in passing, half a second apart.

    Never for 429: the SDK would sleep for as long as ``Retry-After`` says and hold up the other pools. Never for a
    write: the next tick decides it afresh.
    """

    def __init__(self) -> None:
        super().__init__(retry_total=2, retry_mode=RetryMode.Fixed, retry_backoff_factor=0.5)

    def is_retry(self, settings: dict[str, Any], response: "PipelineResponse[Any, Any]") -> bool:
        """Retry a read whose status says that it may pass; ``Retry-After`` makes no difference."""
        status = response.http_response.status_code
        return bool(settings["total"]) and response.http_request.method == "GET" and status in PASSING

    def sleep(
        self,
        settings: dict[str, Any],
        transport: "HttpTransport[HttpRequest, HttpResponse]",
        response: "Response | None" = None,  # noqa: ARG002 - its Retry-After is what must not be slept for
    ) -> None:
        """Wait our half second, whatever the service asks."""
        super().sleep(settings, transport)


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
            self._budget.hold(call, retry_after_of(response.http_response))
        return response


class ArmAuthentication(ARMChallengeAuthenticationPolicy):
    """Signs requests in; a token that Azure no longer takes is replaced once, then the 401 stands."""

    def __init__(self, credential: "TokenCredential", endpoint: "ArmEndpoint") -> None:
        super().__init__(credential, endpoint.scope, enable_cae=True)
        self._is_loopback = endpoint.is_loopback

    def on_request(self, request: "Request") -> None:
        """Sign the request; without TLS only to this machine, where a test's server listens."""
        if self._is_loopback:
            request.context.options["enforce_https"] = False
        super().on_request(request)

    def on_challenge(self, request: "Request", response: "Response") -> bool:
        """Answer a 401: with the claims it asks for, or else with one new token."""
        if not super().on_challenge(request, response):
            self.authorize_request(request, *self._scopes)
        return True


class ArmClients:
    """One client for each subscription, built when it is first needed; safe to share between threads."""

    def __init__(
        self,
        endpoint: "ArmEndpoint",
        credential: "TokenCredential",
        budget: ArmBudget,
        *,
        read_timeout: timedelta = READ_TIMEOUT,
    ) -> None:
        self.endpoint = endpoint
        self._read_timeout = read_timeout
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

    def _policies(self) -> list[Any]:
        """What a request passes, in order.

        Unlike the SDK's own list it follows no redirect, logs no request unless asked to, and does not register
        resource providers in the operator's subscription, sleeping until that is done.
        """
        return [
            RequestIdPolicy(),
            UserAgentPolicy("forescale"),
            ContentDecodePolicy(),
            ReadRetries(),
            CountedCalls(self._budget),
            ArmAuthentication(self._credential, self.endpoint),
            NetworkTraceLoggingPolicy(),
            DistributedTracingPolicy(),
        ]

    def _built(self, subscription_id: str) -> ContainerServiceClient:
        return ContainerServiceClient(
            self._credential,
            subscription_id,
            self.endpoint.url,
            policies=self._policies(),
            connection_timeout=CONNECT_TIMEOUT.total_seconds(),
            read_timeout=self._read_timeout.total_seconds(),
        )
