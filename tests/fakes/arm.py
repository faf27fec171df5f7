"""Azure Resource Manager on a loopback port: real HTTP for the real SDK, with time, rights, throttles and faults."""

import json
import re
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import RLock, Thread
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, urlsplit

from azure.core.credentials import AccessToken, AccessTokenInfo, TokenRequestOptions

from tests.fakes.arm_cluster import Body, FakeCluster, FakePool, Refused
from tests.fakes.arm_faults import Fault, FaultPlan
from tests.fakes.arm_schema import API_VERSION
from tests.fakes.clock import FakeClock

if TYPE_CHECKING:
    from datetime import datetime

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
ALL_RIGHTS: tuple[Body, ...] = ({"actions": ["*"], "notActions": []},)
LEAST_RIGHTS: tuple[Body, ...] = (
    {
        "actions": [
            "Microsoft.ContainerService/managedClusters/read",
            "Microsoft.ContainerService/managedClusters/agentPools/read",
            "Microsoft.ContainerService/managedClusters/agentPools/write",
        ],
        "notActions": [],
    },
)
BURSTS = {"GET": (250, 25.0), "PUT": (200, 10.0), "pool": (20, 1 / 60)}
"""Calls at once and calls a second more: reads and writes of a subscription, and writes of one pool."""


