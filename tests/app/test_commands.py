"""The commands of an operator, in a local world: what they print, and one clear line for a mistake."""

import json
from pathlib import Path

import pytest

from scaler.__main__ import main as scaler
from shared.cli import run_command, show_table
from shared.clock import system_clock
from shared.cloud.azure_blobs import AzureBlobs
from shared.demand.csv_format import write_demand_csv
from shared.forecasting.store import ModelStore
from shared.local.directory_blobs import DirectoryBlobs
from shared.settings import Settings
from shared.wiring import blobs_of, clock_of
from tests.builders import history, pool_json, pools_file, workshop_json
from tests.fakes.workshop_logs import workshop_log
from training.__main__ import main as training


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DirectoryBlobs:
    """A local world with one pool and demand that ends about now."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("FORESCALE_BACKEND", "local")
    monkeypatch.setenv("FORESCALE_LOCAL_DIR", str(tmp_path))
    blobs = DirectoryBlobs(tmp_path)
    end_utc = system_clock().replace(minute=0, second=0, microsecond=0)
    blobs.write("config/pools.json", pools_file(pool_json()), if_etag=None)
    rising = history([600.0 + index % 12 for index in range(90)], end_utc=end_utc)
    blobs.write("demand.csv", write_demand_csv(rising).encode(), if_etag=None)
    return blobs


def test_a_day_of_an_operator(local: DirectoryBlobs, capsys: pytest.CaptureFixture[str]) -> None:
    assert training(["fit", "--quick"]) == 0
    assert scaler(["tick"]) == 0
    assert scaler(["explain"]) == 0
    assert scaler(["pools"]) == 0
    assert training(["status"]) == 0

    expected = capsys.readouterr().out
    assert "1 → " in expected
    assert "The forecast is from the published model" in expected
    assert local.names("decisions/web/")


def test_every_answer_for_machines_is_json(local: DirectoryBlobs, capsys: pytest.CaptureFixture[str]) -> None:
    commands = [
        (training, ["fit", "--quick"]),
        (scaler, ["tick"]),
        (scaler, ["explain"]),
        (scaler, ["pools"]),
        (training, ["status"]),
    ]
    answers = [(command([*words, "--json"]), json.loads(capsys.readouterr().out)) for command, words in commands]

    assert [code for code, _ in answers] == [0] * len(commands)
    assert all(answer for _, answer in answers)
    assert local.names("models/web/")


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        pytest.param(["tick", "--pool", "wbe"], "config/pools.json has no pool 'wbe'; it has web", id="no pool"),
        pytest.param(["explain"], "pool 'web' has no decisions yet: run a tick first", id="nothing to explain"),
        pytest.param(["replay", "missing.csv"], "missing.csv cannot be read as a CSV file", id="no file"),
    ],
)
def test_a_mistake_is_one_line(
    local: DirectoryBlobs, capsys: pytest.CaptureFixture[str], command: list[str], expected: str
) -> None:
    code = scaler(command)

    err = capsys.readouterr().err
    assert code == 1
    assert err.startswith("error: ")
    assert expected in err
    assert err.count("\n") == 1
    assert local.names("decisions/") == []


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        pytest.param(["promote", "--version", "7", "--pool", "web"], "there is no 'models/web/7/card.json'", id="none"),
        pytest.param(
            ["rollback", "--pool", "web", "--from-version", "7"], "no model of pool 'web' serves", id="no model"
        ),
        pytest.param(["rollback", "--from-version", "7"], "say which pool", id="which pool"),
        pytest.param(["fit", "--pool", "wbe"], "config/pools.json has no pool 'wbe'; it has web", id="no pool"),
    ],
)
def test_a_mistake_in_training_is_one_line(
    local: DirectoryBlobs, capsys: pytest.CaptureFixture[str], command: list[str], expected: str
) -> None:
    code = training(command)

    assert code == 1
    assert expected in capsys.readouterr().err
    assert local.names("models/") == []


def test_a_pool_of_the_workshop_can_be_fitted_and_rolled_back(
    local: DirectoryBlobs, capsys: pytest.CaptureFixture[str]
) -> None:
    etag = local.read("config/pools.json").etag
    local.write("config/pools.json", pools_file(workshop_json()), if_etag=etag)
    local.write("log_data.pkl", workshop_log(), if_etag=None)

    codes = [training(["fit", "--quick"]), scaler(["tick"])]
    (version,) = ModelStore(local).versions("workshop")
    codes.append(training(["rollback", "--pool", "workshop", "--from-version", version]))

    captured = capsys.readouterr()
    assert codes == [0, 0, 1]
    assert "response_time" in captured.out
    assert f"had no model before version '{version}'" in captured.err


def test_stopping_a_command_is_no_error() -> None:
    def stopped() -> int:
        raise KeyboardInterrupt

    assert run_command(stopped) == 130


def test_a_table_without_rows_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    show_table([], title="Models")

    assert capsys.readouterr().out.strip() == "Models: nothing"


# which adapters the settings choose


def test_a_storage_account_is_reached_through_the_identity_and_nothing_is_asked_yet() -> None:
    settings = Settings(storage_account_url="https://example.blob.core.windows.net")

    assert isinstance(blobs_of(settings), AzureBlobs)
    assert clock_of(settings) is system_clock


@pytest.mark.azurite
def test_a_connection_string_leads_to_the_emulator(azurite_connection: str, container: str) -> None:
    settings = Settings.model_validate({"storage_connection_string": azurite_connection, "container": container})

    assert blobs_of(settings).names("") == []
