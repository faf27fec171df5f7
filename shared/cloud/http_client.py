"""How Forescale speaks HTTP to Azure and to metrics: one set of time-outs and retries; every wait has an end."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from azure.core import PipelineClient
from azure.core.exceptions import AzureError, ClientAuthenticationError
from azure.core.pipeline.policies import (
    DistributedTracingPolicy,
    HeadersPolicy,
    HTTPPolicy,
    NetworkTraceLoggingPolicy,
    RequestIdPolicy,
    UserAgentPolicy,
)
from azure.core.rest import HttpRequest, HttpResponse

from shared.cloud.retry_after import read_retry_after
from shared.version import VERSION

if TYPE_CHECKING:
    from azure.core.pipeline import PipelineRequest, PipelineResponse

    Request = PipelineRequest[HttpRequest]
    Response = PipelineResponse[HttpRequest, HttpResponse]

USER_AGENT = f"forescale/{VERSION}"
PASSING_STATUSES = frozenset({408, 500, 502, 503, 504})
"""A fault on the way or inside the service, which the next call may not meet. A 429 is none: its caller must wait."""
READS = frozenset({"GET", "HEAD"})
IS_READ = "is_read"
"""Option of a request that changes nothing although its method is none of ``READS``, such as a query by POST."""
TIME_LEFT_S = "time_left_s"
"""Option of a request: a function that returns the seconds left for it, and raises when there are none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """How long one call may take, and how often a read is tried."""

    connect: timedelta = timedelta(seconds=5)
    read: timedelta = timedelta(seconds=20)
    """From sending the request to the first byte of the answer, and from byte to byte."""
    retries: int = 2
    pause: timedelta = timedelta(seconds=0.5)
    """Between two tries."""
    longest_pause: timedelta = timedelta(seconds=5)
    """Most that is slept for a ``Retry-After``: a tick has other pools to serve, and the next tick asks again."""

    @property
    def longest(self) -> timedelta:
        """The longest that a read of a server that does not answer takes, all tries together."""
        tries = self.retries + 1
        return tries * (self.connect + self.read) + self.retries * max(self.pause, self.longest_pause)

    def within(self, left_s: float) -> "HttpLimits":
        """Return these limits, with no step longer than ``left_s``."""
        left = timedelta(seconds=left_s)
        return replace(self, connect=min(self.connect, left), read=min(self.read, left))


DEFAULT_LIMITS = HttpLimits()


class ReadRetries(HTTPPolicy[HttpRequest, HttpResponse]):
    """Tries a read again that failed in passing; never a write, which the next tick decides afresh.

    Never for 429 either: whoever calls has to know of it, and to leave the service alone for longer than we would wait.
    """

    def __init__(self, limits: HttpLimits) -> None:
        super().__init__()
        self._limits = limits

    def send(self, request: "Request") -> "Response":
        """Send the request, with pauses between the tries; the last answer or error stands."""
        options = request.context.options
        is_read = bool(options.pop(IS_READ, request.http_request.method in READS))
        time_left_s: Callable[[], float] | None = options.pop(TIME_LEFT_S, None)
        for _ in range(self._limits.retries if is_read else 0):
            pause = self._limits.pause
            try:
                response = self._send(request, time_left_s)
            except ClientAuthenticationError:
                raise
            except AzureError:
                pass
            else:
                if response.http_response.status_code not in PASSING_STATUSES:
                    return response
                asked = read_retry_after(response.http_response.headers) or pause
                pause = max(pause, min(asked, self._limits.longest_pause))
            time.sleep(pause.total_seconds())
        return self._send(request, time_left_s)

    def _send(self, request: "Request", time_left_s: Callable[[], float] | None) -> "Response":
        if time_left_s is not None:
            request.context.options.update(timeouts_of(self._limits.within(time_left_s())))
        return self.next.send(request)


def policies_of(limits: HttpLimits, *each_try: Any) -> list[Any]:  # noqa: ANN401 - the SDK has two unrelated kinds
    """Return what a request passes, in order; ``each_try`` (sign-in, counting) is passed again by every try.

    Unlike the SDK's own list it follows no redirect and logs no request unless asked to.
    """
    return [
        RequestIdPolicy(),
        HeadersPolicy(),
        UserAgentPolicy(USER_AGENT),
        ReadRetries(limits),
        *each_try,
        NetworkTraceLoggingPolicy(),
        DistributedTracingPolicy(),
    ]


def timeouts_of(limits: HttpLimits) -> dict[str, Any]:
    """Return the time-outs as the SDK's clients take them."""
    return {"connection_timeout": limits.connect.total_seconds(), "read_timeout": limits.read.total_seconds()}


def http_client(
    base_url: str,
    *each_try: Any,  # noqa: ANN401 - as above
    limits: HttpLimits = DEFAULT_LIMITS,
) -> PipelineClient[HttpRequest, HttpResponse]:
    """Return a client of one service; errors of its calls are azure-core's, answers of any status are returned."""
    return PipelineClient(base_url, policies=policies_of(limits, *each_try), **timeouts_of(limits))
