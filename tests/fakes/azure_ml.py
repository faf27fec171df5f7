"""A fake Azure ML workspace, spoken to over HTTPS by the real azureml-core and by our own REST backend.

Written from what azureml-core 1.61 was seen to ask and from learn.microsoft.com/rest/api/azureml. It knows ARM
(subscriptions, workspace, compute, code, environments, jobs, models) and the services of a region (history,
snapshots, execution, metrics, artifacts, models, pipelines). ``faults`` make chosen calls go wrong.
"""

import base64
import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from azure.core.credentials import AccessToken

from tests.fakes.azure_ml_compute import Compute, Run
from tests.fakes.tls_proxy import Answer, Request, TlsProxy

SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
GROUP = "rg"
WORKSPACE = "ws"
CLUSTER = "train-cluster"
REGION = "https://westeurope.api.azureml.ms"
BLOBS = "https://amlstore.blob.core.windows.net"
HOSTS = ("management.azure.com", "*.api.azureml.ms", "*.blob.core.windows.net")
SCOPE = "/subscriptions/[^/]+/resource[gG]roups/[^/]+/providers/Microsoft.MachineLearningServices/workspaces/"
IN_WORKSPACE = rf"{SCOPE}(?P<workspace>[^/]+)"
OPEN = frozenset({"discovery", "msi"})
NOW = "%Y-%m-%dT%H:%M:%S.%fZ"


@dataclass(kw_only=True)
class Fault:
    """The next ``times`` calls of that name are answered with ``status``, hung up on (None), or late."""

    call: str
    status: int | None = 503
    times: int = 1000
    delay_s: float = 0.0
    after: bool = False
    """The call does its work first; only its answer goes wrong."""
    code: str = "Fault"
    headers: Mapping[str, str] = field(default_factory=dict)


class FakeCredential:
    """Hands out tokens that look like Microsoft Entra's."""

    def get_token(self, *scopes: str, **_: object) -> AccessToken:
        expires = int(time.time()) + 3600
        return AccessToken(_token(scopes[0], expires), expires)


class FakeAzureMl:
    """The service; everything it keeps may be looked at."""

    def __init__(self, folder: Path) -> None:
        self.compute = Compute(folder / "nodes", self._context, _now)
        self.clusters = {CLUSTER: 1}
        self.faults: list[Fault] = []
        self.calls: list[str] = []
        self.unknown: list[str] = []
        self.runs: dict[str, Run] = {}
        self.experiments: dict[str, dict[str, Any]] = {}
        self.snapshots: dict[str, Mapping[str, str]] = {}
        self.blobs: dict[str, bytes] = {}
        self.assets: dict[str, Any] = {}
        self.metrics: dict[str, list[Any]] = {}
        self.models: list[dict[str, Any]] = []
        self.lock = threading.RLock()
        self.proxy = TlsProxy(HOSTS, folder, self.answer)

    @contextmanager
    def serving(self) -> Iterator["FakeAzureMl"]:
        with self.proxy.serving():
            try:
                yield self
            finally:
                self.compute.stop()

    def answer(self, request: Request) -> Answer:
        path = f"/blob{request.path}" if request.host.endswith(".blob.core.windows.net") else request.path
        for method, pattern, name, work in ROUTES:
            found = pattern.fullmatch(path) if method == request.method else None
            if found:
                self.calls.append(name)
                return self._faulty(name, partial(self._safely, work, request, found))
        self.unknown.append(f"{request.method} {path}")
        return problem(501, "NotImplemented", f"{request.method} {path}")

    def _faulty(self, name: str, work: Callable[[], Answer]) -> Answer:
        fault = next((fault for fault in self.faults if fault.call in {name, "*"} and fault.times > 0), None)
        if fault is None:
            return work()
        fault.times -= 1
        if fault.delay_s:
            time.sleep(fault.delay_s)
            return work()
        if fault.after:
            work()
        if fault.status is None:
            return Answer(hang_up=True)
        content = problem(fault.status, fault.code, "injected")
        return Answer(status=content.status, body=content.body, headers=fault.headers)

    def _safely(self, work: "Work", request: Request, found: re.Match[str]) -> Answer:
        signed = request.headers.get("authorization", "").startswith("Bearer ")
        if (
            not signed
            and not request.host.endswith(".blob.core.windows.net")
            and request.path.partition("/")[2].partition("/")[0] not in OPEN
        ):
            return problem(401, "InvalidAuthenticationToken", "no token")
        if found.groupdict().get("workspace", WORKSPACE) != WORKSPACE:
            return problem(404, "ResourceNotFound", f"The Resource {request.path} was not found")
        with self.lock:
            return work(self, request, found)

    def start(self, run: Run) -> None:
        self.runs[run.run_id] = run
        self.compute.take(run)

    def experiment(self, name: str) -> dict[str, Any]:
        made: dict[str, Any] = {
            "experimentId": str(uuid.uuid5(uuid.NAMESPACE_URL, name)), "name": name, "description": "",
            "createdUtc": _now(), "tags": {}, "archivedTime": None,
        }  # fmt: skip
        return self.experiments.setdefault(name, made)

    def _context(self, run: Run) -> dict[str, str]:
        """What Azure ML puts into a job's environment, so that ``Run.get_context()`` finds its run."""
        expires = int(time.time()) + 3600
        return {
            "AZUREML_RUN_ID": run.run_id,
            "AZUREML_ARM_SUBSCRIPTION": SUBSCRIPTION,
            "AZUREML_ARM_RESOURCEGROUP": GROUP,
            "AZUREML_ARM_WORKSPACE_NAME": WORKSPACE,
            "AZUREML_ARM_PROJECT_NAME": run.experiment,
            "AZUREML_EXPERIMENT_ID": str(self.experiment(run.experiment)["experimentId"]),
            "AZUREML_WORKSPACE_ID": "11111111-1111-1111-1111-111111111111",
            "AZUREML_SERVICE_ENDPOINT": REGION,
            "AZUREML_DISCOVERY_SERVICE_ENDPOINT": f"{REGION}/discovery",
            "AZUREML_RUN_TOKEN": _token("https://ml.azure.com", expires),
            "AZUREML_RUN_TOKEN_EXPIRY": str(expires),
            **self.proxy.environ,
        }


Work = Callable[[FakeAzureMl, Request, re.Match[str]], Answer]
ROUTES: list[tuple[str, re.Pattern[str], str, Work]] = []


def route(method: str, pattern: str, name: str) -> Callable[[Work], Work]:
    def register(work: Work) -> Work:
        ROUTES.append((method, re.compile(pattern), name, work))
        return work

    return register


def ok(body: Any, status: int = 200) -> Answer:
    return Answer(status=status, body=body)


def problem(status: int, code: str, message: str) -> Answer:
    inner = {"code": code}
    return Answer(status=status, body={"error": {"code": code, "message": message, "innerError": inner}})


def _now() -> str:
    return datetime.now(tz=UTC).strftime(NOW)


def _token(audience: str, expires: int) -> str:
    def part(content: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()

    claims = {"aud": audience, "tid": "00000000-0000-0000-0000-0000000000aa", "exp": expires, "oid": "app"}
    return ".".join((part({"alg": "none", "typ": "JWT"}), part(claims), "c2ln"))


@contextmanager
def fake_azure_ml(folder: Path) -> Iterator[FakeAzureMl]:
    """Serve a fake workspace with all its routes."""
    import tests.fakes.azure_ml_arm  # noqa: PLC0415 - they register themselves, and need this module
    import tests.fakes.azure_ml_region  # noqa: F401, PLC0415

    with FakeAzureMl(folder).serving() as service:
        yield service
