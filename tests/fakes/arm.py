"""Azure Resource Manager on a loopback port: real HTTP for the real SDK, with time, rights, throttles and faults."""

import json
import time
from collections import deque
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import RLock, Thread
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, urlsplit

from azure.core.credentials import AccessToken, AccessTokenInfo, TokenRequestOptions

from tests.fakes.arm_answers import Answer, Asked, throttled
from tests.fakes.arm_cluster import Body, FakeCluster, FakePool, Refused
from tests.fakes.arm_faults import Fault, FaultPlan
from tests.fakes.arm_routes import route_of
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


class FakeCredential:
    """Signs in: a new token each time it is asked."""

    def __init__(self) -> None:
        self.issued: list[str] = []
        self.scopes: set[str] = set()

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        token = self.get_token_info(*scopes)
        return AccessToken(token.token, token.expires_on)

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
        self.pages: dict[str, Answer] = {}
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
            first_page = self.pages.get(asked.path.rsplit("/", maxsplit=1)[-1])
            if first_page is not None and "page" not in asked.query:
                return first_page
            route, found = route_of(asked)
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

        def do_POST(self) -> None:
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
