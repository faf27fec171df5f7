"""Whatever goes wrong at whichever call, both Azure ML backends end in one of our errors or in an accepted job."""

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError

from shared.cloud.http_client import HttpLimits
from shared.errors import (
    CloudError,
    ComputeNotFound,
    Forbidden,
    JobNotFound,
    QuotaExceeded,
    Throttled,
    Transient,
    WorkspaceNotFound,
)
from tests.builders import retrain_request
from tests.fakes.azure_ml import CLUSTER, FakeAzureMl, Fault, fake_azure_ml
from tests.fakes.azure_ml_backends import await_end, rest_jobs, sdk_jobs, tiny_app, use_proxy, workspace
from training.cloud.sdk_jobs import SdkJobs, SdkOptions
from training.ports import Job, JobPhase, RetrainingJobs
from training.snapshot import snapshot_of

STATUSES = {401: Forbidden, 403: Forbidden, 429: Throttled, 503: Transient, None: Transient}
SDK_CALLS = ("workspace", "compute", "snapshot_latest", "snapshot_blobs", "blob", "snapshot", "submit")
IMPATIENT = SdkOptions(
    compute=CLUSTER, experiment="mlopspython", deadline_s=20, limits=HttpLimits(read=timedelta(seconds=2))
)
REST_CALLS = ("workspace", "compute", "asset", "code_upload", "blob", "asset_put", "job_put")


class NobodysCredential:
    """A credential that cannot sign in."""

    def get_token(self, *_: str, **__: object) -> AccessToken:
        message = "no identity here"
        raise ClientAuthenticationError(message)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeAzureMl]:
    with fake_azure_ml(tmp_path_factory.mktemp("azureml")) as running:
        yield running


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_app(tmp_path_factory.mktemp("app"))


@pytest.fixture(scope="module")
def sdk(app: Path, service: FakeAzureMl) -> Iterator[RetrainingJobs]:
    with sdk_jobs(app, service, IMPATIENT) as jobs:
        yield jobs


@pytest.fixture
def forgetful_sdk(app: Path, service: FakeAzureMl) -> Iterator[RetrainingJobs]:
    """The SDK in a process of its own: one that submitted before remembers its snapshot, and does not ask for it."""
    with sdk_jobs(app, service, IMPATIENT) as jobs:
        yield jobs


@pytest.fixture
def fresh(app: Path, service: FakeAzureMl, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeAzureMl]:
    """The service, with code that it has not seen, so that every step of submitting is taken."""
    use_proxy(service, monkeypatch)
    service.compute.held = True
    service.faults.clear()
    (app / "shared" / "fresh.py").write_text(f"AT = {time.monotonic_ns()}\n")
    yield service
    service.faults.clear()


def job(service: FakeAzureMl) -> Job:
    return Job(run_id=f"run-{len(service.calls)}", request=retrain_request("quick"))


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("call", SDK_CALLS)
def test_a_call_of_the_sdk_that_fails_is_told_by_its_status(
    fresh: FakeAzureMl, sdk: RetrainingJobs, call: str, status: int | None
) -> None:
    fresh.faults.append(Fault(call=call, status=status))

    with pytest.raises(STATUSES[status]) as met:
        sdk.submit(job(fresh))

    assert isinstance(met.value, CloudError)
    assert fresh.unknown == []


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("call", REST_CALLS)
def test_a_call_of_the_rest_backend_that_fails_is_told_by_its_status(
    fresh: FakeAzureMl, app: Path, call: str, status: int | None
) -> None:
    fresh.faults.append(Fault(call=call, status=status))

    with pytest.raises(STATUSES[status]) as met:
        rest_jobs(app).submit(job(fresh))

    assert isinstance(met.value, CloudError)
    assert fresh.unknown == []


@pytest.mark.parametrize("status", [404, 409])
@pytest.mark.parametrize("call", ["snapshot_latest", "snapshot_blobs", "blob", "snapshot"])
def test_what_the_sdk_does_not_find_or_has_already_starts_no_job(
    fresh: FakeAzureMl, forgetful_sdk: RetrainingJobs, call: str, status: int
) -> None:
    known = len(fresh.runs)
    fresh.faults.append(Fault(call=call, status=status))

    with pytest.raises(CloudError):
        forgetful_sdk.submit(job(fresh))

    assert len(fresh.runs) == known


@pytest.mark.parametrize("status", [404, 409])
@pytest.mark.parametrize("call", ["code_upload", "blob", "asset_put", "job_put"])
def test_what_the_rest_backend_does_not_find_or_has_already_starts_no_job(
    fresh: FakeAzureMl, app: Path, call: str, status: int
) -> None:
    known = len(fresh.runs)
    fresh.faults.append(Fault(call=call, status=status))

    with pytest.raises(CloudError):
        rest_jobs(app).submit(job(fresh))

    assert len(fresh.runs) == known


@pytest.mark.parametrize("status", [500, None])
def test_a_job_whose_acceptance_was_not_heard_is_not_started_again(
    fresh: FakeAzureMl, sdk: RetrainingJobs, app: Path, status: int | None
) -> None:
    for jobs, call in ((sdk, "submit"), (rest_jobs(app), "job_put")):
        asked, known = job(fresh), len(fresh.runs)
        fresh.faults[:] = [Fault(call=call, status=status, after=True)]
        with pytest.raises(Transient):
            jobs.submit(asked)
        fresh.faults.clear()

        jobs.submit(asked)

        assert len(fresh.runs) == known + 1


