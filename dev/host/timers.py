"""Fires the timers: on time, one run at a time each, missed occurrences as one late run.

One difference to know: what fell due during a run also comes as one run at once in the Functions host, but there
``IsPastDue`` is true only for what fell due while no host was running (TimerListener.cs, read on 2026-11-22).
"""

import json
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import azure.functions as func
from azure.functions.meta import Datum
from azure.functions.timer import TimerRequestConverter

from dev.host.functions import TimerFunction
from dev.host.invocation import Invoker, attempt
from dev.host.ncrontab import Schedule
from shared.clock import Clock, system_clock

OnTimer = Callable[[str, int, BaseException | None], None]
"""Told after every run of a timer: its name, the number of the run from 1, and what it raised."""

_NEVER = "0001-01-01T00:00:00+00:00"
"""How the host writes the last run of a timer that has not run (the least ``DateTime`` of .NET)."""

_NAP_S = 5.0
"""The longest wait before the clock is read again, so that a machine that slept or whose clock was set catches up."""

_LATE = timedelta(seconds=1)
_MINUTE = timedelta(minutes=1)


class Timer:
    """One timer function and its thread; the thread ends when ``stopping`` is set and the run in progress is over."""

    def __init__(
        self,
        function: TimerFunction,
        invoker: Invoker,
        stopping: threading.Event,
        on_timer: OnTimer,
        clock: Clock = system_clock,
    ) -> None:
        self.name = function.user.name
        self.schedule = function.schedule
        self._function = function
        self._invoker = invoker
        self._stopping = stopping
        self._on_timer = on_timer
        self._clock = clock
        self._one_run = threading.RLock()  # held by the thread that fires, which then runs
        self._runs = 0
        self._last_utc: datetime | None = None
        self._thread = threading.Thread(target=self._fire, name=f"timer-{self.name}", daemon=True)
        started = clock()
        self.next_utc = self.schedule.next_after(started)
        # The host keeps no status for a timer that is due more than once a minute.
        self._has_status = function.use_monitor and not _due_twice_a_minute(self.schedule, started)

    def start(self) -> None:
        """Begin to fire, from the next occurrence on."""
        self.next_utc = self.schedule.next_after(self._clock())
        self._thread.start()

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread's end; ``False`` when a run is still in progress after that time."""
        if self._thread.ident is not None:
            self._thread.join(max(0.0, timeout_s))
        return not self._thread.is_alive()

    def run(self, *, past_due: bool) -> BaseException | None:
        """Run the function once, after a run in progress; return what it raised, which has been logged."""
        with self._one_run:
            started_utc = self._clock()
            request = self._request(past_due=past_due)
            error = attempt(f"Function {self.name}", lambda: self._invoker.invoke(self._function.user, request)).error
            self._last_utc = started_utc
            self._runs += 1
            attempt(f"on_timer for {self.name}", lambda: self._on_timer(self.name, self._runs, error))
            return error

    def _fire(self) -> None:
        if self._function.run_on_startup:
            self.run(past_due=False)
        while True:
            missed = self.next_utc <= self._clock()
            if not self._wait_until(self.next_utc):
                return
            with self._one_run:  # a run by hand may be in progress, and the host may stop meanwhile
                if self._stopping.is_set():
                    return
                started_utc = self._clock()
                self.run(past_due=missed or started_utc - self.next_utc > _LATE)
            # From the start of the run, not its end: what fell due meanwhile is one late run, however much it was.
            self.next_utc = self.schedule.next_after(max(started_utc, self.next_utc))

    def _wait_until(self, due_utc: datetime) -> bool:
        """Return ``True`` at that instant, ``False`` as soon as the host stops."""
        while not self._stopping.is_set():
            remaining_s = (due_utc - self._clock()).total_seconds()
            if remaining_s <= 0:
                return True
            self._stopping.wait(min(remaining_s, _NAP_S))
        return False

    def _request(self, *, past_due: bool) -> func.TimerRequest:
        """Build the input from the JSON that the host sends to the worker."""
        last = self._last_utc.isoformat() if self._last_utc else _NEVER
        status = {"Last": last, "Next": self.next_utc.isoformat(), "LastUpdated": last} if self._has_status else None
        message = {"Schedule": {"AdjustForDST": True}, "ScheduleStatus": status, "IsPastDue": past_due}
        request: func.TimerRequest = TimerRequestConverter.decode(
            Datum(json.dumps(message), "json"), trigger_metadata=None
        )
        return request


def _due_twice_a_minute(schedule: Schedule, from_utc: datetime) -> bool:
    return schedule.next_after(schedule.next_after(from_utc)) < from_utc + _MINUTE


def tell_nobody(name: str, run_number: int, error: BaseException | None) -> None:
    """Do nothing after a run."""
    del name, run_number, error
