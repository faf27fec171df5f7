"""Ticks that overlap, crash in the middle, or serve several pools of which one fails."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest

from scaler.core.pool import PoolState, Resize, ScaledField
from scaler.core.reasons import Reason
from scaler.local.simulated_pools import SimulatedPool
from scaler.stores import MemoryStore
from shared.errors import (
    CloudError,
    Forbidden,
    NoCapacity,
    PoolBusy,
    PoolChanged,
    PoolNotFound,
    QuotaExceeded,
    Throttled,
    Transient,
)
from shared.pools import Pool
from tests.builders import NOW, pool
from tests.scenarios.conftest import World

BUSY = 950.0


@pytest.fixture
def busy(world: World) -> World:
    """Two pools with demand for about ten nodes each, at one node."""
    world.demand(BUSY)
    world.model(name="web")
    world.model(name="batch")
    return world


def both() -> list[Pool]:
    return [pool(name="web"), pool(name="batch")]


def test_of_two_ticks_at_once_one_acts_and_one_leaves_no_trace(busy: World) -> None:
    meeting = Barrier(2, timeout=30)
    busy.blobs.before_write = lambda name: meeting.wait() if name.startswith("state/") and meeting.n_waiting < 2 else 0  # type: ignore[assignment]
    ticks = [busy.new_tick(), busy.new_tick()]
    busy.pools.before_resize = lambda _: setattr(busy.blobs, "before_write", lambda _: None)
    busy.pools.read(pool())

    with ThreadPoolExecutor(2) as threads:
        served = [len(records) for records in threads.map(lambda tick: tick.run([pool()], now_utc=NOW), ticks)]

    assert sorted(served) == [0, 1]
    assert busy.nodes() >= 10
    assert len(busy.log.of_day("web", "2026-11-23")) == 1


def test_a_tick_that_runs_twice_converges(busy: World) -> None:
    busy.tick()
    nodes = busy.nodes()
    busy.clock.advance(minutes=3)

    busy.tick(now_utc=busy.clock())

    assert busy.nodes() == nodes


def test_a_crash_between_save_and_act_is_made_good_by_the_next_tick(busy: World) -> None:
    def crash(_: Pool) -> None:
        raise KeyboardInterrupt

    busy.pools.before_resize = crash
    with pytest.raises(KeyboardInterrupt):
        busy.tick()
    busy.pools.before_resize = lambda _: None
    assert MemoryStore(busy.blobs).load("web")[0].orders[-1].desired_nodes >= 10
    assert busy.nodes() == 1

    busy.clock.advance(minutes=5)
    busy.tick()

    assert busy.nodes() >= 10


def test_a_crash_after_acting_is_no_second_resize(busy: World) -> None:
    busy.blobs.faults["decisions/"] = CloudError("appending failed (409 InvalidBlobType)")
    assert "appending failed" in busy.failed_tick()
    nodes = busy.nodes()
    busy.blobs.faults.clear()

    busy.clock.advance(minutes=5)
    (record,) = busy.tick()

    assert busy.nodes() == nodes
    assert record.decision.resize is None


def test_one_failing_pool_does_not_stop_the_other_and_is_named(busy: World) -> None:
    busy.pools.read_faults["web"] = PoolNotFound("there is no node pool 'web'")

    message = busy.failed_tick(*both())

    assert message == "web: there is no node pool 'web'"
    assert busy.nodes("batch") >= 10


def test_every_failing_pool_is_named(busy: World) -> None:
    busy.pools.read_faults["web"] = PoolNotFound("there is no node pool 'web'")
    busy.pools.read_faults["batch"] = RuntimeError("a fault of our own")

    message = busy.failed_tick(*both())

    assert message == "web: there is no node pool 'web'; batch: RuntimeError: a fault of our own"


def test_a_passing_fault_calls_nobody(busy: World) -> None:
    busy.pools.read_faults["web"] = Transient("reading the pool failed (503)")

    records = busy.tick(*both())

    assert [record.decision.pool for record in records if record.applied] == ["batch"]


def test_pools_are_served_side_by_side(busy: World) -> None:
    meeting = Barrier(2, timeout=30)
    busy.pools.before_resize = lambda _: meeting.wait()  # type: ignore[assignment]

    records = busy.tick(*both())

    assert [record.applied for record in records] == [True, True]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        pytest.param(PoolBusy("busy"), Reason.POOL_BUSY, id="busy"),
        pytest.param(PoolChanged("changed"), Reason.POOL_CHANGED, id="changed"),
        pytest.param(Throttled("later", retry_after=timedelta(minutes=5)), Reason.THROTTLED, id="throttled"),
        pytest.param(Transient("no answer"), Reason.CLOUD_UNREACHABLE, id="unreachable"),
    ],
)
def test_a_resize_that_the_next_tick_mends_calls_nobody(busy: World, fault: CloudError, reason: Reason) -> None:
    busy.pools.resize_faults["web"] = fault

    (record,) = busy.tick()

    assert (record.reasons[-1], record.applied, busy.nodes()) == (reason, False, 1)
    assert str(fault) in record.notes


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        pytest.param(QuotaExceeded("raise the quota"), Reason.QUOTA_EXCEEDED, id="quota"),
        pytest.param(NoCapacity("no machines"), Reason.NO_CAPACITY, id="no capacity"),
        pytest.param(Forbidden("grant the action"), Reason.FORBIDDEN, id="forbidden"),
        pytest.param(CloudError("odd", code="InvalidParameter"), Reason.CLOUD_ERROR, id="anything else"),
    ],
)
def test_a_resize_that_a_person_must_look_at_turns_the_tick_red(busy: World, fault: CloudError, reason: Reason) -> None:
    busy.pools.resize_faults["web"] = fault

    assert str(fault) in busy.failed_tick()
    assert busy.reasons()[-1] == reason
    assert busy.nodes() == 1


def test_observing_decides_and_touches_nothing(busy: World) -> None:
    (record,) = busy.tick(pool(mode="observe"))

    assert record.reasons == (Reason.MODEL, Reason.NEEDS_MORE, Reason.OBSERVING)
    assert record.decision.desired_nodes >= 10
    assert busy.nodes() == 1


def test_while_a_resize_is_under_way_nothing_is_written(busy: World) -> None:
    busy.tick()
    busy.demand(BUSY * 1.5, end_utc=NOW)
    busy.clock.advance(minutes=1)
    before = busy.nodes()

    (record,) = busy.tick()

    assert Reason.POOL_BUSY in record.reasons
    assert busy.nodes() == before


def test_an_autoscaled_pool_has_its_floor_moved(busy: World) -> None:
    busy.pools.place(pool(), SimulatedPool(configured_nodes=1, max_count=8))

    (record,) = busy.tick()

    assert record.decision.resize == Resize(scaled_field=ScaledField.MIN_COUNT, nodes=8)
    assert Reason.AUTOSCALER_MAX in record.reasons
    state: PoolState = busy.pools.read(pool())
    assert state.autoscaler is not None
    assert state.autoscaler.min_count == 8
