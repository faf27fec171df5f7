"""The development host as a newcomer meets it: files beside the app, the banner, and a process that gets signals."""

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

import azure.functions as func
import pytest
from rich.console import Console

from dev.host.local_files import load_local_settings
from dev.host.serve import ServeOptions, serve
from shared.errors import ConfigurationError
from tests.fakes.sample_functions import KEY, Seen, sample_app, timer_app


def _write_settings(folder: Path, content: object) -> None:
    (folder / "local.settings.json").write_text(json.dumps(content), encoding="utf-8")


def test_local_settings_add_what_the_environment_lacks(tmp_path: Path) -> None:
    _write_settings(tmp_path, {"IsEncrypted": False, "Values": {"A": "file", "B": "file"}})
    environment = {"A": "mine"}

    load_local_settings(tmp_path, environment)

    assert environment == {"A": "mine", "B": "file"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"Values": {"FORESCALE_ONCE": True}}, r'Values\["FORESCALE_ONCE"\] is true, which is not a string.*"true"'),
        ({"Values": {"A": 5, "B": None}}, r'Values\["A"\] is 5(.|\n)*Values\["B"\] is null'),
        ({"Values": ["A"]}, "Values is .* where an object of strings belongs"),
        ({"IsEncrypted": True, "Values": {}}, "func settings decrypt"),
        (["Values"], "holds a list"),
    ],
)
def test_local_settings_that_core_tools_would_drop_are_refused_by_name(
    tmp_path: Path, content: object, message: str
) -> None:
    _write_settings(tmp_path, content)
    environment: dict[str, str] = {}

    with pytest.raises(ConfigurationError, match=message):
        load_local_settings(tmp_path, environment)

    assert environment == {}


def test_a_settings_file_that_is_not_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "local.settings.json").write_text("{Values", encoding="utf-8")

    with pytest.raises(ConfigurationError, match=r"local\.settings\.json: not readable as JSON"):
        load_local_settings(tmp_path, {})


def _console() -> tuple[Console, StringIO]:
    written = StringIO()
    return Console(file=written, width=80), written


def _fail(timer: func.TimerRequest) -> None:
    del timer
    msg = "no model"
    raise LookupError(msg)


@pytest.mark.parametrize(
    ("run", "code"), [pytest.param(lambda _: None, 0, id="good"), pytest.param(_fail, 1, id="failing")]
)
def test_serving_ends_after_the_runs_asked_for_and_tells_whether_one_failed(
    tmp_path: Path, run: Callable[[func.TimerRequest], None], code: int
) -> None:
    out, _ = _console()
    runs: list[int] = []
    options = ServeOptions(folder=tmp_path, port=0, key=KEY, on_timer=lambda _name, number, _error: runs.append(number))

    assert serve(lambda: timer_app(run, at_start=True), options, max_runs={"tick": 1}, out=out) == code
    assert runs == [1]


def test_the_banner_tells_addresses_timers_the_key_and_which_host_is_the_faithful_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DEVHOST_KEY", raising=False)
    monkeypatch.setenv("TEST_SCHEDULE", "* * * * * *")
    out, written = _console()
    options = ServeOptions(folder=tmp_path, port=0, state_dir=tmp_path / "state")

    code = serve(lambda: sample_app(Seen()), options, max_runs={"secondly": 1}, out=out)

    key_file = tmp_path / "state" / "dev-key"
    text = written.getvalue()
    assert code == 0
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert f"Function key       {key_file.read_text(encoding='utf-8').strip()}, also in {key_file}" in text
    assert "/api/health  (anonymous)" in text
    assert "/api/pools/{pool}  (function)" in text
    assert "http://127.0.0.1:0/" not in text
    assert "yearly           0 0 5 1 1 *                 next " in text
    assert "queued           not served here (it binds queueTrigger)" in text
    assert 'Azure Functions Core Tools is the faithful one: install it and run "func start"' in text


def test_a_key_from_the_environment_is_used_and_not_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEVHOST_KEY", "from-the-environment")
    out, written = _console()
    app = timer_app(lambda _: None, at_start=True)
    app.route("keyed")(_answer_nothing)

    serve(lambda: app, ServeOptions(folder=tmp_path, port=0), max_runs={"tick": 1}, out=out)

    assert "the value of DEVHOST_KEY" in written.getvalue()
    assert "from-the-environment" not in written.getvalue()


def _answer_nothing(req: func.HttpRequest) -> None:
    del req


def test_runs_of_an_unknown_timer_are_refused_before_anything_starts(tmp_path: Path) -> None:
    out, written = _console()

    with pytest.raises(ConfigurationError, match='no timer "tock"; it has: tick'):
        serve(
            lambda: timer_app(lambda _: None),
            ServeOptions(folder=tmp_path, port=0, key=KEY),
            max_runs={"tock": 1},
            out=out,
        )

    assert written.getvalue() == ""


APP = """
import os
import azure.functions as func

app = func.FunctionApp()

@app.route("health")
def health(req: func.HttpRequest) -> str:
    return "healthy"

@app.timer_trigger(schedule="%TICK%", arg_name="timer")
def tick(timer: func.TimerRequest) -> None:
    print("ran with", os.environ["TICK"], flush=True)
"""


def _start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd()), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "dev.host.serve", *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=pipe, stderr=pipe, text=True)


@contextmanager
def _killed_at_last(process: subprocess.Popen[str]) -> Iterator[None]:
    """Leave no process behind when an assertion fails: waiting for it would hide why."""
    try:
        yield
    finally:
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_process_serves_and_a_signal_ends_it_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "function_app.py").write_text(APP, encoding="utf-8")
    _write_settings(tmp_path, {"Values": {"TICK": "* * * * * *"}})

    with _start(tmp_path, "--port", "0") as process, _killed_at_last(process):
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        assert any(line.startswith("Listening on http://127.0.0.1:") for line in lines)
        assert next(lines) == "ran with * * * * * *\n"
        process.send_signal(number)
        _, errors = process.communicate(timeout=10)

    assert (process.returncode, "Traceback" in errors) == (0, False)


@pytest.mark.parametrize(
    ("app", "settings", "message"),
    [
        ("missing:app", {}, 'There is no module "missing"'),
        ("function_app:os", {}, '"function_app:os" is a module'),
        ("function_app:app", {}, "needs the setting TICK"),
        ("function_app:app", {"TICK": 5}, 'Values["TICK"] is 5'),
    ],
)
def test_the_process_refuses_what_it_cannot_serve_with_one_error_and_no_traceback(
    tmp_path: Path, app: str, settings: dict[str, object], message: str
) -> None:
    (tmp_path / "function_app.py").write_text(APP, encoding="utf-8")
    _write_settings(tmp_path, {"Values": settings})

    with _start(tmp_path, app, "--port", "0") as process:
        _, errors = process.communicate(timeout=10)

    assert process.returncode == 2
    assert errors.startswith("error: ")
    assert message in errors
    assert "Traceback" not in errors
