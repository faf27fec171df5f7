"""Node pools without a cloud."""

import json
from pathlib import Path

import pytest

from scaler.local.simulated_pools import SimulatedPools
from shared.local.directory_blobs import DirectoryBlobs
from tests.builders import NOW, pool
from tests.fakes.clock import FakeClock


@pytest.fixture
def blobs(tmp_path: Path) -> DirectoryBlobs:
    return DirectoryBlobs(tmp_path)


def test_a_simulated_pool_starts_at_its_minimum_and_is_stored(blobs: DirectoryBlobs) -> None:
    simulated = SimulatedPools(blobs, FakeClock(NOW))

    assert simulated.read(pool(min_nodes=3)).nodes == 3
    assert json.loads(blobs.read("simulated/web.json").data)["configured_nodes"] == 3
