import json
from pathlib import Path

import pytest

from scaler.__main__ import main
from scaler.local.simulated_pools import SimulatedPool, SimulatedPools
from shared.clock import system_clock
from shared.local.directory_blobs import DirectoryBlobs
from shared.pools import read_pools

POOLS = {
    "pools": [
        {
            "name": "web",
            "max_nodes": 9,
            "demand": {"source": "blob"},
            "sizing": {"kind": "capacity", "units_per_node": 5},
        }
    ]
}


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "pools.json").write_text(json.dumps(POOLS))
    monkeypatch.setenv("FORESCALE_BACKEND", "local")
    monkeypatch.setenv("FORESCALE_LOCAL_DIR", str(tmp_path))


@pytest.mark.usefixtures("local")
def test_pools_check_tells_a_machine_everything(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["pools", "check", "--json"])

    shown = json.loads(capsys.readouterr().out)
    assert code == 0
    assert [(pool["pool"], pool["exists"], pool["can_act"]) for pool in shown] == [("web", True, True)]


@pytest.mark.usefixtures("local")
def test_pools_check_tells_a_person_in_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pools", "check"]) == 0
    assert "What Forescale may do" in capsys.readouterr().out


@pytest.mark.usefixtures("local")
def test_pools_check_fails_for_a_pool_that_could_not_act(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pool = read_pools(json.dumps(POOLS).encode())[0].model_copy(update={"min_nodes": 6})
    (tmp_path / "config" / "pools.json").write_text(json.dumps({"pools": [pool.model_dump(mode="json")]}))
    SimulatedPools(DirectoryBlobs(tmp_path), system_clock).place(pool, SimulatedPool(configured_nodes=2, max_count=5))

    assert main(["pools", "check"]) == 1
    assert "refused" in capsys.readouterr().out
