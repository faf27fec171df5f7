"""Idempotency keys: the same key is answered with the same run, whatever became of it."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from shared.errors import KeyReused
from tests.builders import retrain_request
from tests.fakes.retraining_jobs import FakeRetrainingJobs
from training.ports import JobPhase
from training.request import Caller
from training.retraining import Retraining
from training.runs import KEYS_KEPT, RUNS_FILE, RunState


def test_the_same_key_means_the_same_run_even_after_it_is_over(
    retraining: Retraining, jobs: FakeRetrainingJobs
) -> None:
    retraining.start(retrain_request(), Caller(key="k"), run_id="one")
    jobs.end("one", JobPhase.COMPLETED)
    retraining.status("one")

    again = retraining.start(retrain_request(), Caller(key="k"), run_id="two")

    assert (again.run.run_id, again.is_new) == ("one", False)
    assert list(jobs.jobs) == ["one"]


def test_the_same_key_with_another_ask_is_refused(retraining: Retraining) -> None:
    retraining.start(retrain_request(), Caller(key="k"), run_id="one")

    with pytest.raises(KeyReused):
        retraining.start(retrain_request("batch"), Caller(key="k"), run_id="two")


def test_the_key_itself_is_not_stored(retraining: Retraining, tmp_path: Path) -> None:
    retraining.start(retrain_request(), Caller(key="a-private-key"), run_id="one")

    assert "a-private-key" not in (tmp_path / RUNS_FILE).read_text()


def test_a_key_that_joined_a_run_is_answered_with_it_again_even_after_it_is_over(
    retraining: Retraining, jobs: FakeRetrainingJobs
) -> None:
    retraining.start(retrain_request(), run_id="one")
    joined = retraining.start(retrain_request(), Caller(key="k"), run_id="two")
    jobs.end("one", JobPhase.COMPLETED)
    retraining.status("one")

    again = retraining.start(retrain_request(), Caller(key="k"), run_id="three")

    assert (joined.run.run_id, joined.is_new) == ("one", False)
    assert (again.run.run_id, again.is_repeat, again.run.state) == ("one", True, RunState.COMPLETED)
    with pytest.raises(KeyReused):
        retraining.start(retrain_request(reason="another"), Caller(key="k"), run_id="four")
    assert list(jobs.jobs) == ["one"]


def test_a_key_does_not_join_a_run_that_is_over_although_nobody_looked(
    retraining: Retraining, jobs: FakeRetrainingJobs
) -> None:
    retraining.start(retrain_request(), run_id="one")
    jobs.end("one", JobPhase.FAILED)

    started = retraining.start(retrain_request(), Caller(key="k"), run_id="two")
    again = retraining.start(retrain_request(), Caller(key="k"), run_id="three")

    assert (started.run.run_id, started.is_new) == ("two", True)
    assert (again.run.run_id, again.is_repeat) == ("two", True)


def test_two_requests_at_once_under_one_key_get_one_run(retraining: Retraining, jobs: FakeRetrainingJobs) -> None:
    caller = Caller(key="k")

    with ThreadPoolExecutor(8) as callers:
        found = list(callers.map(lambda name: retraining.start(retrain_request(), caller, run_id=name), "abcdefgh"))

    assert len({reservation.run.run_id for reservation in found}) == 1
    assert len(jobs.jobs) == 1


def test_a_run_remembers_the_newest_keys_only(retraining: Retraining) -> None:
    [retraining.start(retrain_request(), Caller(key=f"{number}"), run_id="one") for number in range(KEYS_KEPT + 3)]

    keys = retraining.runs.get("one").keys

    assert len(keys) == KEYS_KEPT
    assert Caller(key="0").key_digest not in keys
    assert Caller(key=f"{KEYS_KEPT + 2}").key_digest in keys
