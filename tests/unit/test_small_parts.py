"""Telemetry, clocks, memories, the decision log, names in a directory, simulated pools that were damaged."""

import json
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaler.core.calibration import Calibration
from scaler.core.memory import Memory, OperationInFlight, Step
from scaler.core.orders import Order
from scaler.core.pool import Lever, PoolState, Provisioning
from scaler.local.simulated_pools import SimulatedPools
from scaler.memories import Memories
from scaler.record import DecisionLog
from shared.clock import system_clock
from shared.errors import BlobNotFound, CloudError, ConfigurationError
from shared.local.directory_blobs import DirectoryBlobs
from shared.local.fast_clock import CLOCK_FILE, FastClock, local_clock
from shared.ports import read_whole
from shared.telemetry import Event, emit
from tests.builders import NOW, STEP, pool
from tests.fakes.clock import FakeClock


@pytest.fixture
def blobs(tmp_path: Path) -> DirectoryBlobs:
    return DirectoryBlobs(tmp_path)


# telemetry


def test_an_event_is_one_line_of_json(caplog: pytest.LogCaptureFixture) -> None:
    fields = {"at": NOW, "took_s": STEP, "count": np.int64(3), "quantiles": np.array([1.0, 2.0]), "why": "a\nb"}

    with caplog.at_level(logging.INFO, logger="forescale"):
        emit(Event.SCALE_DECISION, fields)

    assert json.loads(caplog.messages[0]) == {
        "event": "scale_decision",
        "at": "2026-11-23T12:00:00+00:00",
        "took_s": 300.0,
        "count": 3,
        "quantiles": [1.0, 2.0],
        "why": "a\nb",
    }
    assert "\n" not in caplog.messages[0]


def test_an_event_keeps_its_level(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="forescale"):
        emit(Event.POOL_FAILED, {}, level=logging.ERROR)

    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_what_has_no_name_in_json_is_refused() -> None:
    with pytest.raises(TypeError, match="telemetry cannot carry object"):
        emit(Event.POOL_FAILED, {"what": object()})


def test_nan_is_no_telemetry() -> None:
    with pytest.raises(ValueError, match="JSON"):
        emit(Event.POOL_FAILED, {"demand": float("nan")})


# clocks


def test_the_system_clock_is_aware_and_in_utc() -> None:
    assert system_clock().utcoffset() == timedelta(0)


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


# memories


orders = st.builds(
    Order,
    at=st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    wanted_nodes=st.integers(0, 1000),
    desired_nodes=st.integers(0, 1000),
    plans=st.lists(st.integers(0, 1000), max_size=4).map(tuple),
)


@given(
    remembered=st.lists(orders, max_size=4).map(tuple),
    misses=st.integers(0, 10**9),
    debt=st.floats(allow_nan=False, allow_infinity=False),
)
def test_a_memory_is_loaded_as_it_was_saved(
    tmp_path_factory: pytest.TempPathFactory, remembered: tuple[Order, ...], misses: int, debt: float
) -> None:
    memories = Memories(DirectoryBlobs(tmp_path_factory.mktemp("memories")))
    memory = Memory(
        calibration=Calibration(misses=misses, debt=debt, missed=(0.5, 1.0), judged_until=NOW),
        orders=remembered,
        step=Step(interval_utc=NOW, to_nodes=2),
        operation=OperationInFlight(handle="h", lever=Lever.MIN_COUNT, nodes=3, started_at=NOW),
    )

    memories.save("web", memory, None)

    assert memories.load("web")[0] == memory


def test_a_pool_that_was_never_seen_starts_empty(blobs: DirectoryBlobs) -> None:
    assert Memories(blobs).load("web") == (Memory(), None)


def test_old_orders_are_forgotten() -> None:
    old, recent = (Order(at=NOW - timedelta(hours=age), wanted_nodes=1, desired_nodes=1) for age in (3, 1))
    now = Order(at=NOW, wanted_nodes=2, desired_nodes=2)

    kept = Memory(orders=(old, recent)).ordering(now, keep=timedelta(hours=2))

    assert kept.orders == (recent, now)


# the decision log


def test_a_day_without_decisions_is_not_found(blobs: DirectoryBlobs) -> None:
    with pytest.raises(BlobNotFound):
        DecisionLog(blobs).of_day("web", "2026-11-22")


def test_decisions_of_a_day_are_kept_in_order(blobs: DirectoryBlobs) -> None:
    log = DecisionLog(blobs)
    log.add({"pool": "web", "at": "2026-11-22T00:00:00+00:00", "number": 1})
    log.add({"pool": "web", "at": "2026-11-22T23:59:59+00:00", "number": 2})
    log.add({"pool": "web", "at": "2026-11-23T00:00:00+00:00", "number": 3})
    log.add({"pool": "web2", "at": "2026-11-24T00:00:00+00:00", "number": 4})

    assert [record["number"] for record in log.of_day("web", "2026-11-22")] == [1, 2]
    assert log.days("web") == ["2026-11-22", "2026-11-23"]


# a directory's names


@pytest.mark.parametrize(
    "name", ["", "/etc/passwd", "../outside", "a/../../outside", ".hidden", "a//b", "a/", "./a", "nul\0byte", ".lock"]
)
def test_a_name_that_is_no_blobs_name_is_refused(blobs: DirectoryBlobs, name: str) -> None:
    with pytest.raises(CloudError, match="is no blob name"):
        blobs.read(name)
    with pytest.raises(CloudError, match="is no blob name"):
        blobs.write(name, b"", if_etag=None)
    with pytest.raises(CloudError, match="is no blob name"):
        blobs.append(name, b"")


def test_what_the_disk_refuses_is_one_of_our_errors(blobs: DirectoryBlobs) -> None:
    blobs.write("file", b"", if_etag=None)

    with pytest.raises(CloudError, match="writing 'file/below' failed"):
        blobs.write("file/below", b"", if_etag=None)
    with pytest.raises(CloudError, match="appending to 'file/below' failed"):
        blobs.append("file/below", b"")
    with pytest.raises(CloudError, match="reading .* failed: File name too long"):
        blobs.read("a" * 300)


def test_a_write_that_failed_leaves_no_half_file_among_the_names(blobs: DirectoryBlobs, tmp_path: Path) -> None:
    (tmp_path / ".writing-abc").write_bytes(b"half")

    assert blobs.names("") == []


# pools


def test_a_simulated_pool_starts_at_its_minimum_and_is_stored(blobs: DirectoryBlobs) -> None:
    simulated = SimulatedPools(blobs, FakeClock(NOW))

    assert simulated.read(pool(min_nodes=3)).nodes == 3
    assert json.loads(read_whole(blobs, "simulated/web.json").data)["setting"] == 3


def test_no_pool_has_fewer_than_no_nodes() -> None:
    with pytest.raises(ValueError, match="-1 nodes"):
        PoolState(nodes=-1, provisioning=Provisioning.READY)
