"""The two Azure ML backends of training, pointed at the fake service, and a tiny app for their jobs to run."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shared.cloud.arm_endpoint import arm_endpoint
from shared.settings import Settings
from tests.fakes.azure_ml import CLUSTER, GROUP, SUBSCRIPTION, WORKSPACE, FakeAzureMl, FakeCredential
from training.cloud.rest_jobs import RestJobs
from training.cloud.sdk_jobs import SdkJobs, SdkOptions
from training.cloud.workspace import Workspace, WorkspaceName
from training.ports import JobState, RetrainingJobs
from training.snapshot import Snapshot, snapshot_of

TINY_TRAINING = """
import os, sys, time
pool = sys.argv[sys.argv.index("--pool") + 1]
with open(os.environ["STARTED_LOG"], "a") as log:
    log.write(pool + "\\n")
if pool == "long":
    time.sleep(120)
sys.exit(3 if pool == "broken" else 0)
"""

NO_WAITS = dict.fromkeys(("AZUREML_DEFAULT_BACKOFF", "AZUREML_DEFAULT_500_BACKOFF", "AZUREML_DEFAULT_503_BACKOFF"), "0")
"""The SDK tries again as often as it ever does, and does not sleep before it."""


def tiny_app(folder: Path) -> Path:
    """An app whose training does what its pool is called: ``quick``, ``broken`` or ``long``."""
    for package in ("shared", "scaler", "training"):
        (folder / package).mkdir(parents=True, exist_ok=True)
        (folder / package / "__init__.py").write_text("")
    (folder / "training" / "__main__.py").write_text(TINY_TRAINING)
    return folder


def workspace(name: str = WORKSPACE) -> Workspace:
    settings = Settings(storage_account_url="https://store.blob.core.windows.net")
    return Workspace(
        WorkspaceName(subscription_id=SUBSCRIPTION, resource_group=GROUP, name=name),
        arm_endpoint(settings),
        FakeCredential(),
        monotonic=time.monotonic,
    )


def rest_jobs(app: Path, *, name: str = WORKSPACE, compute: str = CLUSTER) -> RestJobs:
    return RestJobs(workspace(name), snapshots(app), compute=compute, experiment="mlopspython")


@contextmanager
def sdk_jobs(app: Path, service: FakeAzureMl, options: SdkOptions | None = None) -> Iterator[SdkJobs]:
    chosen = options or SdkOptions(compute=CLUSTER, experiment="mlopspython")
    environ = {**os.environ, **service.proxy.environ, **NO_WAITS}
    jobs = SdkJobs(workspace(), FakeCredential(), snapshots(app), chosen, environ)
    try:
        yield jobs
    finally:
        jobs.close()


def snapshots(app: Path) -> Callable[[], Snapshot]:
    return lambda: snapshot_of(app)


def use_proxy(service: FakeAzureMl, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the azure-core clients of this process meet the fake."""
    for name, value in service.proxy.environ.items():
        monkeypatch.setenv(name, value)


def await_end(jobs: RetrainingJobs, run_id: str, *, within_s: float = 30) -> JobState:
    until = time.monotonic() + within_s
    while not (state := jobs.state(run_id)).phase.is_over:
        assert time.monotonic() < until, f"{run_id} is still {state}"
        time.sleep(0.1)
    return state
