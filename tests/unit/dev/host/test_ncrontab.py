from datetime import UTC, datetime, timedelta, timezone

import pytest

from dev.host.ncrontab import Schedule
from shared.errors import ConfigurationError


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "now", "due"),
    [
        pytest.param("0 */5 * * * *", "2026-11-22T10:00:00", "2026-11-22T10:05:00", id="strictly later"),
        pytest.param("*/5 * * * *", "2026-11-22T10:01:02", "2026-11-22T10:05:00", id="five fields are at second 0"),
        pytest.param("* * * * * *", "2026-11-22T10:00:00.999999", "2026-11-22T10:00:01", id="whole seconds"),
        pytest.param("0 30 9 * * 1-5", "2026-11-20T09:30:00", "2026-11-23T09:30:00", id="Friday to Monday"),
        pytest.param("0 0 0 13 * 5", "2026-11-22T00:00:00", "2027-08-13T00:00:00", id="day AND weekday"),
        pytest.param("0 0 0 1 * Mon", "2026-11-22T00:00:00", "2027-02-01T00:00:00", id="a short name"),
        pytest.param("0 0 0 * * sunday", "2026-11-22T00:00:00", "2026-11-29T00:00:00", id="a whole name"),
        pytest.param("0 0 0 1 J *", "2026-02-01T00:00:00", "2027-01-01T00:00:00", id="the first name with a J"),
        pytest.param("0 0 0 1 ju *", "2026-02-01T00:00:00", "2026-06-01T00:00:00", id="the first name with a Ju"),
        pytest.param("0 0 0 * * 0", "2026-11-22T00:00:00", "2026-11-29T00:00:00", id="weekday 0 is Sunday"),
        pytest.param("0 50-40 * * * *", "2026-11-22T10:45:00", "2026-11-22T10:46:00", id="a reversed range swaps"),
        pytest.param("0 50-10/20 * * * *", "2026-11-22T10:10:00", "2026-11-22T10:30:00", id="… and steps from below"),
        pytest.param("0 0 0 * * fri-mon", "2026-11-22T00:00:00", "2026-11-23T00:00:00", id="names swap too"),
        pytest.param("0 20/15 * * * *", "2026-11-22T10:50:00", "2026-11-22T11:20:00", id="from a value to the end"),
        pytest.param("0 */0 * * * *", "2026-11-22T10:00:00", "2026-11-22T10:01:00", id="a step of 0 is 1"),
        pytest.param("0 */-7 * * * *", "2026-11-22T10:00:00", "2026-11-22T10:01:00", id="a negative step is 1"),
        pytest.param("0 */90 * * * *", "2026-11-22T10:00:00", "2026-11-22T11:00:00", id="a large step is once"),
        pytest.param("0 5,*/30,7-8 * * * *", "2026-11-22T10:05:00", "2026-11-22T10:07:00", id="a list of kinds"),
        pytest.param("0 0 0 31 * *", "2026-11-22T00:00:00", "2026-12-31T00:00:00", id="short months are skipped"),
        pytest.param("0 0 0 29 2 *", "2026-11-22T00:00:00", "2028-02-29T00:00:00", id="leap day"),
        pytest.param("0 0 0 29 2 *", "2096-03-01T00:00:00", "2104-02-29T00:00:00", id="2100 is no leap year"),
        pytest.param("59 59 23 31 12 *", "2026-12-31T23:59:59", "2027-12-31T23:59:59", id="the last second of a year"),
        pytest.param("0 0 0 1 1 *", "2026-12-31T23:59:59", "2027-01-01T00:00:00", id="everything rolls over"),
        pytest.param("  0  0  12  *  *  * ", "2026-11-22T12:00:00", "2026-11-23T12:00:00", id="more blanks"),
        pytest.param("0 30 2 * * *", "2026-03-29T01:00:00", "2026-03-29T02:30:00", id="UTC has no DST gap"),
    ],
)
def test_a_schedule_is_due_next_when_the_host_says_so(expression: str, now: str, due: str) -> None:
    assert Schedule.parse(expression).next_after(_at(now)) == _at(due)


