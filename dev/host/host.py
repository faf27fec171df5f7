"""The host itself: one function app, its timers and its HTTP routes, on the loopback address of this machine."""

import errno
import logging
import os
import socket
import threading
import time
from collections.abc import Mapping
from typing import Any

import azure.functions as func
from werkzeug.serving import BaseWSGIServer, make_server

from dev.host.functions import read_functions
from dev.host.invocation import Invoker
from dev.host.local_files import route_prefix
from dev.host.timers import OnTimer, Timer, tell_nobody
from dev.host.web import RequestHandler, Site
from shared.errors import ConfigurationError

logger = logging.getLogger("dev.host")

LOOPBACK = "127.0.0.1"
GRACE_S = 10.0
"""How long ``stop`` waits for runs and requests in progress."""

_LAST_PORT = 65535
_POLL_S = 0.02
"""How long werkzeug's server may take to see that it is to stop."""


class Host:
    """Runs a function app: schedules from the environment, routes under host.json's prefix, one key for all levels.

    ``on_timer`` may be replaced at any time; it is called after every run, in the thread that ran it. Once ``stopping``
    is set no timer run begins; ``stop`` sets it too.
    """

    def __init__(self, app: func.FunctionApp, *, port: int, key: str, host_json: Mapping[str, Any]) -> None:
        if not 0 <= port <= _LAST_PORT:
            msg = (
                f"Port {port} does not exist. Choose one between 1 and {_LAST_PORT} with PORT=, or 0 for any free one."
            )
            raise ConfigurationError(msg)
        if not key:
            msg = "The function key is empty, which would let every request in"
            raise ConfigurationError(msg)
        self.functions = read_functions(app, route_prefix(host_json))
        self.stopping = threading.Event()
        self.on_timer: OnTimer = tell_nobody
        self._port = port
        self._invoker = Invoker()
        self._site = Site(self.functions.http, key=key, invoker=self._invoker)
        self.timers = {
            function.user.name: Timer(function, self._invoker, self.stopping, self._report)
            for function in self.functions.timers
        }
        self._server: BaseWSGIServer | None = None
        self._serving: threading.Thread | None = None

    @property
    def address(self) -> str:
        """Where the routes begin, such as ``http://127.0.0.1:7071``; with port 0 the real port once started."""
        return f"http://{LOOPBACK}:{self._port}"

    def start(self) -> None:
        """Listen, then let the timers fire.

        Raises:
            ConfigurationError: the port is in use or not allowed.
        """
        self.listen()
        self.start_timers()

    def start_timers(self) -> None:
        """Let the timers fire."""
        for timer in self.timers.values():
            timer.start()

    def listen(self) -> None:
        """Serve the HTTP routes.

        Raises:
            ConfigurationError: the port is in use or not allowed.
        """
        listening = _listen(self._port)
        with listening:
            self._server = make_server(
                LOOPBACK, self._port, self._site, threaded=True, request_handler=RequestHandler, fd=listening.fileno()
            )
        self._port = self._server.port
        self._serving = threading.Thread(target=self._server.serve_forever, args=(_POLL_S,), name="http", daemon=True)
        self._serving.start()

    def stop(self) -> None:
        """Start nothing new, wait up to ``GRACE_S`` for what runs, and free the port; safe to call twice."""
        self.stopping.set()
        deadline = time.monotonic() + GRACE_S
        if self._server is not None and self._serving is not None:
            self._server.shutdown()
            self._serving.join()
            self._server = self._serving = None
        unfinished = [name for name, timer in self.timers.items() if not timer.join(deadline - time.monotonic())]
        if not self._site.drain(deadline - time.monotonic()):
            unfinished.append("an HTTP request")
        if unfinished:
            logger.warning("Stopped after %.0f s, with still running: %s", GRACE_S, ", ".join(unfinished))
        self._invoker.stop()

    def run_timer(self, name: str, *, past_due: bool = False) -> BaseException | None:
        """Run a timer now, in this thread, after a run of it in progress; return what it raised, which is logged.

        Raises:
            ConfigurationError: the app has no timer of that name.
        """
        return self.timer(name).run(past_due=past_due)

    def timer(self, name: str) -> Timer:
        """Return the timer of that name; where there is none, the error lists those there are."""
        if name not in self.timers:
            msg = f'The app has no timer "{name}"; it has: {", ".join(self.timers) or "none"}'
            raise ConfigurationError(msg)
        return self.timers[name]

    def _report(self, name: str, run_number: int, error: BaseException | None) -> None:
        self.on_timer(name, run_number, error)


def _listen(port: int) -> socket.socket:
    """Bind here and not in werkzeug, which ends the process when the port is in use."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if os.name == "posix":  # elsewhere this option would let two programs share the port
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((LOOPBACK, port))
        listening.listen()
    except OSError as exc:
        listening.close()
        reason = "is in use by another program" if exc.errno == errno.EADDRINUSE else f"cannot be used: {exc.strerror}"
        msg = f"Port {port} on {LOOPBACK} {reason}. Choose another with PORT=, or PORT=0 for any free one."
        raise ConfigurationError(msg) from exc
    return listening
