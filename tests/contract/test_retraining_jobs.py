"""What every place to run a training job promises: this machine, Azure ML by its SDK v1, Azure ML by REST."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from shared.errors import JobNotFound
from tests.builders import retrain_request
from tests.fakes.azure_ml import FakeAzureMl, fake_azure_ml
from tests.fakes.azure_ml_backends import await_end, rest_jobs, sdk_jobs, tiny_app, use_proxy
from training.local.process_jobs import ProcessJobs
from training.ports import Job, JobPhase, RetrainingJobs


@dataclass(frozen=True, kw_only=True)
class Subject:
    jobs: RetrainingJobs
    log: Path

    def job(self, run_id: str, pool: str) -> Job:
        request = retrain_request(pool)
        return Job(run_id=run_id, request=request, environment={"STARTED_LOG": str(self.log)})

    @property
    def started(self) -> list[str]:
        return self.log.read_text().split() if self.log.exists() else []


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_app(tmp_path_factory.mktemp("app"))


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeAzureMl]:
    with fake_azure_ml(tmp_path_factory.mktemp("azureml")) as running:
        yield running


@pytest.fixture(scope="module")
def sdk(app: Path, service: FakeAzureMl) -> Iterator[RetrainingJobs]:
    with sdk_jobs(app, service) as jobs:
        yield jobs


@pytest.fixture(params=["process", "azureml", "azureml_jobs"])
def subject(
    request: pytest.FixtureRequest,
    app: Path,
    tmp_path: Path,
    service: FakeAzureMl,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Subject]:
    log = tmp_path / "started.txt"
    if request.param == "process":
        processes = ProcessJobs(app, tmp_path / "jobs", os.environ)
        yield Subject(jobs=processes, log=log)
        processes.wait()
        return
    use_proxy(service, monkeypatch)
    jobs = rest_jobs(app) if request.param == "azureml_jobs" else request.getfixturevalue("sdk")
    yield Subject(jobs=jobs, log=log)
    assert service.unknown == []


@pytest.fixture
def run_id(request: pytest.FixtureRequest) -> str:
    return f"run-{abs(hash(request.node.nodeid)):x}"


def test_a_job_runs_to_its_end(subject: Subject, run_id: str) -> None:
    subject.jobs.submit(subject.job(run_id, "quick"))

    ended = await_end(subject.jobs, run_id)

    assert ended.phase is JobPhase.COMPLETED
    assert ended.started_at is not None
    assert ended.ended_at is not None
    assert ended.started_at <= ended.ended_at
    assert subject.started == ["quick"]


def test_a_job_that_fails_says_so(subject: Subject, run_id: str) -> None:
    subject.jobs.submit(subject.job(run_id, "broken"))

    ended = await_end(subject.jobs, run_id)

    assert ended.phase is JobPhase.FAILED
    assert ended.detail


def test_submitting_twice_starts_one_job(subject: Subject, run_id: str) -> None:
    subject.jobs.submit(subject.job(run_id, "quick"))
    await_end(subject.jobs, run_id)

    subject.jobs.submit(subject.job(run_id, "quick"))

    assert subject.jobs.state(run_id).phase is JobPhase.COMPLETED
    assert subject.started == ["quick"]


def test_two_callers_at_once_start_one_job(subject: Subject, run_id: str) -> None:
    with ThreadPoolExecutor(2) as callers:
        list(callers.map(subject.jobs.submit, [subject.job(run_id, "quick")] * 2))

    await_end(subject.jobs, run_id)

    assert subject.started == ["quick"]


def test_a_running_job_can_be_canceled(subject: Subject, run_id: str) -> None:
    subject.jobs.submit(subject.job(run_id, "long"))

    subject.jobs.cancel(run_id)

    assert await_end(subject.jobs, run_id).phase is JobPhase.CANCELED


def test_canceling_a_job_that_is_over_changes_nothing(subject: Subject, run_id: str) -> None:
    subject.jobs.submit(subject.job(run_id, "quick"))
    await_end(subject.jobs, run_id)

    subject.jobs.cancel(run_id)

    assert subject.jobs.state(run_id).phase is JobPhase.COMPLETED


def test_a_job_that_nobody_submitted_is_not_found(subject: Subject, run_id: str) -> None:
    with pytest.raises(JobNotFound):
        subject.jobs.state(run_id)
    with pytest.raises(JobNotFound):
        subject.jobs.cancel(run_id)
