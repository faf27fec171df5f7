"""Demand from blobs, and the archive of what a live source answered."""

import logging
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.demand.archive import ArchivedDemand
from shared.demand.blob_source import BlobDemandSource
from shared.demand.history import History
from shared.errors import CloudError, DemandError, DemandUnavailable, Transient
from shared.local.directory_blobs import DirectoryBlobs
from shared.pools import BlobDemand
from tests.builders import NOW, STEP, flat, history

HEAD = "timestamp,demand\n"
DAILY = BlobDemand(source="blob")


@pytest.fixture
def blobs(tmp_path: Path) -> DirectoryBlobs:
    return DirectoryBlobs(tmp_path)


class Live:
    """A live source that answers what it was given."""

    def __init__(self, answer: History) -> None:
        self.answer = answer

    def history(self, now_utc: datetime) -> History:
        return self.answer.until(now_utc)


def put(blobs: DirectoryBlobs, name: str, text: str) -> None:
    blobs.write(name, text.encode(), if_etag=None)


def daily(blobs: DirectoryBlobs, demand: BlobDemand = DAILY) -> BlobDemandSource:
    return BlobDemandSource(blobs, demand, pool="web")


def test_daily_files_are_laid_behind_one_another(blobs: DirectoryBlobs) -> None:
    put(blobs, "history/web/2026-11-22.csv", HEAD + "2026-11-22T23:50Z,1\n2026-11-22T23:55Z,2\n")
    put(blobs, "history/web/2026-11-23.csv", HEAD + "2026-11-23T00:00Z,3\n2026-11-23T00:05Z,4\n")

    assert daily(blobs).history(NOW).demand.tolist() == [1, 2, 3, 4]


def test_a_day_that_has_begun_with_one_row_is_a_day(blobs: DirectoryBlobs) -> None:
    put(blobs, "history/web/2026-11-22.csv", HEAD + "2026-11-22T23:50Z,1\n2026-11-22T23:55Z,2\n")
    put(blobs, "history/web/2026-11-23.csv", HEAD + "2026-11-23T00:00Z,3\n")

    assert daily(blobs).history(NOW).demand.tolist() == [1, 2, 3]


def test_a_day_of_one_row_may_be_the_first(blobs: DirectoryBlobs) -> None:
    put(blobs, "history/web/2026-11-22.csv", HEAD + "2026-11-22T23:55Z,1\n")
    put(blobs, "history/web/2026-11-23.csv", HEAD + "2026-11-23T00:00Z,2\n2026-11-23T00:05Z,3\n")

    assert daily(blobs).history(NOW).demand.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("today", "expected"),
    [
        pytest.param("timestamp,users\n2026-11-23T00:00Z,3\n", "disagree on their columns", id="other columns"),
        pytest.param(HEAD + "2026-11-22T23:55Z,3\n", "appears twice", id="yesterday's row again"),
        pytest.param(HEAD + "2026-11-22T23:57Z,3\n", "off the grid", id="another step"),
        pytest.param(HEAD + "2026-11-23T00:00Z,x\n", "history/web/2026-11-23.csv, line 2: demand is 'x'", id="a word"),
    ],
)
def test_daily_files_that_do_not_fit_are_refused(blobs: DirectoryBlobs, today: str, expected: str) -> None:
    put(blobs, "history/web/2026-11-22.csv", HEAD + "2026-11-22T23:50Z,1\n2026-11-22T23:55Z,2\n")
    put(blobs, "history/web/2026-11-23.csv", today)

    with pytest.raises(DemandError, match=expected):
        daily(blobs).history(NOW)


def test_only_the_days_that_a_tick_needs_are_read(blobs: DirectoryBlobs) -> None:
    put(blobs, "history/web/2026-01-01.csv", "rubbish")
    put(blobs, "history/web/2026-11-22.csv", HEAD + "2026-11-22T23:50Z,1\n2026-11-22T23:55Z,2\n")

    assert len(BlobDemandSource(blobs, DAILY, pool="web", days=1).history(NOW)) == 2


