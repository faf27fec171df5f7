"""Serves an app until a signal stops it: ``python -m dev.host.serve [function_app:app] [--port 7071]``."""

import argparse
import importlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import azure.functions as func
from rich.console import Console

from dev.host.functions import ANONYMOUS
from dev.host.host import Host
from dev.host.local_files import KEY_FILE, KEY_SETTING, load_local_settings, new_key, read_host_json
from dev.host.timers import OnTimer, tell_nobody
from dev.host.web import methods_text
from shared.errors import ConfigurationError

FAITHFUL = (
    "This is a small development host. Azure Functions Core Tools is the faithful one: "
    'install it and run "func start" before you rely on a detail.'
)
_BLINK_S = 0.5
"""How often the main thread wakes, because on Windows a plain wait does not see Ctrl-C."""

_REFUSED = 2


@dataclass(frozen=True, kw_only=True)
class ServeOptions:
    """Where and how to serve; ``folder`` holds host.json and local.settings.json.

    Without ``key`` it is DEVHOST_KEY or else a new random one, also written to ``state_dir`` where that is given.
    """

    folder: Path = field(default_factory=Path.cwd)
    port: int = 7071
    key: str = ""
    state_dir: Path | None = None
    on_timer: OnTimer = tell_nobody


def serve(
    app_loader: Callable[[], func.FunctionApp],
    options: ServeOptions,
    *,
    max_runs: Mapping[str, int] | None = None,
    out: Console,
) -> int:
    """Serve until Ctrl-C, SIGTERM or until each timer named in ``max_runs`` ran that often; return the exit code.

    The code is 0, but 1 when ``max_runs`` is given and a run of any timer raised. The app is loaded after
    local.settings.json, which sets what the environment lacks.

    Raises:
        ConfigurationError: a file beside the app, a schedule, a route or the port cannot be used.
    """
    load_local_settings(options.folder, os.environ)
    key, shown_key = _key(options)
    host = Host(app_loader(), port=options.port, key=key, host_json=read_host_json(options.folder))
    wanted = {host.timer(name).name: runs for name, runs in (max_runs or {}).items()}
    tally = _Tally(wanted=wanted, on_timer=options.on_timer, stopping=host.stopping)
    host.on_timer = tally.count
    with _signals_set(host.stopping):
        host.listen()
        try:
            _print_banner(host, shown_key, out)
            host.start_timers()  # after the banner, so that no run's words come between its lines
            while not host.stopping.wait(_BLINK_S):
                pass
        finally:
            host.stop()
    return 1 if wanted and tally.failed else 0


def _key(options: ServeOptions) -> tuple[str, str]:
    """Return the function key, and what to print of it: a key that somebody chose is not shown."""
    if options.key:
        return options.key, "the one that was given"
    from_environment = os.environ.get(KEY_SETTING, "").strip()
    if from_environment:
        return from_environment, f"the value of {KEY_SETTING}"
    made = new_key(options.state_dir)
    return made, f"{made}, also in {options.state_dir / KEY_FILE}" if options.state_dir else made


class _Tally:
    """Counts the runs of the timers and says when there were enough; called from several threads."""

    def __init__(self, *, wanted: Mapping[str, int], on_timer: OnTimer, stopping: threading.Event) -> None:
        self.failed = False
        self._missing = dict(wanted)
        self._counts = bool(wanted)
        self._on_timer = on_timer
        self._stopping = stopping
        self._lock = threading.Lock()

    def count(self, name: str, run_number: int, error: BaseException | None) -> None:
        with self._lock:
            self.failed |= error is not None
            if run_number >= self._missing.get(name, run_number + 1):
                del self._missing[name]
            enough = self._counts and not self._missing
        try:
            self._on_timer(name, run_number, error)
        finally:
            if enough:
                self._stopping.set()


@contextmanager
def _signals_set(stopping: threading.Event) -> Iterator[None]:
    """Let the first Ctrl-C or SIGTERM set the event; a second one ends the process at once."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may change what a signal does
        return
    before = {number: signal.getsignal(number) or signal.SIG_DFL for number in (signal.SIGINT, signal.SIGTERM)}

    def stop(number: int, frame: FrameType | None) -> None:
        del frame
        stopping.set()
        signal.signal(number, signal.SIG_DFL)

    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _print_banner(host: Host, shown_key: str, out: Console) -> None:
    def say(line: str = "") -> None:
        out.print(line, markup=False, highlight=False, soft_wrap=True)

    say("Functions")
    for function in host.functions.http:
        url = f"{host.address}/{function.route.template}"
        say(f"  {function.user.name:16} {methods_text(function):11} {url}  ({function.auth_level})")
    say("Timers")
    for timer in host.timers.values():
        say(f"  {timer.name:16} {timer.schedule.text:27} next {timer.next_utc:%Y-%m-%d %H:%M:%S} UTC")
    for name, bindings in host.functions.unserved.items():
        say(f'  {name:16} not served here (it binds {bindings}); use "func start"')
    if any(function.auth_level != ANONYMOUS for function in host.functions.http):
        say(f"Function key       {shown_key}  (header x-functions-key, or ?code=)")
    say(FAITHFUL)
    say(f"Listening on {host.address} since {datetime.now(tz=UTC):%H:%M:%S} UTC. Press Ctrl-C to stop.")


def load_app(path: str) -> func.FunctionApp:
    """Import ``module:attribute``, from the current folder as well.

    Raises:
        ConfigurationError: the module or the attribute is missing, or is no ``FunctionApp``.
    """
    module_name, _, attribute = path.partition(":")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        app = getattr(importlib.import_module(module_name), attribute or "app", None)
    except ModuleNotFoundError as exc:
        if exc.name != module_name:
            raise
        msg = f'There is no module "{module_name}" in {Path.cwd()}. Name the app as module:attribute.'
        raise ConfigurationError(msg) from exc
    if not isinstance(app, func.FunctionApp):
        msg = f'"{path}" is a {type(app).__name__}, where an azure.functions.FunctionApp belongs'
        raise ConfigurationError(msg)
    return app


def main(arguments: list[str] | None = None) -> int:
    """Serve the app that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m dev.host.serve", description=__doc__)
    parser.add_argument("app", nargs="?", default="function_app:app", help="the app, as module:attribute")
    parser.add_argument("--port", type=int, default=7071, help="0 takes any free port")
    parser.add_argument("--state-dir", type=Path, help="where to write a new function key")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    options = ServeOptions(port=chosen.port, state_dir=chosen.state_dir)
    try:
        return serve(lambda: load_app(chosen.app), options, out=Console())
    except ConfigurationError as exc:
        Console(stderr=True).print(f"error: {exc}", style="red", markup=False, highlight=False, soft_wrap=True)
        return _REFUSED


if __name__ == "__main__":
    sys.exit(main())
