"""A clock that runs faster than the world."""

from datetime import UTC, timedelta
from pathlib import Path

import pytest

from shared.clock import system_clock
from shared.errors import ConfigurationError
from shared.local.directory_blobs import DirectoryBlobs
from shared.local.fast_clock import CLOCK_FILE, FastClock, local_clock
from tests.builders import NOW


@pytest.fixture
def blobs(tmp_path: Path) -> DirectoryBlobs:
    return DirectoryBlobs(tmp_path)


def test_a_fast_clock_runs_as_many_times_as_fast() -> None:
    began = system_clock() - timedelta(seconds=10)
    clock = FastClock(real_utc=began, shown_utc=NOW, speed=300)

    assert timedelta(minutes=50) <= clock() - NOW < timedelta(minutes=60)
    assert clock().tzinfo is UTC


def test_without_a_clock_file_the_machines_clock_counts(blobs: DirectoryBlobs) -> None:
    assert local_clock(blobs) is system_clock


def test_the_clock_file_winds_the_clock(blobs: DirectoryBlobs) -> None:
    wound = FastClock(real_utc=NOW, shown_utc=NOW, speed=2)
    blobs.write(CLOCK_FILE, wound.model_dump_json().encode(), if_etag=None)

    assert local_clock(blobs) == wound


@pytest.mark.parametrize("content", [b"", b"{}", b'{"speed": 0}', b"\xff"])
def test_a_clock_file_that_is_none_is_one_clear_error(blobs: DirectoryBlobs, content: bytes) -> None:
    blobs.write(CLOCK_FILE, content, if_etag=None)

    with pytest.raises(ConfigurationError, match=r"clock\.json cannot be read"):
        local_clock(blobs)