def test_a_changed_file_is_read_again(blobs: DirectoryBlobs) -> None:
    source = daily(blobs, BlobDemand(source="blob", path="d.csv", step_min=5))
    put(blobs, "d.csv", HEAD + "2026-11-23T00:00Z,1\n")
    source.history(NOW)
    blobs.write("d.csv", (HEAD + "2026-11-23T00:00Z,9\n").encode(), if_etag=blobs.read("d.csv").etag)

    assert source.history(NOW).demand.tolist() == [9]


class Unreachable(DirectoryBlobs):
    def names(self, prefix: str) -> list[str]:
        raise Transient(prefix)


def test_a_store_that_does_not_answer_may_do_so_later(tmp_path: Path) -> None:
    with pytest.raises(DemandUnavailable):
        daily(Unreachable(tmp_path)).history(NOW)


# the archive


def archived(blobs: DirectoryBlobs, answer: History) -> History:
    return ArchivedDemand(Live(answer), blobs, pool="web").history(NOW)


def test_an_answer_is_passed_on_and_kept_day_by_day(blobs: DirectoryBlobs) -> None:
    answer = flat(5.0, intervals=400)

    assert archived(blobs, answer).demand.tolist() == answer.demand.tolist()
    assert blobs.names("history/") == ["history/web/2026-11-22.csv", "history/web/2026-11-23.csv"]
    assert daily(blobs).history(NOW).demand.tolist() == answer.demand.tolist()


def test_what_is_kept_stays_when_the_source_forgets_it(blobs: DirectoryBlobs) -> None:
    archived(blobs, history([1.0, 2.0, 3.0, 4.0]))

    archived(blobs, history([30.0, 40.0]))

    assert daily(blobs).history(NOW).demand.tolist() == [1, 2, 30, 40]


def test_what_was_unknown_is_learnt_and_what_was_known_stays(blobs: DirectoryBlobs) -> None:
    archived(blobs, history([1.0, np.nan, 3.0]))

    archived(blobs, history([np.nan, 2.0, 3.0]))

    assert daily(blobs).history(NOW).demand.tolist() == [1, 2, 3]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(step_min=st.integers(1, 20_000), intervals=st.integers(1, 40))
def test_any_step_is_cut_into_days_without_loss(
    tmp_path_factory: pytest.TempPathFactory, step_min: int, intervals: int
) -> None:
    blobs = DirectoryBlobs(tmp_path_factory.mktemp("archive"))
    step = timedelta(minutes=step_min)
    answer = history(list(range(intervals)), step=step)

    archived(blobs, answer)

    whole = BlobDemandSource(
        blobs, BlobDemand.model_construct(source="blob", step_min=step_min, unit="", path=None), pool="web", days=None
    )
    assert whole.history(NOW).demand.tolist() == answer.demand.tolist()


@pytest.mark.parametrize("stored", ["rubbish", "\x80\x81", HEAD, HEAD + "2026-11-23T00:01:30Z,1\n"])
def test_an_archive_that_cannot_be_read_is_left_alone(
    blobs: DirectoryBlobs, stored: str, caplog: pytest.LogCaptureFixture
) -> None:
    put(blobs, "history/web/2026-11-23.csv", stored)

    with caplog.at_level(logging.WARNING):
        answered = archived(blobs, flat(5.0, intervals=3))

    assert len(answered) == 3
    assert "the demand of pool 'web' could not be archived" in caplog.text
    assert blobs.read("history/web/2026-11-23.csv").data == stored.encode()


class Full(DirectoryBlobs):
    def write(self, name: str, data: bytes, *, if_etag: str | None) -> str:
        raise CloudError(f"{name}: {len(data)} bytes, {if_etag}: no space left")  # noqa: EM102, TRY003


def test_an_archive_that_cannot_be_written_costs_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert len(archived(Full(tmp_path), flat(5.0, intervals=3))) == 3

    assert "no space left" in caplog.text


def test_a_day_without_demand_is_not_kept(blobs: DirectoryBlobs) -> None:
    archived(blobs, history([np.nan] * 3))

    assert blobs.names("history/") == []
    assert timedelta(minutes=5) == STEP
