"""Who may start a retraining, and that nothing starts twice or gets lost."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from shared.errors import ComputeNotFound, RunNotFound, RunPending, Throttled, Transient
from tests.builders import NOW, retrain_request
from tests.fakes.clock import FakeClock
from tests.fakes.retraining_jobs import FakeRetrainingJobs, HostKilled
from training.ports import JobPhase
from training.request import Caller
from training.results import PoolResult, PoolStage, RunResult
from training.retraining import GIVE_UP_AFTER, RESUME_AFTER, Retraining, new_run_id
from training.runs import RUNS_KEPT, RunState


def test_an_ask_starts_one_job_for_its_pools(retraining: Retraining, jobs: FakeRetrainingJobs) -> None:
    reservation = retraining.start(retrain_request("web", "batch"), run_id="one")

    assert reservation.is_new
    assert reservation.run.state is RunState.QUEUED
    assert jobs.jobs["one"].request.pool_names == ("web", "batch")
    assert jobs.jobs["one"].arguments == (
        "-m", "training", "fit", "--run-id", "one", "--pool", "web", "--pool", "batch",
    )  # fmt: skip


def test_while_a_run_is_active_it_answers_every_ask_for_its_pool(
    retraining: Retraining, jobs: FakeRetrainingJobs
) -> None:
    retraining.start(retrain_request("web"), run_id="one")

    reservation = retraining.start(retrain_request("web", reason="another"), run_id="two")

    assert (reservation.run.run_id, reservation.is_new, reservation.busy) == ("one", False, {"web": "one"})
    assert list(jobs.jobs) == ["one"]


def test_pools_that_are_free_start_without_those_that_are_not(retraining: Retraining, jobs: FakeRetrainingJobs) -> None:
    retraining.start(retrain_request("web"), run_id="one")

    reservation = retraining.start(retrain_request("web", "batch"), run_id="two")

    assert (reservation.run.pools, reservation.busy) == (("batch",), {"web": "one"})
    assert jobs.jobs["two"].request.pool_names == ("batch",)


def test_a_run_that_is_over_makes_room_even_if_nobody_looked(retraining: Retraining, jobs: FakeRetrainingJobs) -> None:
    retraining.start(retrain_request("web"), run_id="one")
    jobs.end("one", JobPhase.FAILED)

    reservation = retraining.start(retrain_request("web"), run_id="two")

    assert (reservation.run.run_id, reservation.is_new) == ("two", True)
    assert retraining.status("one").run.state is RunState.FAILED


def test_two_callers_at_once_start_one_run(retraining: Retraining, jobs: FakeRetrainingJobs) -> None:
    with ThreadPoolExecutor(8) as callers:
        reservations = list(callers.map(lambda name: retraining.start(retrain_request("web"), run_id=name), "abcdefgh"))

    assert len(jobs.jobs) == 1
    assert {reservation.run.run_id for reservation in reservations} == set(jobs.jobs)
    assert sum(reservation.is_new for reservation in reservations) == 1


def kill_after(jobs: FakeRetrainingJobs) -> None:
    jobs.killed = True


def kill_before(jobs: FakeRetrainingJobs) -> None:
    jobs.killed_before = True


@pytest.mark.parametrize("kill", [kill_before, kill_after])
@pytest.mark.parametrize("key", ["", "k"])
def test_a_host_killed_around_the_submit_starts_nothing_twice_and_loses_nothing(
    retraining: Retraining,
    jobs: FakeRetrainingJobs,
    clock: FakeClock,
    kill: Callable[[FakeRetrainingJobs], None],
    key: str,
) -> None:
    kill(jobs)
    with pytest.raises(HostKilled):
        retraining.start(retrain_request(), Caller(key=key), run_id="one")
    jobs.killed = jobs.killed_before = False
    clock.now += RESUME_AFTER

    again = retraining.start(retrain_request(), Caller(key=key), run_id="two")

    assert again.run.run_id == "one"
    assert list(jobs.jobs) == ["one"]
    assert retraining.status("one").run.state is RunState.QUEUED


def test_the_timer_goes_on_with_what_a_killed_host_left(
    retraining: Retraining, jobs: FakeRetrainingJobs, clock: FakeClock
) -> None:
    jobs.killed_before = True
    with pytest.raises(HostKilled):
        retraining.start(retrain_request(), run_id="one")
    jobs.killed_before = False
    clock.now += RESUME_AFTER

    assert [run.state for run in retraining.reconcile()] == [RunState.QUEUED]
    assert list(jobs.jobs) == ["one"]


def test_a_reservation_that_somebody_is_submitting_is_left_alone(
    retraining: Retraining, jobs: FakeRetrainingJobs, clock: FakeClock
) -> None:
    jobs.killed_before = True
    with pytest.raises(HostKilled):
        retraining.start(retrain_request(), run_id="one")
    clock.now += RESUME_AFTER - timedelta(seconds=1)

    assert retraining.status("one").run.state is RunState.RESERVED


def test_a_submit_without_an_answer_keeps_the_run_and_says_when_to_ask(
    retraining: Retraining, jobs: FakeRetrainingJobs
) -> None:
    jobs.fail_next = Throttled("wait", retry_after=timedelta(seconds=7))

    with pytest.raises(RunPending) as met:
        retraining.start(retrain_request(), Caller(key="k"), run_id="one")

    assert (met.value.run_id, met.value.retry_after) == ("one", timedelta(seconds=7))
    assert retraining.start(retrain_request(), Caller(key="k"), run_id="two").run.state is RunState.QUEUED


def test_a_submit_that_is_refused_is_over_and_the_key_is_free_again(
    retraining: Retraining, jobs: FakeRetrainingJobs
) -> None:
    jobs.fail_next = ComputeNotFound("no cluster")
    with pytest.raises(ComputeNotFound):
        retraining.start(retrain_request(), Caller(key="k"), run_id="one")

    assert retraining.status("one").run.state is RunState.REFUSED
    assert retraining.start(retrain_request(), Caller(key="k"), run_id="two").run.run_id == "two"


def test_a_reservation_that_never_gets_a_job_is_given_up(
    retraining: Retraining, jobs: FakeRetrainingJobs, clock: FakeClock
) -> None:
    jobs.fail_next = Transient("503")
    with pytest.raises(RunPending):
        retraining.start(retrain_request(), run_id="one")
    clock.now += GIVE_UP_AFTER + timedelta(seconds=1)

    assert retraining.status("one").run.state is RunState.FAILED


def test_a_service_that_cannot_be_asked_leaves_the_last_state_with_a_note(
    retraining: Retraining, jobs: FakeRetrainingJobs
) -> None:
    retraining.start(retrain_request(), run_id="one")
    jobs.fail_next = Transient("503")

    report = retraining.status("one")

    assert report.run.state is RunState.QUEUED
    assert "503" in report.note


def test_a_run_is_followed_to_its_end_with_what_its_job_found(retraining: Retraining, jobs: FakeRetrainingJobs) -> None:
    retraining.start(retrain_request(), run_id="one")
    promoted = PoolResult(stage=PoolStage.PROMOTED, why="better", candidate={"pinball_share": 0.1})
    retraining.results.write(RunResult(run_id="one", pools={"web": promoted}, updated_at=NOW))
    jobs.end("one", JobPhase.COMPLETED)

    fields = retraining.status("one").fields()

    assert (fields["state"], fields["progress"]) == ("completed", 1.0)
    assert fields["results"]["web"]["candidate"] == {"pinball_share": 0.1}
    assert json.dumps(fields)


def test_canceling_ends_the_job_and_frees_its_pools(retraining: Retraining) -> None:
    retraining.start(retrain_request(), run_id="one")

    assert retraining.cancel("one").run.state is RunState.CANCELING
    assert retraining.status("one").run.state is RunState.CANCELED
    assert retraining.start(retrain_request(), run_id="two").is_new


def test_canceling_a_reservation_without_a_job_ends_it(retraining: Retraining, jobs: FakeRetrainingJobs) -> None:
    jobs.fail_next = Transient("503")
    with pytest.raises(RunPending):
        retraining.start(retrain_request(), run_id="one")

    assert retraining.cancel("one").run.state is RunState.CANCELED


def test_a_job_that_vanished_is_a_failed_run(retraining: Retraining, jobs: FakeRetrainingJobs) -> None:
    retraining.start(retrain_request(), run_id="one")
    del jobs.states["one"]

    assert retraining.status("one").run.state is RunState.FAILED


def test_an_unknown_run_is_not_found(retraining: Retraining) -> None:
    with pytest.raises(RunNotFound):
        retraining.status("nobody")


def test_old_runs_are_forgotten_and_active_ones_are_not(retraining: Retraining, jobs: FakeRetrainingJobs) -> None:
    retraining.start(retrain_request("kept"), run_id="kept")
    for index in range(RUNS_KEPT + 5):
        retraining.start(retrain_request("web"), run_id=f"run-{index}")
        jobs.end(f"run-{index}", JobPhase.COMPLETED)
        retraining.status(f"run-{index}")

    known = [run.run_id for run in retraining.runs.all()]

    assert len(known) == RUNS_KEPT + 1
    assert known[0] == f"run-{RUNS_KEPT + 4}"
    assert known[-1] == "kept"


def test_a_run_id_sorts_by_time() -> None:
    assert new_run_id(NOW, "abcdefghij") == "forescale-20261123-120000-abcdefgh"