def test_a_process_of_the_sdk_that_gave_up_is_not_asked_again(
    fresh: FakeAzureMl, forgetful_sdk: RetrainingJobs
) -> None:
    asked = job(fresh)
    fresh.faults.append(Fault(call="blob", status=503))
    with pytest.raises(Transient):
        forgetful_sdk.submit(asked)
    fresh.faults.clear()

    forgetful_sdk.submit(asked)

    assert asked.run_id in fresh.runs


def test_what_fails_after_the_acceptance_does_not_matter(fresh: FakeAzureMl, sdk: RetrainingJobs) -> None:
    asked = job(fresh)
    fresh.faults.append(Fault(call="run_patch", status=500))

    sdk.submit(asked)

    assert asked.run_id in fresh.runs


def test_a_missing_cluster_is_named_with_the_way_out(fresh: FakeAzureMl, app: Path) -> None:
    with pytest.raises(ComputeNotFound, match=r"'nope'.*create a compute cluster"):
        rest_jobs(app, compute="nope").submit(job(fresh))


def test_a_cluster_without_nodes_is_a_matter_of_quota(fresh: FakeAzureMl, app: Path) -> None:
    fresh.clusters["empty"] = 0

    with pytest.raises(QuotaExceeded, match="raise its maximum"):
        rest_jobs(app, compute="empty").submit(job(fresh))


def test_a_missing_workspace_is_named_with_the_settings(fresh: FakeAzureMl, app: Path) -> None:
    with pytest.raises(WorkspaceNotFound, match="FORESCALE_AML_WORKSPACE"):
        rest_jobs(app, name="nope").submit(job(fresh))
    assert fresh.unknown == []


def test_a_quota_that_is_used_up_is_told_as_such(fresh: FakeAzureMl, sdk: RetrainingJobs, app: Path) -> None:
    fresh.faults.append(Fault(call="submit", status=400, code="ClusterCoreQuotaReached"))
    fresh.faults.append(Fault(call="job_put", status=400, code="ClusterCoreQuotaReached"))

    with pytest.raises(QuotaExceeded):
        sdk.submit(job(fresh))
    with pytest.raises(QuotaExceeded):
        rest_jobs(app).submit(job(fresh))


def test_a_wait_that_the_service_asks_for_is_passed_on(fresh: FakeAzureMl, app: Path) -> None:
    fresh.faults.append(Fault(call="job_put", status=429, headers={"Retry-After": "17"}))

    with pytest.raises(Throttled) as met:
        rest_jobs(app).submit(job(fresh))

    assert met.value.retry_after.total_seconds() == 17


def test_a_service_that_answers_too_late_is_given_up_and_nothing_starts_twice(
    fresh: FakeAzureMl, sdk: RetrainingJobs
) -> None:
    asked, known = job(fresh), len(fresh.runs)
    fresh.faults.append(Fault(call="submit", delay_s=3))
    with pytest.raises(Transient):
        sdk.submit(asked)
    fresh.faults.clear()

    sdk.submit(asked)

    assert len(fresh.runs) == known + 1


@pytest.mark.parametrize("status", [401, 403, 404, 429, 503, None])
def test_asking_about_a_job_fails_by_its_status(
    fresh: FakeAzureMl, sdk: RetrainingJobs, app: Path, status: int | None
) -> None:
    expected: type[CloudError] = {**STATUSES, 404: JobNotFound}[status]
    asked = job(fresh)
    rest_jobs(app).submit(asked)
    fresh.faults += [Fault(call="run", status=status), Fault(call="job", status=status)]

    with pytest.raises(expected):
        sdk.state(asked.run_id)
    with pytest.raises(expected):
        rest_jobs(app).state(asked.run_id)
    with pytest.raises(expected):
        rest_jobs(app).cancel(asked.run_id)


def test_a_published_pipeline_is_started_once_and_followed_by_its_tag(fresh: FakeAzureMl, app: Path) -> None:
    fresh.compute.held = False
    options = SdkOptions(compute=CLUSTER, experiment="mlopspython", pipeline="training-pipeline")
    asked, known = job(fresh), len(fresh.runs)

    with sdk_jobs(app, fresh, options) as jobs:
        with pytest.raises(JobNotFound):
            jobs.state(asked.run_id)
        jobs.submit(asked)
        jobs.submit(asked)
        ended = await_end(jobs, asked.run_id)

    assert ended.phase is JobPhase.COMPLETED
    assert len(fresh.runs) == known + 1
    assert fresh.unknown == []


def test_a_published_pipeline_that_is_missing_is_told(fresh: FakeAzureMl, app: Path) -> None:
    options = SdkOptions(compute=CLUSTER, experiment="mlopspython", pipeline="nope")

    with sdk_jobs(app, fresh, options) as jobs, pytest.raises(CloudError):
        jobs.submit(job(fresh))


def test_an_app_without_an_identity_is_told_so_whatever_it_asks(app: Path) -> None:
    jobs = SdkJobs(workspace(), NobodysCredential(), lambda: snapshot_of(app), IMPATIENT, {})

    with pytest.raises(Forbidden, match="reading job one: no identity could sign in"):
        jobs.state("one")
    with pytest.raises(Forbidden, match="canceling job one: no identity could sign in"):
        jobs.cancel("one")
