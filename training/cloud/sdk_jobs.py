"""Training jobs through azureml-core (SDK v1), which lives in a process of its own.

The SDK weighs 200 MB in memory, writes to HOME, retries for minutes and cannot be stopped. In its own process
it can be: HOME is a temporary folder, the retries are short, a call that takes too long ends with the process, and the
app that sizes pools never imports it. It ends by itself when nobody asked anything for two minutes.
"""

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.cloud.arm_errors import CallContext, Refusal, error_for, translate_refusals
from shared.cloud.http_client import DEFAULT_LIMITS, HttpLimits
from shared.errors import Transient
from shared.settings import Cloud
from training.cloud.rest_jobs import BASE_IMAGE, PHASES, instant
from training.cloud.workspace import DEADLINE_S, Workspace, job_context, submit_context
from training.ports import Job, JobPhase, JobState
from training.snapshot import Snapshot, python_version

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

SDK_PROCESS = "training.cloud.sdk_process"
AUDIENCES = {
    Cloud.PUBLIC: ("AzureCloud", "https://management.core.windows.net/", "https://ml.azure.com"),
    Cloud.USGOV: ("AzureUSGovernment", "https://management.core.usgovcloudapi.net/", "https://ml.azure.us"),
    Cloud.CHINA: ("AzureChinaCloud", "https://management.core.chinacloudapi.cn/", "https://ml.azure.cn"),
}
"""The SDK's name of each cloud, and the audiences for which it asks for tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SdkOptions:
    """Where jobs go, and how long the SDK may take; ``pipeline`` names a published pipeline to run instead of code."""

    compute: str
    experiment: str
    cloud: Cloud = Cloud.PUBLIC
    pipeline: str | None = None
    deadline_s: float = DEADLINE_S
    limits: HttpLimits = DEFAULT_LIMITS


class SdkJobs:
    """``training.ports.RetrainingJobs`` through azureml-core; safe to share between threads, one call at a time."""

    def __init__(
        self,
        workspace: Workspace,
        credential: "TokenCredential",
        snapshot: Callable[[], Snapshot],
        options: SdkOptions,
        environ: Mapping[str, str],
    ) -> None:
        self._workspace = workspace
        self._credential = credential
        self._snapshot = snapshot
        self._options = options
        self._process = _SdkProcess(environ)

    def submit(self, job: Job) -> None:
        """See :meth:`training.ports.RetrainingJobs.submit`; workspace and cluster are looked at before the SDK is."""
        deadline, context = self._workspace.deadline(), submit_context(job.run_id)
        self._process.warm_up()
        self._workspace.require_compute(self._options.compute, deadline)
        left_s = min(deadline.left_s(str(context)), self._options.deadline_s)
        with tempfile.TemporaryDirectory(prefix="forescale-job-") as folder:
            self._snapshot().write_to(Path(folder))
            arguments = {
                "run_id": job.run_id,
                "tags": dict(job.tags),
                "command": ["python", *job.arguments],
                "environment": dict(job.environment),
                "folder": folder,
                "base_image": BASE_IMAGE,
                "python": python_version(),
            }
            self._call("submit", arguments, context, left_s)

    def state(self, run_id: str) -> JobState:
        """See :meth:`training.ports.RetrainingJobs.state`."""
        context = job_context("reading", run_id)
        found = self._call("state", {"run_id": run_id}, context, self._options.deadline_s)
        return JobState(
            phase=PHASES.get(found["status"], JobPhase.RUNNING),
            detail=found["detail"],
            started_at=instant(found["started_at"]),
            ended_at=instant(found["ended_at"]),
            portal_url=found["portal_url"],
        )

    def cancel(self, run_id: str) -> None:
        """See :meth:`training.ports.RetrainingJobs.cancel`."""
        self._call("cancel", {"run_id": run_id}, job_context("canceling", run_id), self._options.deadline_s)

    def close(self) -> None:
        """End the SDK's process."""
        self._process.close()

    def _call(
        self, operation: str, arguments: Mapping[str, Any], context: CallContext, timeout_s: float
    ) -> dict[str, Any]:
        cloud, *audiences = AUDIENCES[self._options.cloud]
        scopes = {audience: f"{audience.rstrip('/')}/.default" for audience in audiences}
        with translate_refusals(context):
            tokens = {audience: self._credential.get_token(scope).token for audience, scope in scopes.items()}
        asked = {
            "operation": operation,
            "workspace": asdict(self._workspace.name),
            "experiment": self._options.experiment,
            "compute": self._options.compute,
            "pipeline": self._options.pipeline,
            "cloud": cloud,
            "timeouts_s": [self._options.limits.connect.total_seconds(), self._options.limits.read.total_seconds()],
            "tokens": tokens,
            "arguments": arguments,
        }
        answer = self._process.ask(asked, str(context), timeout_s)
        if "error" in answer:
            raise error_for(Refusal.from_json(answer["error"]), context)
        done: dict[str, Any] = answer["done"]
        return done


