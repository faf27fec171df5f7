"""Retraining over a directory, a clock that the test moves and a service of jobs in memory."""

from pathlib import Path

import pytest

from shared.local.directory_blobs import DirectoryBlobs
from tests.builders import NOW
from tests.fakes.clock import FakeClock
from tests.fakes.retraining_jobs import FakeRetrainingJobs
from training.results import Results
from training.retraining import Retraining
from training.runs import Runs


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
def jobs() -> FakeRetrainingJobs:
    return FakeRetrainingJobs()


@pytest.fixture
def retraining(tmp_path: Path, clock: FakeClock, jobs: FakeRetrainingJobs) -> Retraining:
    blobs = DirectoryBlobs(tmp_path)
    return Retraining(jobs=lambda: jobs, runs=Runs(blobs), results=Results(blobs), clock=clock)
