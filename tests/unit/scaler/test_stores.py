"""What ticks remember and what they decided, as blobs."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaler.core.memory import Memory, ResponseTimeStep
from scaler.core.miss_price import MissPriceState
from scaler.core.orders import Order
from scaler.core.pool import Operation, Resize, ScaledField
from scaler.stores import DecisionLog, MemoryStore
from shared.errors import BlobNotFound
from shared.local.directory_blobs import DirectoryBlobs
from tests.builders import NOW


@pytest.fixture
def blobs(tmp_path: Path) -> DirectoryBlobs:
    return DirectoryBlobs(tmp_path)


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
    memories = MemoryStore(DirectoryBlobs(tmp_path_factory.mktemp("memories")))
    memory = Memory(
        miss_price=MissPriceState(misses=misses, debt_misses=debt, plan_misses=(0.5, 1.0), observed_until=NOW),
        orders=remembered,
        response_time_step=ResponseTimeStep(interval_utc=NOW, to_nodes=2),
        operation=Operation(handle="h", resize=Resize(scaled_field=ScaledField.MIN_COUNT, nodes=3), started_at=NOW),
    )

    memories.save("web", memory, None)

    assert memories.load("web")[0] == memory


def test_a_pool_that_was_never_seen_starts_empty(blobs: DirectoryBlobs) -> None:
    assert MemoryStore(blobs).load("web") == (Memory(), None)


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
