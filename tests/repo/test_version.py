"""One version, in shared/version.py: whatever shows a version shows that one."""

import ast
import json
import logging
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import azure.functions as func
import pytest

import function_app
from shared.forecasting.store import ModelStore
from shared.local.directory_blobs import DirectoryBlobs
from shared.telemetry import Event, emit
from shared.version import VERSION
from tests.builders import NOW, pool
from tests.conftest import ROOT
from tests.demand import daily, history_of
from training.publish import fit_candidate, publish


def test_it_has_three_numbers() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", VERSION)


@pytest.mark.parametrize("command", ["scaler", "training", "dev.host"])
def test_a_command_shows_it(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", command, "--version"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (0, f"forescale {VERSION}\n")


def test_health_shows_it_and_no_other_detail() -> None:
    (health,) = [one for one in function_app.app.get_functions() if one.get_function_name() == "health"]
    function_app.app.functions_bindings = None  # or the library takes each function for its own duplicate

    answer = health.get_user_function()(func.HttpRequest(method="GET", url="/api/health", body=b""))

    assert json.loads(answer.get_body()) == {"status": "ok", "version": VERSION}


def test_each_event_shows_it(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="forescale"):
        emit(Event.MODEL_PROMOTED, {"version": "20261122T000000Z"})

    assert json.loads(caplog.messages[0])["forescale"] == VERSION


def test_the_card_of_a_model_shows_which_one_made_it(tmp_path: Path) -> None:
    store, history = ModelStore(DirectoryBlobs(tmp_path)), history_of(daily(3))

    card = publish(store, pool(), history, fit_candidate(pool(), history), now_utc=NOW)

    assert store.card("web", card.version).forescale == VERSION


def test_a_package_of_it_takes_it_from_there() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

    assert project["project"]["dynamic"] == ["version"]
    assert "version" not in project["project"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "shared.version.VERSION"}


def test_the_changelog_begins_with_it() -> None:
    first = re.search(r"^## \[(\d+\.\d+\.\d+)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)

    assert first
    assert first.group(1) == VERSION


def test_no_other_file_of_the_product_states_it() -> None:
    product = [ROOT / "function_app.py", *(file for name in ("scaler", "shared", "training", "dev") for file in
               (ROOT / name).rglob("*.py"))]  # fmt: skip
    stating = [file for file in product for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
               if isinstance(node, ast.Constant) and node.value == VERSION]  # fmt: skip

    assert stating == [ROOT / "shared/version.py"]
