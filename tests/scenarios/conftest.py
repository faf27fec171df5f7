"""A whole local world for ticks: a directory, simulated pools, a clock that moves when told."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scaler.core.pool import Operation, PoolState, Resize
from scaler.fallback import Models
from scaler.fan_out import FanOut
from scaler.local.simulated_pools import SimulatedPool, SimulatedPools
from scaler.record import Record
from scaler.stores import DecisionLog, MemoryStore
from scaler.tick import Tick
from shared.demand.blob_source import BlobDemandSource
from shared.demand.csv_format import write_demand_csv
from shared.demand.source import DemandSource
from shared.errors import BlobNotFound, CloudError, TickFailed
from shared.forecasting.store import ModelStore
from shared.local.directory_blobs import DirectoryBlobs
from shared.pools import BlobDemand, Pool
from shared.ports import Blob
from tests.builders import NOW, draft_card, flat, pool
from tests.fakes.clock import FakeClock


class FailingBlobs(DirectoryBlobs):
    """Blobs in a directory, of which some names cannot be reached: a fault for each prefix."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.faults: dict[str, CloudError] = {}
        self.before_write: Callable[[str], None] = lambda _: None

    def read(self, name: str) -> Blob:
        self._fail(name)
        return super().read(name)

    def write(self, name: str, data: bytes, *, if_etag: str | None) -> str:
        self._fail(name)
        self.before_write(name)
        return super().write(name, data, if_etag=if_etag)

    def append(self, name: str, data: bytes) -> None:
        self._fail(name)
        super().append(name, data)

    def _fail(self, name: str) -> None:
        for prefix, fault in self.faults.items():
            if name.startswith(prefix):
                raise fault


class FailingPools(SimulatedPools):
    """Simulated pools, of which some fail: a fault for each pool, when it is read or when it is resized."""

    def __init__(self, blobs: DirectoryBlobs, clock: FakeClock) -> None:
        super().__init__(blobs, clock)
        self.read_faults: dict[str, Exception] = {}
        self.resize_faults: dict[str, CloudError] = {}
        self.before_resize: Callable[[Pool], None] = lambda _: None

    def read(self, pool: Pool) -> PoolState:
        _raise(self.read_faults, pool)
        return super().read(pool)

    def resize(self, pool: Pool, state: PoolState, resize: Resize) -> Operation:
        self.before_resize(pool)
        _raise(self.resize_faults, pool)
        return super().resize(pool, state, resize)


def _raise(faults: Mapping[str, Exception], pool: Pool) -> None:
    if pool.name in faults:
        raise faults[pool.name]


@dataclass
class World:
    """Everything a tick touches, with short ways to arrange it and to look at what became of it."""

    directory: Path
    clock: FakeClock = field(default_factory=lambda: FakeClock(NOW))

    def __post_init__(self) -> None:
        self.blobs = FailingBlobs(self.directory)
        self.pools = FailingPools(self.blobs, self.clock)
        self.models = ModelStore(self.blobs)
        self.log = DecisionLog(self.blobs)
        self._sources: dict[Pool, DemandSource] = {}

    def tick(self, *pools: Pool, now_utc: datetime | None = None) -> list[Record]:
        """Run one tick now, as one process after another would."""
        if now_utc is not None:
            self.clock.now = now_utc
        return self.new_tick().run(pools or (pool(),), now_utc=self.clock())

    def failed_tick(self, *pools: Pool) -> str:
        """Run one tick that must go red; return what it says."""
        with pytest.raises(TickFailed) as raised:
            self.tick(*pools)
        return str(raised.value)

    def new_tick(self) -> FanOut:
        return FanOut(
            tick=Tick(
                demand=self._source,
                node_pools=self.pools,
                models=Models(store=self.models),
                memories=MemoryStore(self.blobs),
                log=self.log,
            )
        )

    def _source(self, wanted: Pool) -> DemandSource:
        assert isinstance(wanted.demand, BlobDemand)
        return self._sources.setdefault(wanted, BlobDemandSource(self.blobs, wanted.demand, pool=wanted.name))

    def put(self, name: str, data: bytes | str) -> None:
        """Store a blob, whatever was there."""
        try:
            etag = DirectoryBlobs.read(self.blobs, name)
        except BlobNotFound:
            etag = None
        content = data.encode() if isinstance(data, str) else data
        DirectoryBlobs.write(self.blobs, name, content, if_etag=etag.etag if etag else None)

    def stored(self, name: str) -> bytes:
        return (self.directory / name).read_bytes()

    def demand(self, value: float, *, end_utc: datetime = NOW, name: str = "demand.csv") -> None:
        """Store demand that was ``value`` for two days, with a little ripple, until ``end_utc``."""
        steady = flat(value, intervals=576, end_utc=end_utc)
        ripple = value * (1 + 0.01 * np.sin(np.arange(576)))[:, np.newaxis]
        self.put(name, write_demand_csv(type(steady)(start_utc=steady.start_utc, step=steady.step, values=ripple)))

    def model(self, *, name: str = "web", version: str = "1", **changes: Any) -> None:
        """Publish and promote a seasonal naive model."""
        self.models.publish(draft_card(pool=name, version=version, **changes), {})
        self.models.promote(name, version, now_utc=NOW, reason="test")

    def nodes(self, name: str = "web") -> int:
        return int(json.loads(self.stored(f"simulated/{name}.json"))["configured_nodes"])

    def start_at(self, nodes: int, name: str = "web") -> None:
        """Give a simulated pool a number of nodes."""
        self.pools.place(pool(name=name), SimulatedPool(configured_nodes=nodes))

    def reasons(self, name: str = "web") -> list[str]:
        """The reasons of the pool's latest logged decision."""
        day = self.log.days(name)[-1]
        return list(self.log.of_day(name, day)[-1]["reasons"])


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)