@dataclass(slots=True)
class Asked:
    """One request, as it came in."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


@dataclass(slots=True)
class Answer:
    status: int
    body: object
    headers: dict[str, str] = field(default_factory=dict)


class FakeCredential:
    """Signs in: a new token each time it is asked."""

    def __init__(self) -> None:
        self.issued: list[str] = []
        self.scopes: set[str] = set()

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:  # noqa: ANN401 - the SDK's signature
        told = self.get_token_info(*scopes)
        return AccessToken(told.token, told.expires_on)

    def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:  # noqa: ARG002
        self.scopes.update(scopes)
        self.issued.append(f"token-{len(self.issued) + 1}")
        return AccessTokenInfo(self.issued[-1], int(time.time()) + 3600)


class FakeArm:
    """The server; ``with FakeArm(clock) as arm: …`` starts and stops it."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.clusters: dict[str, FakeCluster] = {}
        self.faults = FaultPlan()
        self.rights = ALL_RIGHTS
        self.refused_tokens: set[str] = set()
        self.takes_tokens = True
        self.slow_s = 0.5
        self.usages: list[Body] = []
        self.sizes: list[Body] = []
        self.log: list[tuple[str, str]] = []
        self.instead: dict[str, deque[Answer]] = {}
        self.lock = RLock()
        self._buckets: dict[str, tuple[float, datetime]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def cluster(self, name: str = "shop") -> FakeCluster:
        """Return the cluster of that name, made if needed."""
        found = self.clusters.setdefault(name.lower(), FakeCluster(SUBSCRIPTION, "rg-shop", name))
        found.settle(self.clock())
        return found

    def answer_next(self, method: str, *answers: Answer) -> None:
        """Let the next requests of that method have these answers, and no effect."""
        self.instead.setdefault(method, deque()).extend(answers)

    def asked(self, method: str, ending: str = "") -> int:
        """Count the requests that came in."""
        return sum(1 for verb, path in self.log if verb == method and path.endswith(ending))

    def answer(self, asked: Asked, fault: Fault | None) -> Answer:
        """Answer one request, in its turn."""
        try:
            self._admit(asked)
            route, found = _route(asked)
            self._refuse_without(route.right(asked.method), asked)
            for cluster in self.clusters.values():
                cluster.settle(self.clock())
            return route.serve(self, asked, fault, **found)
        except Refused as refusal:
            return Answer(refusal.status, refusal.body)

    def _admit(self, asked: Asked) -> None:
        token = asked.headers.get("authorization", "").removeprefix("Bearer ")
        if not self.takes_tokens or not token or token in self.refused_tokens:
            raise Refused(401, "ExpiredAuthenticationToken", "The access token has expired.", subcode=None)
        if not asked.query.get("api-version"):
            raise Refused(400, "MissingApiVersionParameter", "The api-version is missing.", subcode=None)

    def _refuse_without(self, right: str, asked: Asked) -> None:
        if not any(_grants(role, right) for role in self.rights):
            msg = f"no authorization to perform action '{right}' over scope '{asked.path}'"
            raise Refused(403, "AuthorizationFailed", msg, subcode=None)

    def throttle(self, asked: Asked) -> Answer | None:
        """Draw from the buckets as Azure does; return a 429 when one is empty."""
        names = ["pool " + asked.path, "PUT"] if asked.method == "PUT" else ["GET"]
        for name in names:
            burst, per_s = BURSTS[name.split(" ", maxsplit=1)[0]]
            tokens, at = self._buckets.get(name, (float(burst), self.clock()))
            tokens = min(float(burst), tokens + (self.clock() - at).total_seconds() * per_s)
            if tokens < 1:
                return throttled(int((1 - tokens) / per_s) + 1)
            self._buckets[name] = (tokens - 1, self.clock())
        return None

    def throttle_of(self, resource_id: str) -> Answer | None:
        """Count one write of a resource."""
        return self.throttle(Asked("PUT", resource_id, {}, {}, b""))

    def pool(self, cluster: str, name: str) -> FakePool:
        """Return a pool, or refuse as Resource Manager does."""
        if cluster.lower() not in self.clusters:
            raise Refused(404, "ResourceNotFound", f"managedClusters/{cluster} was not found", subcode=None)
        pools = self.clusters[cluster.lower()].pools
        if name not in pools:
            raise Refused(404, "NotFound", f"Could not find agent pool {name}")
        return pools[name]


def throttled(after_s: int) -> Answer:
    body = Refused(429, "Throttled", "The PutAgentPoolHandler.PUT request limit has been exceeded").body
    return Answer(429, body, {"Retry-After": str(after_s)})


Serve = Callable[..., Answer]


@dataclass(frozen=True, slots=True)
class Route:
    pattern: re.Pattern[str]
    rights: Mapping[str, str]
    serve: Serve

    def right(self, method: str) -> str:
        if method not in self.rights:
            raise Refused(405, "MethodNotAllowed", method, subcode=None)
        return self.rights[method]


def _serve_pool(arm: FakeArm, asked: Asked, fault: Fault | None, cluster: str, pool: str) -> Answer:
    found = arm.pool(cluster, pool)
    if asked.query["api-version"] != [API_VERSION]:
        raise Refused(400, "NoRegisteredProviderFound", str(asked.query), subcode=None)
    if asked.method == "GET":
        return Answer(200, found.body(), {"ETag": found.etag} if found.etag else {})
    return _put(arm, asked, fault, (arm.clusters[cluster.lower()], found))


def _put(arm: FakeArm, asked: Asked, fault: Fault | None, target: tuple[FakeCluster, FakePool]) -> Answer:
    cluster, pool = target
    match fault:
        case Fault.BUSY:
            if not pool.is_at_work:
                cluster.start_own_operation(pool, arm.clock())
        case Fault.OVER_QUOTA:
            raise Refused(409, "OperationNotAllowed", "It results in exceeding quota limits of Core.")
        case Fault.PREEMPTED:
            raise Refused(409, "AKSOperationPreempted", "This operation has been preempted by another one.")
        case Fault.ETAG:
            raise Refused(412, "EtagMismatch", "the etag is not the pool's", subcode="PutAgentPool_FailedPrecondition")
        case _:
            pass
    operation = cluster.put(pool, json.loads(asked.body), asked.headers.get("if-match"), arm.clock())
    if fault is Fault.OPERATION_FAILS:
        operation.error = {"code": "AllocationFailed", "message": "no capacity"}
    location = f"{arm.url}/subscriptions/{cluster.subscription}/providers/Microsoft.ContainerService"
    where = f"{location}/locations/{cluster.location}/operations/{operation.name}?api-version=2016-03-30&t=signed"
    return Answer(201, pool.body(), {"Azure-AsyncOperation": where, "Retry-After": "30"})


def _serve_pools(arm: FakeArm, asked: Asked, fault: Fault | None, cluster: str) -> Answer:  # noqa: ARG001
    if cluster.lower() not in arm.clusters:
        raise Refused(404, "ResourceNotFound", f"managedClusters/{cluster} was not found", subcode=None)
    return Answer(200, {"value": [pool.body() for pool in arm.clusters[cluster.lower()].pools.values()]})


def _serve_cluster(arm: FakeArm, asked: Asked, fault: Fault | None, cluster: str) -> Answer:  # noqa: ARG001
    if cluster.lower() not in arm.clusters:
        raise Refused(404, "ResourceNotFound", f"managedClusters/{cluster} was not found", subcode=None)
    return Answer(200, arm.clusters[cluster.lower()].body(arm.clock()))


def _serve_operation(arm: FakeArm, asked: Asked, fault: Fault | None, operation: str) -> Answer:  # noqa: ARG001
    known = {name: found for cluster in arm.clusters.values() for name, found in cluster.operations.items()}
    if operation not in known:
        raise Refused(404, "NotFound", f"no operation {operation}")
    return Answer(200, known[operation].body(arm.clock()))


def _serve_permissions(arm: FakeArm, asked: Asked, fault: Fault | None, cluster: str, pool: str) -> Answer:  # noqa: ARG001
    return Answer(200, {"value": list(arm.rights)})


def _serve_usages(arm: FakeArm, asked: Asked, fault: Fault | None) -> Answer:  # noqa: ARG001
    return Answer(200, {"value": arm.usages})


def _serve_sizes(arm: FakeArm, asked: Asked, fault: Fault | None) -> Answer:  # noqa: ARG001
    return Answer(200, {"value": arm.sizes})


CLUSTER = (
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.ContainerService/managedClusters/(?P<cluster>[^/]+)"
)
POOL = CLUSTER + r"/agentPools/(?P<pool>[^/]+)"
AKS = "Microsoft.ContainerService/"
ROUTES = (
    Route(re.compile(CLUSTER, re.IGNORECASE), {"GET": f"{AKS}managedClusters/read"}, _serve_cluster),
    Route(
        re.compile(CLUSTER + "/agentPools", re.IGNORECASE),
        {"GET": f"{AKS}managedClusters/agentPools/read"},
        _serve_pools,
    ),
    Route(
        re.compile(POOL, re.IGNORECASE),
        {"GET": f"{AKS}managedClusters/agentPools/read", "PUT": f"{AKS}managedClusters/agentPools/write"},
        _serve_pool,
    ),
    Route(
        re.compile(POOL + "/providers/Microsoft.Authorization/permissions", re.IGNORECASE),
        {"GET": "Microsoft.Authorization/permissions/read"},
        _serve_permissions,
    ),
    Route(
        re.compile(rf"/subscriptions/[^/]+/providers/{AKS}locations/[^/]+/operations/(?P<operation>[^/]+)"),
        {"GET": f"{AKS}locations/operations/read"},
        _serve_operation,
    ),
    Route(
        re.compile(r"/subscriptions/[^/]+/providers/Microsoft.Compute/locations/[^/]+/usages"),
        {"GET": "Microsoft.Compute/locations/usages/read"},
        _serve_usages,
    ),
    Route(
        re.compile(r"/subscriptions/[^/]+/providers/Microsoft.Compute/skus"),
        {"GET": "Microsoft.Compute/skus/read"},
        _serve_sizes,
    ),
)


def _route(asked: Asked) -> tuple[Route, dict[str, str]]:
    for route in ROUTES:
        found = route.pattern.fullmatch(asked.path)
        if found is not None:
            return route, found.groupdict()
    raise Refused(404, "InvalidResourceType", asked.path, subcode=None)


def _grants(role: Body, action: str) -> bool:
    def covers(patterns: list[str]) -> bool:
        return any(fnmatch(action.lower(), pattern.lower()) for pattern in patterns)

    return covers(role["actions"]) and not covers(role["notActions"])


def _handler(arm: FakeArm) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._serve()

        def do_PUT(self) -> None:
            self._serve()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked = Asked(
                self.command,
                parts.path,
                parse_qs(parts.query),
                {name.lower(): value for name, value in self.headers.items()},
                body,
            )
            with arm.lock:
                arm.log.append((asked.method, asked.path))
                fault = arm.faults.draw(asked.method)
                waiting = arm.instead.get(asked.method)
                answer = waiting.popleft() if waiting else _instead(arm, asked, fault)
                answer = answer or arm.throttle(asked) or arm.answer(asked, fault)
            if fault is Fault.SLOW:
                time.sleep(arm.slow_s)
            self._send(answer, fault)

        def _send(self, answer: Answer, fault: Fault | None) -> None:
            data = json.dumps(answer.body).encode() if not isinstance(answer.body, bytes) else answer.body
            if fault is Fault.MALFORMED:
                data = data[: len(data) // 2]
            headers = {"Content-Type": "application/json"} | answer.headers | {"Content-Length": str(len(data))}
            lines = [f"HTTP/1.1 {answer.status} Fake", *(f"{name}: {value}" for name, value in headers.items())]
            raw = "\r\n".join(lines).encode() + b"\r\n\r\n" + data
            if fault in {Fault.RESET, Fault.RESET_IN_BODY}:
                self.wfile.write(b"" if fault is Fault.RESET else raw[: -len(data) // 2])
                self.close_connection = True
                return
            self.wfile.write(raw)

    return Handler


def _instead(arm: FakeArm, asked: Asked, fault: Fault | None) -> Answer | None:
    """Answer for the faults that keep a request from being served at all."""
    match fault:
        case Fault.THROTTLED:
            return throttled(90)
        case Fault.UNAVAILABLE:
            return Answer(503, {"error": {"code": "ServerTimeout", "message": "try again"}}, {"Retry-After": "60"})
        case Fault.PROXY_PAGE:
            return Answer(502, b"<html>Bad gateway</html>", {"Content-Type": "text/html"})
        case Fault.EXPIRED_TOKEN:
            arm.refused_tokens.add(asked.headers.get("authorization", "").removeprefix("Bearer "))
            body = {"error": {"code": "ExpiredAuthenticationToken", "message": "The access token has expired."}}
            challenge = 'Bearer authorization_uri="https://login.test/", error="invalid_token"'
            return Answer(401, body, {"WWW-Authenticate": challenge})
        case Fault.CHANGED_BY_OTHERS:
            name = asked.path.rsplit("/", maxsplit=1)[-1]
            for cluster in arm.clusters.values():
                pool = cluster.pools.get(name)
                if pool is not None and pool.resource_id.lower() == asked.path.lower() and not pool.is_at_work:
                    pool.change_by_others()
            return None
        case _:
            return None