class _SdkProcess:
    """The process that holds the SDK: a line of JSON in, a line of JSON out; started when it is needed."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._lock = threading.Lock()
        self._running: _Running | None = None

    def warm_up(self) -> None:
        """Start the process if it does not run, without waiting: it imports the SDK while others work."""
        with self._lock:
            self._started()

    def ask(self, asked: Mapping[str, Any], doing: str, timeout_s: float) -> dict[str, Any]:
        """Ask one thing; raises :class:`~shared.errors.Transient` if no answer comes in time, and ends the process."""
        with self._lock:
            running = self._started()
            try:
                answer = running.ask(asked, timeout_s)
            except (TimeoutError, OSError) as exc:
                ending = running.last_words
                self.close()
                msg = f"{doing}: Azure ML gave no answer within {timeout_s:.0f} s{ending}"
                raise Transient(msg) from exc
            if answer.pop("last", False):
                self.close()  # it is about to end, and must not be asked anything more
            return answer

    def _started(self) -> "_Running":
        if self._running is None or self._running.has_ended:
            self.close()
            self._running = _Running(self._environ)
        return self._running

    def close(self) -> None:
        """End the process if there is one."""
        if self._running is not None:
            self._running.close()
            self._running = None


class _Running:
    """One running process, its temporary home, and a thread that reads what it answers."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._home = tempfile.TemporaryDirectory(prefix="forescale-azureml-")
        self._log_path = Path(self._home.name) / "log.txt"
        (Path(self._home.name) / ".azureml").mkdir()
        own = {"HOME": self._home.name, "TMPDIR": self._home.name, "PYTHONPATH": os.pathsep.join(sys.path)}
        with self._log_path.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-W", "ignore", "-m", SDK_PROCESS],
                env={**_SHORT_RETRIES, **environ, **own},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._answers: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def has_ended(self) -> bool:
        """Whether it is gone."""
        return self._process.poll() is not None

    @property
    def last_words(self) -> str:
        """The last line of its log, if it ended by itself."""
        if not self.has_ended:
            return ""
        lines = self._log_path.read_text(errors="replace").strip().splitlines()
        return f" (its process ended: {lines[-1] if lines else 'without a word'})"

    def ask(self, asked: Mapping[str, Any], timeout_s: float) -> dict[str, Any]:
        """Raises ``TimeoutError``, or ``OSError`` if the process is gone."""
        assert self._process.stdin is not None  # noqa: S101 - a pipe was asked for
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        try:
            line = self._answers.get(timeout=timeout_s)
        except queue.Empty:
            raise TimeoutError from None
        if not line:
            self._process.wait(timeout=5)
            raise BrokenPipeError
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End it at once: what it was doing is either done or was never accepted."""
        self._process.kill()
        self._process.wait()
        self._reader.join(timeout=5)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue
        self._home.cleanup()

    def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - a pipe was asked for
        for line in self._process.stdout:
            self._answers.put(line)
        self._answers.put("")


_SHORT_RETRIES = {
    "AZUREML_DEFAULT_BACKOFF": "1",
    "AZUREML_DEFAULT_RETRIES": "1",
    "AZUREML_DEFAULT_500_BACKOFF": "1",
    "AZUREML_DEFAULT_503_BACKOFF": "1",
}
"""The SDK reads these when it is imported; its own waits are 32 s and more."""
