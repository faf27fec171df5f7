"""A resize that was accepted is told, whatever becomes of the store afterwards."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from scaler.fallback import Models
from scaler.fan_out import FanOut
from scaler.local.simulated_pools import SimulatedPools
from scaler.stores import DecisionLog, MemoryStore
from scaler.tick import Tick
from shared.demand.blob_source import BlobDemandSource
from shared.demand.csv_format import write_demand_csv
from shared.errors import Transient
from shared.forecasting.store import ModelStore
from shared.local.directory_blobs import DirectoryBlobs
from shared.pools import BlobDemand
from tests.builders import NOW, flat, pool


class LogThatFails(DecisionLog):
    """A decision log whose store does not answer."""

    def add(self, fields: Mapping[str, Any]) -> None:
        msg = f"the store did not take the record of {fields['pool']}"
        raise Transient(msg)


def test_a_resize_is_told_in_telemetry_although_its_record_could_not_be_stored(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blobs = DirectoryBlobs(tmp_path)
    blobs.write("demand.csv", write_demand_csv(flat(600.0)).encode(), if_etag=None)
    pools = SimulatedPools(blobs, lambda: NOW)
    tick = FanOut(
        tick=Tick(
            demand=lambda one: BlobDemandSource(blobs, BlobDemand(source="blob", path="demand.csv"), pool=one.name),
            node_pools=pools,
            models=Models(store=ModelStore(blobs)),
            memories=MemoryStore(blobs),
            log=LogThatFails(blobs),
        )
    )

    with caplog.at_level(logging.INFO, logger="forescale"):
        records = tick.run([pool()], now_utc=NOW)

    events = [json.loads(line.getMessage()) for line in caplog.records if line.name == "forescale"]
    assert records == []
    assert [(line["event"], line.get("applied")) for line in events] == [
        ("scale_decision", True),
        ("pool_failed", None),
    ]
    assert pools.read(pool()).nodes == events[0]["desired_nodes"]
    assert MemoryStore(blobs).load("web")[0].operation is not None
