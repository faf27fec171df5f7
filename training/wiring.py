"""Joins training's ports to Azure ML or to this machine, by settings, on first use."""

import importlib.util
import os
import time
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from scaler.stores import DecisionLog
from shared.errors import ConfigurationError
from shared.forecasting.store import ModelStore
from shared.settings import Backend, RetrainingBackend, Settings, load_settings
from shared.wiring import blobs_of, clock_of, pools
from training.local.process_jobs import ProcessJobs
from training.ports import NoTracker, RetrainingJobs, Tracker
from training.results import Results
from training.retraining import Retraining, new_run_id
from training.runs import Runs
from training.snapshot import snapshot_of
from training.watch import Watch, WatchResult

if TYPE_CHECKING:
    from training.cloud.workspace import Workspace
    from training.job import TrainingJob

ROOT = Path(__file__).resolve().parents[1]
"""The app's folder."""
PASSED_ON = ("container", "cloud", "storage_account_url")
"""Settings that a job in Azure ML needs; none of them is secret."""


def retraining_of(settings: Settings) -> Retraining:
    """Return the use cases; without a service that runs jobs, what is known of runs can still be read."""
    blobs = blobs_of(settings)
    return Retraining(
        jobs=partial(jobs_of, settings),
        runs=Runs(blobs),
        results=Results(blobs),
        clock=clock_of(settings),
        environment=tuple(sorted(_environment(settings).items())),
        code_version=_code_version,
    )


def fresh_run_id(settings: Settings) -> str:
    """Return an id for a new run."""
    return new_run_id(clock_of(settings)(), uuid4().hex)


@lru_cache(maxsize=4)
def jobs_of(settings: Settings) -> RetrainingJobs:
    """Return what runs training jobs, always the same for the same settings.

    Raises :class:`ConfigurationError` if the settings choose none, or not all that theirs needs.
    """
    chosen = settings.retraining
    if chosen is RetrainingBackend.NONE:
        msg = (
            "retraining is not set up: FORESCALE_RETRAINING_BACKEND is none; set it to azureml_jobs or azureml, "
            "with FORESCALE_AML_*, or to process"
        )
        raise ConfigurationError(msg)
    if chosen is RetrainingBackend.PROCESS:
        return ProcessJobs(ROOT, settings.local_dir / "retraining-jobs", dict(os.environ))
    if settings.backend is Backend.LOCAL:
        msg = f"FORESCALE_RETRAINING_BACKEND={chosen} cannot reach the local backend: use process"
        raise ConfigurationError(msg)
    from shared.cloud.identity import app_credential  # noqa: PLC0415 - S4
    from training.cloud.rest_jobs import RestJobs  # noqa: PLC0415 - S4
    from training.cloud.sdk_jobs import SdkJobs, SdkOptions  # noqa: PLC0415 - S4

    workspace = _workspace(settings)
    if chosen is RetrainingBackend.AZUREML_JOBS:
        taken = partial(snapshot_of, ROOT)
        return RestJobs(workspace, taken, compute=settings.aml_compute, experiment=settings.aml_experiment)
    options = SdkOptions(
        compute=settings.aml_compute, experiment=settings.aml_experiment, cloud=settings.cloud,
        pipeline=settings.aml_pipeline,
    )  # fmt: skip
    taken = partial(snapshot_of, ROOT, extra_libraries=("azureml-core",))
    return SdkJobs(workspace, app_credential(settings), taken, options, dict(os.environ))


def job_of(settings: Settings) -> "TrainingJob":
    """Return the work of a training job in this process."""
    from training.job import TrainingJob  # noqa: PLC0415 - S4

    blobs = blobs_of(settings)
    return TrainingJob(
        blobs=blobs,
        store=ModelStore(blobs),
        results=Results(blobs),
        tracker=_tracker(),
        clock=clock_of(settings),
    )


def watch_models() -> list[WatchResult]:
    """Watch every pool's model once, by the settings in the environment; raises what ``Watch.run`` raises."""
    settings = load_settings()
    return watch_of(settings).run(pools(settings))


def watch_of(settings: Settings) -> Watch:
    """Return the watch; without a backend of retraining it judges, and starts nothing."""
    blobs = blobs_of(settings)
    is_off = settings.retraining is RetrainingBackend.NONE
    return Watch(
        blobs=blobs,
        store=ModelStore(blobs),
        decisions=DecisionLog(blobs),
        retraining=None if is_off else retraining_of(settings),
        clock=clock_of(settings),
        token=uuid4().hex,
    )


def _tracker() -> Tracker:
    """Azure ML names its run in the environment of a job; the SDK is there if the SDK's backend started it."""
    if "AZUREML_RUN_ID" in os.environ and importlib.util.find_spec("azureml") is not None:
        from training.cloud.tracker import SdkTracker  # noqa: PLC0415 - S4

        return SdkTracker()
    return NoTracker()


def _environment(settings: Settings) -> dict[str, str]:
    if settings.backend is Backend.LOCAL:
        return {"FORESCALE_BACKEND": "local", "FORESCALE_LOCAL_DIR": str(settings.local_dir.resolve())}
    environment = {f"FORESCALE_{name.upper()}": str(getattr(settings, name) or "") for name in PASSED_ON}
    environment["FORESCALE_IDENTITY_CLIENT_ID"] = settings.aml_identity_client_id or ""
    return {name: value for name, value in environment.items() if value}


@lru_cache(maxsize=1)
def _code_version() -> str:
    """Hash the code that a job takes along, once: it does not change while the process lives."""
    return snapshot_of(ROOT).digest[:12]


def _workspace(settings: Settings) -> "Workspace":
    from shared.cloud.arm_endpoint import arm_endpoint  # noqa: PLC0415 - S4
    from shared.cloud.identity import app_credential  # noqa: PLC0415 - S4
    from training.cloud.workspace import Workspace, WorkspaceName  # noqa: PLC0415 - S4

    names = ("aml_subscription_id", "aml_resource_group", "aml_workspace")
    missing = [f"FORESCALE_{name.upper()}" for name in names if not getattr(settings, name)]
    if missing or not (settings.aml_subscription_id and settings.aml_resource_group and settings.aml_workspace):
        msg = f"FORESCALE_RETRAINING_BACKEND={settings.retraining} also needs {', '.join(missing)}"
        raise ConfigurationError(msg)
    name = WorkspaceName(
        subscription_id=settings.aml_subscription_id,
        resource_group=settings.aml_resource_group,
        name=settings.aml_workspace,
    )
    return Workspace(name, arm_endpoint(settings), app_credential(settings), monotonic=time.monotonic)
