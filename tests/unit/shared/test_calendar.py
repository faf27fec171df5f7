"""Events and windows in local time, over midnight and over the change of clocks."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.calendar import Calendar, CalendarSpan
from shared.errors import ConfigurationError
from shared.pools import read_pools
from tests.builders import pool_json, pools_file

MADRID = Calendar(timezone="Europe/Madrid")
MINUTE = timedelta(minutes=1)
MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC)


def span(**fields: Any) -> CalendarSpan:
    return CalendarSpan.model_validate(fields)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def is_now(calendar: Calendar, given_span: CalendarSpan, text: str) -> bool:
    return calendar.occurs(given_span, at(text), at(text))


NIGHTLY = span(days=["fri"], from_time="22:00", to_time="06:00")


@pytest.mark.parametrize(
    ("instant", "expected"),
    [
        pytest.param("2026-11-27T20:59", False, id="a minute before, local time is UTC+1"),
        pytest.param("2026-11-27T21:00", True, id="its first minute"),
        pytest.param("2026-11-28T04:59", True, id="its last minute, on Saturday"),
        pytest.param("2026-11-28T05:00", False, id="over"),
        pytest.param("2026-11-28T21:00", False, id="the next night is a Saturday's"),
        pytest.param("2026-07-03T20:00", True, id="in summer local time is UTC+2"),
    ],
)
def test_a_span_over_midnight_belongs_to_the_day_on_which_it_begins(instant: str, *, expected: bool) -> None:
    assert is_now(MADRID, NIGHTLY, instant) is expected


def test_a_span_without_days_comes_every_day() -> None:
    daily = span(from_time="09:00", to_time="17:00")

    assert {is_now(MADRID, daily, f"2026-11-{day}T12:00") for day in range(20, 30)} == {True}


def test_a_recurring_span_keeps_its_local_time_over_the_change_of_clocks() -> None:
    morning = span(from_time="06:00", to_time="07:00")

    assert [is_now(MADRID, morning, text) for text in ("2026-03-28T05:30", "2026-03-29T04:30")] == [True, True]
    assert [is_now(MADRID, morning, text) for text in ("2026-03-28T04:30", "2026-03-29T05:30")] == [False, False]


SKIPPED = {"start": "2026-03-29T02:30", "end": "2026-03-29T03:00", "min_nodes": 5}


def test_an_event_in_the_hour_that_clocks_skip_comes_an_hour_later_and_keeps_its_length() -> None:
    event = span(start=SKIPPED["start"], end=SKIPPED["end"])

    assert [is_now(MADRID, event, text) for text in ("2026-03-29T01:29", "2026-03-29T01:30")] == [False, True]
    assert [is_now(MADRID, event, text) for text in ("2026-03-29T01:59", "2026-03-29T02:00")] == [True, False]


def test_such_an_event_is_no_fault_and_is_pointed_out() -> None:
    calendar = {"timezone": "Europe/Madrid", "events": [SKIPPED]}

    (pool,) = read_pools(pools_file(pool_json(calendar=calendar)))

    assert pool.calendar.skipped_times() == (
        "calendar.events[0].start is 2026-03-29T02:30:00, which clocks in Europe/Madrid skip: it counts as 03:30",
    )


def test_an_event_in_the_hour_that_comes_twice_begins_with_the_first() -> None:
    event = span(start="2026-10-25T02:30", end="2026-10-25T04:00")

    assert [is_now(MADRID, event, text) for text in ("2026-10-25T00:29", "2026-10-25T00:30")] == [False, True]
    assert [is_now(MADRID, event, text) for text in ("2026-10-25T02:59", "2026-10-25T03:00")] == [True, False]


def test_what_begins_within_the_time_looked_ahead_occurs() -> None:
    short = span(start="2026-11-27T12:10", end="2026-11-27T12:12")

    assert MADRID.occurs(short, at("2026-11-27T11:00"), at("2026-11-27T11:15"))
    assert not MADRID.occurs(short, at("2026-11-27T11:00"), at("2026-11-27T11:09"))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        pytest.param({"min_nodes": 1}, "give start and end (it comes once), or from_time and to_time", id="no time"),
        pytest.param({"start": "2026-11-27T12:00", "min_nodes": 1}, "give start and end", id="no end"),
        pytest.param(
            {"start": "2026-11-27T12:00", "end": "2026-11-27T13:00", "from_time": "12:00", "to_time": "13:00"}
            | {"min_nodes": 1},
            "and not both",
            id="both kinds",
        ),
        pytest.param(
            {"start": "2026-11-27T12:00", "end": "2026-11-27T13:00", "days": ["mon"], "min_nodes": 1},
            "days are for a span that comes again",
            id="days of a span that comes once",
        ),
        pytest.param(
            {"from_time": "12:00Z", "to_time": "13:00Z", "min_nodes": 1}, "without an offset", id="times with a zone"
        ),
        pytest.param(
            {"start": "2026-11-27T12:00Z", "end": "2026-11-27T13:00", "min_nodes": 1},
            "both have an offset",
            id="one edge with an offset",
        ),
        pytest.param({"from_time": "12:00", "to_time": "13:00"}, "this one changes nothing", id="a rule missing"),
        pytest.param(
            {"from_time": "12:00", "to_time": "13:00", "min_nodes": 3, "max_nodes": 2},
            "min_nodes (3) must not exceed max_nodes (2)",
            id="limits in disorder",
        ),
    ],
)
def test_a_span_that_cannot_be_is_refused_with_its_path(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        read_pools(pools_file(pool_json(calendar={"windows": [fields]})))

    assert "pools[0].calendar" in str(raised.value)
    assert message in str(raised.value)


@given(
    minutes=st.integers(0, 24 * 60 - 1),
    length=st.integers(1, 24 * 60 - 1),
    day=st.integers(0, 364),
    zone=st.sampled_from(["UTC", "Europe/Madrid", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia"]),
)
def test_every_day_has_its_span_whatever_the_clocks_do(minutes: int, length: int, day: int, zone: str) -> None:
    calendar = Calendar(timezone=zone)
    begins = (MIDNIGHT + minutes * MINUTE).time()
    daily = span(from_time=begins, to_time=(MIDNIGHT + (minutes + length) * MINUTE).time())
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC) + timedelta(days=day)

    assert calendar.occurs(daily, noon, noon + timedelta(hours=25))
