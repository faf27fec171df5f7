"""``make run`` as a newcomer meets it: the whole thing in a process of its own, stopped after a few ticks."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

import pytest

from shared.demand.csv_format import write_demand_csv
from shared.demand.history import History
from tests.builders import STEP, history
from tests.conftest import ROOT
from tests.fakes.workshop_logs import workshop_log

pytestmark = pytest.mark.slow

TICKS = "2"
ENDS_WITHIN_S = 240


class Run:
    """One quick start, begun at once and waited for when somebody looks."""

    def __init__(self, folder: Path, *options: str) -> None:
        command = [sys.executable, "-m", "dev.host", "--port", "0", "--ticks", TICKS, "--dir", str(folder), *options]
        environ = {**os.environ, "COLUMNS": "200", "FORESCALE_BACKEND": "azure"}
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def ended(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=ENDS_WITHIN_S)
        return self.process.returncode, out, err

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


def wave(days: int) -> History:
    """Demand that rises and falls twice a day."""
    return history([100.0 + (index % 144) for index in range(days * 288)], end_utc=datetime(2026, 11, 23, tzinfo=UTC))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("worlds")


@pytest.fixture(scope="module")
def bad(folder: Path) -> Iterator[dict[str, Run]]:
    (folder / "binary.csv").write_bytes(b"\x80\x04\x95\x00")
    (folder / "cut.pkl").write_bytes(b"\x80\x03csklearn")
    lines = write_demand_csv(wave(1)).splitlines(keepends=True)
    (folder / "unordered.csv").write_text("".join([lines[0], *reversed(lines[1:])]))
    (folder / "zero.csv").write_text(write_demand_csv(history([0.0] * 600)))
    with ExitStack() as running, socket.create_server(("127.0.0.1", 0)) as taken:
        names = ("missing.csv", "binary.csv", "cut.pkl", "unordered.csv", "zero.csv", ".")
        runs = {name: running.enter_context(Run(folder, "--data", str(folder / name))) for name in names}
        (folder / "demand.csv").write_text(write_demand_csv(wave(3)))
        (folder / "other.csv").write_text(write_demand_csv(wave(2)))
        port = str(taken.getsockname()[1])
        runs["port"] = running.enter_context(Run(folder, "--data", str(folder / "other.csv"), "--port", port))
        yield runs


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("missing.csv", "missing.csv cannot be read (No such file or directory)", id="no file"),
        pytest.param(".", "cannot be read (Is a directory)", id="a directory"),
        pytest.param("binary.csv", "binary.csv is not text: DATA= takes a CSV file", id="a binary file"),
        pytest.param("cut.pkl", "cut.pkl is refused: it names sklear", id="a truncated pickle"),
        pytest.param("unordered.csv", "sort the rows by time", id="an unordered file"),
        pytest.param("zero.csv", "nowhere above zero", id="no demand at all"),
        pytest.param("port", "is in use", id="a port in use"),
    ],
)
def test_what_cannot_be_run_is_one_clear_line(bad: dict[str, Run], name: str, expected: str) -> None:
    code, _, err = bad[name].ended()

    assert code == 2
    assert err.startswith("error: ")
    assert expected in err
    assert err.count("\n") == 1


@pytest.fixture(scope="module")
def started(folder: Path, bad: dict[str, Run]) -> Iterator[dict[str, Run]]:
    """The three kinds of demand, side by side, once the bad inputs are through."""
    codes = [run.process.wait(ENDS_WITHIN_S) for run in bad.values()]
    assert set(codes) == {2}
    (folder / "log_data.pkl").write_bytes(workshop_log())
    with ExitStack() as running:
        yield {
            "synthetic": running.enter_context(Run(folder)),
            "csv": running.enter_context(Run(folder, "--data", str(folder / "demand.csv"))),
            "workshop": running.enter_context(Run(folder, "--data", str(folder / "log_data.pkl"))),
        }


def test_a_newcomer_sees_pools_grow_with_reasons(started: dict[str, Run]) -> None:
    code, out, err = started["synthetic"].ended()

    assert (code, err) == (0, "")
    assert "10080 intervals of demand, and a pools file" in out
    assert "Published forest model" in out
    assert "/api/health  (anonymous)" in out
    assert out.count("resize_accepted") >= 1
    assert "Core Tools is the faithful one" in out


def test_the_workshops_job_runs(started: dict[str, Run]) -> None:
    code, out, err = started["workshop"].ended()

    assert (code, err) == (0, "")
    assert "r2_avg_completion_time 0.99" in out
    assert "model, response_time_high, resize_accepted" in out
    assert "model, step_taken" in out


def test_the_workshops_own_log_leads_to_its_own_figures(folder: Path, seed_folder: Path) -> None:
    with Run(folder / "own", "--data", str(seed_folder / "log_data.pkl")) as run:
        code, out, err = run.ended()

    assert (code, err) == (0, "")
    assert "r2_avg_completion_time 0.9024" in out
    assert "97.15      1 → 2" in out
    assert "model, response_time_high, resize_accepted" in out
    assert "model, step_taken" in out


def test_a_demand_file_is_replayed_and_a_second_start_goes_on(started: dict[str, Run], folder: Path) -> None:
    code, first, err = started["csv"].ended()
    assert (code, err) == (0, "")
    began = datetime.now(tz=UTC)

    with Run(folder, "--data", str(folder / "demand.csv")) as again:
        second_code, second, second_err = again.ended()

    assert (second_code, second_err) == (0, "")
    assert "Training on" in first
    assert "reusing its demand, pools file and model" in second
    assert "Training on" not in second
    assert datetime.now(tz=UTC) - began < timedelta(seconds=60)
    assert timedelta(minutes=5) == STEP
