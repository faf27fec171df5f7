"""The development host's timers, on the real clock."""

import asyncio
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import azure.functions as func
import pytest

from dev.host.host import Host
from shared.errors import ConfigurationError
from tests.fakes.sample_functions import Seen, new_host, sample_app, timer_app

SECOND = timedelta(seconds=1)


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
def host(seen: Seen, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    monkeypatch.setenv("TEST_SCHEDULE", "0 0 4 1 1 *")
    running = new_host(sample_app(seen))
    running.start()
    yield running
    running.stop()


def test_a_timer_fires_on_time_never_overlaps_and_runs_once_for_what_it_missed() -> None:
    starts: list[datetime] = []
    ends: list[datetime] = []
    past_due: list[bool] = []
    enough = threading.Event()
    nap_s = iter([1.3, 0.0, 0.0, 0.0, 0.0, 0.0])

    def run(timer: func.TimerRequest) -> None:
        starts.append(datetime.now(tz=UTC))
        past_due.append(timer.past_due)
        time.sleep(next(nap_s))
        ends.append(datetime.now(tz=UTC))

    host = new_host(timer_app(run))
    host.on_timer = lambda _name, number, _error: enough.set() if number == 3 else None
    host.start()
    due = host.timer("tick").next_utc
    assert enough.wait(8)
    host.stop()

    assert timedelta(0) <= starts[0] - due < SECOND / 2
    assert ends[0] <= starts[1] < ends[0] + SECOND / 2
    assert ends[1] <= starts[2]
    assert past_due[:3] == [False, True, False]


def test_stopping_waits_for_the_run_in_progress_and_not_for_the_next() -> None:
    begun = threading.Event()
    finished = threading.Event()

    def run(timer: func.TimerRequest) -> None:
        del timer
        begun.set()
        time.sleep(0.3)
        finished.set()

    host = new_host(timer_app(run, at_start=True))
    host.start()
    assert begun.wait(5)
    host.stop()

    assert finished.is_set()


def test_a_run_that_does_not_end_is_waited_for_only_so_long(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("dev.host.host.GRACE_S", 0.2)
    begun = threading.Event()
    app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

    @app.timer_trigger(schedule="0 0 5 1 1 *", arg_name="timer", run_on_startup=True)
    async def stuck(timer: func.TimerRequest) -> None:
        del timer
        begun.set()
        await asyncio.sleep(60)

    host = new_host(app)
    host.start()
    assert begun.wait(5)
    began = time.monotonic()
    host.stop()

    assert time.monotonic() - began < 2
    assert "with still running: stuck" in caplog.text


def test_an_idle_host_stops_at_once(host: Host) -> None:
    began = time.monotonic()
    host.stop()

    assert time.monotonic() - began < 1


def test_a_timer_can_be_run_by_hand_and_its_error_is_returned(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    reports: list[tuple[str, int, str]] = []
    host.on_timer = lambda name, number, error: reports.append((name, number, repr(error)))

    assert host.run_timer("yearly") is None
    assert isinstance(host.run_timer("failing"), LookupError)
    assert host.run_timer("yearly") is None
    assert reports == [("yearly", 1, "None"), ("failing", 1, "LookupError('no such pool')"), ("yearly", 2, "None")]
    assert "LookupError: no such pool" in caplog.text


def test_a_timer_is_given_the_status_that_the_host_sends(host: Host, seen: Seen) -> None:
    host.run_timer("yearly", past_due=True)
    host.run_timer("secondly")
    host.run_timer("yearly")

    first, _, again = seen.timers
    assert [timer.past_due for timer in seen.timers] == [True, False, False]
    assert first.schedule == {"AdjustForDST": True}
    assert first.schedule_status["Next"] == host.timer("yearly").next_utc.isoformat()
    assert first.schedule_status["Last"] == "0001-01-01T00:00:00+00:00"
    assert datetime.fromisoformat(again.schedule_status["Last"]) <= datetime.now(tz=UTC)


def test_a_callback_that_raises_does_not_end_the_timer(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    host.on_timer = lambda _name, number, _error: print(1 // (number - 1))  # noqa: T201

    assert host.run_timer("yearly") is None
    assert host.run_timer("yearly") is None
    assert "ZeroDivisionError" in caplog.text


def test_an_unknown_timer_is_named_beside_those_there_are(host: Host) -> None:
    with pytest.raises(ConfigurationError, match='no timer "monthly"; it has: yearly, secondly, failing'):
        host.run_timer("monthly")


@pytest.mark.parametrize(
    ("setting", "schedule", "message"),
    [
        ("ANOTHER_SCHEDULE", "* * * * * *", "Function secondly: .*needs the setting TEST_SCHEDULE, which is not set"),
        ("TEST_SCHEDULE", "0 */5 * * *  * *", "Function secondly: .*has 7 fields"),
        ("TEST_SCHEDULE", "0 75 * * * *", 'Function secondly: .*in the minute field, "75"'),
        ("TEST_SCHEDULE", "00:05:00", "Function secondly: .*time span"),
        ("TEST_SCHEDULE", "", "Function secondly: .*needs the setting TEST_SCHEDULE"),
    ],
)
def test_a_schedule_that_cannot_be_used_is_refused_with_the_functions_name(
    monkeypatch: pytest.MonkeyPatch, setting: str, schedule: str, message: str
) -> None:
    monkeypatch.delenv("TEST_SCHEDULE", raising=False)
    monkeypatch.setenv(setting, schedule)

    with pytest.raises(ConfigurationError, match=message):
        new_host(sample_app(Seen()))
