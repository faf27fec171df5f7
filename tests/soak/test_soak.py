"""A day of ticks against AKS over HTTP, one request in ten going wrong: it ends right, and does no wrong on the way."""

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import numpy as np
import pytest

from scaler.fallback import Models
from scaler.fan_out import FanOut
from scaler.stores import DecisionLog, MemoryStore
from scaler.tick import Tick
from shared.demand.history import History
from shared.errors import TickFailed
from shared.forecasting.store import ModelStore
from shared.local.directory_blobs import DirectoryBlobs
from shared.pools import CapacitySizing, Mode, Pool
from tests.fakes.arm_cluster import FakePool, autoscaled, properties
from tests.fakes.arm_faults import WRITE_FAULTS
from tests.fakes.arm_harness import AksOnFake, aks_on_fake, pool_named
from tests.fakes.clock import FakeClock

DAY = timedelta(hours=24)
STEP = timedelta(minutes=5)
KNOWN_BEFORE = timedelta(days=8)


class DayAndNight:
    """Demand that swings with the day and every two hours, and stays about 60 for the last three hours of the soak."""

    def __init__(self, start: datetime) -> None:
        first = start - KNOWN_BEFORE
        intervals = int((KNOWN_BEFORE + DAY) / STEP)
        calm_from = intervals - int(timedelta(hours=3) / STEP)
        swing = [30 * math.sin(2 * math.pi * k / 288) + 15 * math.sin(2 * math.pi * k / 24) for k in range(intervals)]
        values = [60 + swing[k] * (k < calm_from) + 0.01 * (k % 2) for k in range(intervals)]
        self._whole = History(start_utc=first, step=STEP, values=np.array(values)[:, None])

    def history(self, now_utc: datetime) -> History:
        return self._whole.until(now_utc)


@dataclass(frozen=True, slots=True)
class Soak:
    """What a day left behind."""

    aks: AksOnFake
    pools: dict[str, tuple[Pool, FakePool]]

    @property
    def configured_nodes(self) -> dict[str, int]:
        return {name: self.aks.read(pool).configured_nodes for name, (pool, _) in self.pools.items()}

    @property
    def nodes(self) -> dict[str, int]:
        return {name: found.real_nodes for name, (_, found) in self.pools.items()}

    @property
    def asked_for(self) -> Iterator[tuple[int, int, int]]:
        """Every number of nodes that was asked for, with the limits of its pool."""
        for _, name, body in self.aks.arm.cluster().puts:
            pool, asked = self.pools[name][0], body["properties"]
            field = "minCount" if asked["enableAutoScaling"] else "count"
            yield pool.min_nodes, asked[field], min(pool.max_nodes, asked.get("maxCount", 1000))


@contextlib.contextmanager
def a_day(folder: Path, *, rate: float, seed: int = 0) -> Iterator[Soak]:
    with aks_on_fake() as aks:
        pools = {
            "web": _pool(aks, "web", **properties()),
            "api": _pool(aks, "api", **autoscaled(2, 9)),
            "sys": _pool(aks, "sys", **autoscaled(1, 30, mode="System")),
        }
        aks.arm.faults.rate, aks.arm.faults.random = rate, Random(seed)  # noqa: S311 - a soak must repeat
        tick = _tick(aks, folder, aks.clock)
        for _ in range(int(DAY / STEP)):
            for pool, _ in pools.values():
                with contextlib.suppress(TickFailed):
                    tick.run([pool], now_utc=aks.clock())
            aks.clock.advance(minutes=5)
            aks.arm.cluster()
        yield Soak(aks, pools)


def _pool(aks: AksOnFake, name: str, **described: object) -> tuple[Pool, FakePool]:
    sizing = CapacitySizing(kind="capacity", units_per_node=10)
    return pool_named(name, mode=Mode.ACT, sizing=sizing, max_nodes=12), aks.arm.cluster().add(name, **described)


def _tick(aks: AksOnFake, folder: Path, clock: FakeClock) -> FanOut:
    blobs = DirectoryBlobs(folder)
    demand = DayAndNight(clock())
    return FanOut(
        tick=Tick(
            demand=lambda _: demand,
            node_pools=aks.pools,
            models=Models(store=ModelStore(blobs)),
            memories=MemoryStore(blobs),
            log=DecisionLog(blobs),
        )
    )


@pytest.fixture(scope="module")
def settings_of_a_calm_day(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    with a_day(tmp_path_factory.mktemp("calm"), rate=0) as calm:
        return calm.configured_nodes


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_a_day_with_one_request_in_ten_going_wrong_ends_right(
    tmp_path: Path, seed: int, settings_of_a_calm_day: dict[str, int]
) -> None:
    with a_day(tmp_path, rate=0.1, seed=seed) as rough:
        limits = list(rough.asked_for)
        pools = [found for _, found in rough.pools.values()]

        assert rough.configured_nodes == settings_of_a_calm_day
        assert rough.nodes == settings_of_a_calm_day
        assert rough.aks.arm.cluster().misdeeds == []
        assert all(low <= asked <= high for low, asked, high in limits)
        assert all(set(found.marks) <= set(found.properties["tags"]) for found in pools)
        assert all(found.rollbacks == 0 for found in pools)
        assert rough.aks.arm.faults.met.keys() >= set(WRITE_FAULTS)
        assert len(limits) >= 100