def test_an_instant_of_another_zone_is_taken_for_the_instant_that_it_is() -> None:
    tokyo = datetime(2026, 11, 22, 9, 0, tzinfo=timezone(timedelta(hours=9)))

    assert Schedule.parse("0 30 * * * *").next_after(tokyo) == _at("2026-11-22T00:30:00")


def test_a_schedule_that_is_not_due_again_in_the_calendar_says_so() -> None:
    with pytest.raises(OverflowError, match="before the year 10000"):
        Schedule.parse("0 0 0 1 1 *").next_after(_at("9999-06-01T00:00:00"))


@pytest.mark.parametrize(
    ("expression", "named"),
    [
        ("0 0 0 L * *", ["day of month", '"L"', "1-31"]),
        ("0 0 0 15W * *", ["day of month", '"15W"']),
        ("0 0 0 * * 5#2", ["weekday", '"5#2"']),
        ("0 0 0 ? * *", ["day of month", '"?"']),
        ("0 0 0 * * 7", ["weekday", '"7"', "0-6"]),
        ("0 0 0 * 13 *", ["month", '"13"', "1-12"]),
        ("0 0 0 0 * *", ["day of month", '"0"']),
        ("0 0 24 * * *", ["hour", '"24"', "0-23"]),
        ("0 60 * * * *", ["minute", '"60"', "0-59"]),
        ("61 * * * * *", ["second", '"61"', "0-59"]),
        ("0 10-70/5 * * * *", ["minute", '"70" in "10-70/5"']),
        ("0 0 0 * Foo *", ["month", '"Foo"', "feb"]),
        ("0 0 0 * * tues,wodin", ["weekday", '"wodin"']),
        ("mon * * * * *", ["second", '"mon"']),
        ("0 1, * * * *", ["minute", '""']),
        ("0 1,,2 * * * *", ["minute", '""']),
        ("0 ,1 * * * *", ["minute", '""']),
        ("0 5- * * * *", ["minute", '""']),
        ("0 -5 * * * *", ["minute", '""']),
        ("0 1-2-3 * * * *", ["minute", '"2-3"']),
        ("0 *-5 * * * *", ["minute", '"*"']),
        ("0 */ * * * *", ["minute", '"" in "*/"', "step"]),
        ("0 */x * * * *", ["minute", '"x"', "step"]),
        ("0 */1/2 * * * *", ["minute", '"1/2"', "step"]),
        ("0 */2147483648 * * * *", ["minute", '"2147483648"', "step"]),
        ("0 ٣ * * * *", ["minute", '"٣"']),
        ("0 99999999999999999999 * * * *", ["minute", "0-59"]),
        ("0 0 0 30 2 *", ["day of month 30", "month 2", "never fire"]),
        ("0 0 0 31 4,6,9,11 *", ["day of month 31", "4, 6, 9, 11", "never fire"]),
    ],
)
def test_a_bad_field_is_named_with_the_expression_and_the_value(expression: str, named: list[str]) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Schedule.parse(expression)

    assert [part for part in [f'"{expression}"', *named] if part not in str(refused.value)] == []


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("", "has 0 fields"),
        ("* * * *", "has 4 fields"),
        ("0 0 0 * * * 2026", "has 7 fields"),
        ("0\t0\t0\t*\t*\t*", "has 1 fields"),
        ("@daily", "is a macro"),
        ("00:05:00", "is a time span, which the host takes on a dedicated plan only"),
        ("1.00:00:00", "is a time span"),
        ("5", "is a time span"),
    ],
)
def test_what_is_no_cron_expression_at_all_is_refused_with_the_way_out(expression: str, reason: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Schedule.parse(expression)

    assert reason in str(refused.value)
    assert '"0 */5 * * * *" (every five minutes)' in str(refused.value)
