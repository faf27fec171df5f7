"""What is told of runs that ended early, and of runs where no service can be asked."""

from dataclasses import replace

import pytest

from shared.errors import ConfigurationError, Transient
from tests.builders import NOW, retrain_request
from tests.fakes.retraining_jobs import FakeRetrainingJobs
from training.ports import JobPhase
from training.request import Caller
from training.results import PoolResult, PoolStage, RunResult
from training.retraining import Retraining
from training.runs import RunState


@pytest.mark.parametrize(
    ("phase", "progress"),
    [(JobPhase.CANCELED, 0.5), (JobPhase.FAILED, 0.5), (JobPhase.COMPLETED, 1.0)],
)
def test_a_run_that_is_over_has_no_pool_waiting_and_the_progress_that_it_made(
    retraining: Retraining, jobs: FakeRetrainingJobs, phase: JobPhase, progress: float
) -> None:
    retraining.start(retrain_request("web", "batch"), run_id="one")
    pools = {"web": PoolResult(stage=PoolStage.PROMOTED), "batch": PoolResult(stage=PoolStage.TRAINING)}
    retraining.results.write(RunResult(run_id="one", pools=pools, updated_at=NOW))
    jobs.end("one", phase)

    report = retraining.status("one")

    assert report.progress == progress
    assert [result.stage for result in report.results.values()] == [PoolStage.PROMOTED, PoolStage.UNFINISHED]
    assert phase.value in report.results["batch"].why


def test_a_run_that_is_going_has_its_pools_waiting(retraining: Retraining) -> None:
    retraining.start(retrain_request(), run_id="one")

    report = retraining.status("one")

    assert (report.progress, report.results["web"].stage) == (0.0, PoolStage.WAITING)


# without a service that runs jobs


def not_set_up() -> FakeRetrainingJobs:
    message = "retraining is not set up"
    raise ConfigurationError(message)


def test_without_a_service_nothing_is_reserved(retraining: Retraining) -> None:
    without = replace(retraining, jobs=not_set_up)

    with pytest.raises(ConfigurationError, match="not set up"):
        without.start(retrain_request(), run_id="one")

    assert without.recent() == []


def test_without_a_service_what_is_known_of_runs_is_told_with_a_note(retraining: Retraining) -> None:
    retraining.start(retrain_request(), Caller(key="k"), run_id="one")
    without = replace(retraining, jobs=not_set_up)

    assert without.start(retrain_request(), Caller(key="k"), run_id="two").run.run_id == "one"
    assert without.status("one").run.state is RunState.QUEUED
    assert "not set up" in without.status("one").note
    assert [report.run.run_id for report in without.recent()] == ["one"]
    assert [run.state for run in without.reconcile()] == [RunState.QUEUED]
    with pytest.raises(ConfigurationError):
        without.cancel("one")


def test_a_service_that_does_not_answer_is_asked_about_one_holder_only(
    retraining: Retraining, jobs: FakeRetrainingJobs
) -> None:
    retraining.start(retrain_request("web"), run_id="one")
    retraining.start(retrain_request("batch"), run_id="two")
    jobs.end("two", JobPhase.COMPLETED)
    jobs.fail_next = Transient("503")

    reservation = retraining.start(retrain_request("web", "batch"), run_id="three")

    assert (reservation.is_new, reservation.busy) == (False, {"web": "one", "batch": "two"})
