"""Training jobs through the jobs REST API of Azure ML, the way past the SDK v1: code asset, environment, job."""

import hashlib
import json
import re
import shlex
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from azure.core.exceptions import AzureError
from azure.storage.blob import ContainerClient

from shared.cloud.arm_errors import CallContext, translate
from shared.cloud.azure_blobs import storage_options
from shared.cloud.http_client import HttpLimits, timeouts_of
from shared.errors import CloudError
from training.cloud.workspace import Deadline, Workspace, job_context, submit_context
from training.ports import Job, JobPhase, JobState
from training.snapshot import Snapshot, python_version

BASE_IMAGE = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04"
"""A curated base image of Azure ML."""
ENVIRONMENT = "forescale-training"
LONGEST_JOB = "PT2H"
SIDE_BY_SIDE = 8
UPLOAD_LIMITS = HttpLimits(retries=1)
"""For one small file each, so that no file holds up the answer to the caller for long."""
PHASES = {
    "NotStarted": JobPhase.QUEUED,
    "Starting": JobPhase.QUEUED,
    "Provisioning": JobPhase.QUEUED,
    "Preparing": JobPhase.QUEUED,
    "Queued": JobPhase.QUEUED,
    "Scheduled": JobPhase.QUEUED,
    "Completed": JobPhase.COMPLETED,
    "Failed": JobPhase.FAILED,
    "Canceled": JobPhase.CANCELED,
}
"""What Azure ML's statuses mean; any other (Running, Finalizing, CancelRequested, NotResponding) is running."""


class RestJobs:
    """``training.ports.RetrainingJobs`` through ``Microsoft.MachineLearningServices/workspaces/jobs``.

    A PUT of a job that exists changes nothing but its tags: the name that we chose makes submitting idempotent.
    """

    def __init__(
        self, workspace: Workspace, snapshot: Callable[[], Snapshot], *, compute: str, experiment: str
    ) -> None:
        self._workspace = workspace
        self._snapshot = snapshot
        self._compute = compute
        self._experiment = experiment

    def submit(self, job: Job) -> None:
        """See :meth:`training.ports.RetrainingJobs.submit`."""
        deadline, context = self._workspace.deadline(), submit_context(job.run_id)
        self._workspace.require_compute(self._compute, deadline)
        snapshot = self._snapshot()
        code = self._code(snapshot, context, deadline)
        environment = self._environment(snapshot, context, deadline)
        command = shlex.join(("python", *job.arguments))
        properties: dict[str, Any] = {
            "jobType": "Command",
            "displayName": f"retrain {', '.join(job.request.pool_names)}"[:250],
            "description": job.request.reason,
            "experimentName": self._experiment,
            "tags": dict(job.tags),
            "codeId": code,
            "environmentId": environment,
            "command": command,
            "computeId": f"{self._workspace.name.path}/computes/{self._compute}",
            "environmentVariables": dict(job.environment),
            "identity": {"identityType": "Managed"},
            "limits": {"jobLimitsType": "Command", "timeout": LONGEST_JOB},
        }
        self._workspace.call("PUT", f"/jobs/{job.run_id}", context, deadline, {"properties": properties})

    def state(self, run_id: str) -> JobState:
        """See :meth:`training.ports.RetrainingJobs.state`."""
        context = job_context("reading", run_id)
        about = self._workspace.call("GET", f"/jobs/{run_id}", context, self._workspace.deadline())["properties"]
        phase = PHASES.get(about["status"], JobPhase.RUNNING)
        studio = ((about.get("services") or {}).get("Studio") or {}).get("endpoint") or ""
        history = about.get("properties") or {}
        return JobState(
            phase=phase,
            detail="the job failed; its log is in Azure ML studio" if phase is JobPhase.FAILED else "",
            started_at=instant(history.get("StartTimeUtc")),
            ended_at=instant(history.get("EndTimeUtc")),
            portal_url=studio,
        )

    def cancel(self, run_id: str) -> None:
        """See :meth:`training.ports.RetrainingJobs.cancel`."""
        if self.state(run_id).phase.is_over:
            return
        context = job_context("canceling", run_id)
        self._workspace.call("POST", f"/jobs/{run_id}/cancel", context, self._workspace.deadline())

    def _code(self, snapshot: Snapshot, context: CallContext, deadline: Deadline) -> str:
        """Return the id of the code asset of this content, uploading it if Azure ML has none yet."""
        path = f"/codes/forescale-{snapshot.digest[:32]}/versions/1"
        try:
            self._workspace.call("GET", path, replace(context, missing=_AssetMissing), deadline)
        except _AssetMissing:
            wanted = {"pendingUploadType": "TemporaryBlobReference"}
            upload = self._workspace.call("POST", f"{path}/startPendingUpload", context, deadline, wanted)
            place = upload["blobReferenceForConsumption"]
            _upload(snapshot, place["credential"]["sasUri"], context, deadline)
            asset = {"properties": {"codeUri": place["blobUri"], "isAnonymous": False}}
            self._workspace.call("PUT", path, context, deadline, asset)
        return f"{self._workspace.name.path}{path}"

    def _environment(self, snapshot: Snapshot, context: CallContext, deadline: Deadline) -> str:
        """Return the id of the environment of these requirements; a PUT of the same version changes nothing."""
        conda = {
            "name": ENVIRONMENT,
            "channels": ["conda-forge"],
            "dependencies": [f"python={python_version()}", "pip", {"pip": list(snapshot.requirements)}],
        }
        written = json.dumps(conda, sort_keys=True)  # JSON is YAML
        version = hashlib.sha256(f"{BASE_IMAGE}\n{written}".encode()).hexdigest()[:16]
        path = f"/environments/{ENVIRONMENT}/versions/{version}"
        body = {"properties": {"image": BASE_IMAGE, "condaFile": written, "osType": "Linux"}}
        try:
            self._workspace.call("GET", path, replace(context, missing=_AssetMissing), deadline)
        except _AssetMissing:
            self._workspace.call("PUT", path, context, deadline, body)
        return f"{self._workspace.name.path}{path}"


class _AssetMissing(CloudError):
    """The asset is not there yet: the way to make it."""


def _upload(snapshot: Snapshot, container_sas_url: str, context: CallContext, deadline: Deadline) -> None:
    def put(item: tuple[str, bytes]) -> None:
        limits = UPLOAD_LIMITS.within(deadline.left_s(str(context)))
        container.upload_blob(item[0], item[1], overwrite=True, **timeouts_of(limits))

    with ContainerClient.from_container_url(container_sas_url, **storage_options(UPLOAD_LIMITS)) as container:
        try:
            with ThreadPoolExecutor(SIDE_BY_SIDE) as side_by_side:
                list(side_by_side.map(put, snapshot.files.items()))
        except AzureError as exc:
            raise translate(exc, replace(context, doing="uploading the code of")) from exc


def instant(text: str | None) -> datetime | None:
    """Read an instant of Azure ML, which writes seven decimals, ``Z`` or no zone: UTC."""
    if not text:
        return None
    shortened = re.sub(r"(\.\d{6})\d+", r"\1", text)
    parsed = datetime.fromisoformat(shortened)
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
