"""One call of a user function, with whatever it raises turned into a value."""

import asyncio
import inspect
import logging
import threading
import uuid
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from dev.host.functions import UserFunction

logger = logging.getLogger("dev.host")

_CANCEL_S = 2.0


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a call gave: its value, or the error that it raised."""

    value: Any = None
    error: BaseException | None = None


def attempt(name: str, call: Callable[[], object]) -> Outcome:
    """Call, and log the traceback of what it raises; nothing that an app does ends the host."""
    try:
        return Outcome(value=call())
    except BaseException as exc:  # the one broad catch (S19): not even sys.exit() in a function may end its thread
        logger.exception("%s failed", name)
        return Outcome(error=exc)


class Invoker:
    """Calls plain functions in the caller's thread and async ones on one event loop, as the Python worker does.

    One loop for all calls matters: an async client that an app keeps between calls belongs to the loop it was made on.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def invoke(self, function: UserFunction, trigger: object) -> object:
        """Return what the function returns, and raise what it raises."""
        arguments: dict[str, object] = {function.argument: trigger}
        if function.argument != "context" and "context" in inspect.signature(function.call).parameters:
            arguments["context"] = _context(function.name)
        if not inspect.iscoroutinefunction(function.call):
            return function.call(**arguments)
        return asyncio.run_coroutine_threadsafe(_contained(function.call(**arguments)), self._running_loop()).result()

    def stop(self) -> None:
        """End the event loop, if there is one; what still runs on it is cancelled."""
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is None or thread is None:
            return
        try:
            asyncio.run_coroutine_threadsafe(_cancel_all(), loop).result(_CANCEL_S)
        except TimeoutError:
            logger.warning("An async function does not yield to its cancellation; it ends with the process")
            return
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="async-functions", daemon=True)
                self._thread.start()
            return self._loop


async def _contained(call: Coroutine[Any, Any, object]) -> object:
    """Keep ``sys.exit()`` inside the call: asyncio lets it through to the loop, and the caller would wait for ever."""
    try:
        return await call
    except SystemExit as exc:
        msg = f"the function asked the process to exit with code {exc.code}"
        raise RuntimeError(msg) from exc


async def _cancel_all() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def _context(name: str) -> SimpleNamespace:
    """Return what a parameter named ``context`` receives; there is no trace and no retry here."""
    return SimpleNamespace(
        invocation_id=str(uuid.uuid4()),
        function_name=name,
        function_directory=".",
        trace_context=None,
        retry_context=None,
        thread_local_storage=threading.local(),
    )
