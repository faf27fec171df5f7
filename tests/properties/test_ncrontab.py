from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from dev.host.ncrontab import FIELDS, Field, Schedule

WINDOW_S = 7_200


def _parts(field: Field) -> st.SearchStrategy[str]:
    value = st.integers(field.lowest, field.highest).map(str)
    step = st.integers(-1, 70).map(str)
    return st.one_of(
        st.just("*"),
        value,
        st.tuples(value, value).map("-".join),
        step.map(lambda text: f"*/{text}"),
        st.tuples(value, step).map("/".join),
        st.tuples(value, value, step).map(lambda three: f"{three[0]}-{three[1]}/{three[2]}"),
    )


def _texts(field: Field) -> st.SearchStrategy[str]:
    return st.lists(_parts(field), min_size=1, max_size=3).map(",".join)


def _starred(texts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Let a field be a star half of the time, or hardly any schedule would be due within the window."""
    return st.one_of(st.just("*"), texts)


expressions = st.tuples(*[_starred(_texts(field)) for field in FIELDS[:3]], *[_texts(field) for field in FIELDS[3:]])
frequent = st.tuples(*[_starred(_texts(field)) for field in FIELDS[:3]]).map(lambda three: (*three, "1-28", "*", "*"))
instants = st.datetimes(
    min_value=datetime(1970, 1, 1),  # noqa: DTZ001  hypothesis adds the zone
    max_value=datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)


def _parsed(parts: tuple[str, ...]) -> Schedule:
    # The first of a month always exists, so that no expression is refused for a day that never comes.
    second, minute, hour, day, month, weekday = parts
    return Schedule.parse(f"{second} {minute} {hour} {day},1 {month} {weekday}")


@given(parts=expressions, now=instants)
def test_the_next_occurrence_is_later_and_matches_every_field(parts: tuple[str, ...], now: datetime) -> None:
    schedule = _parsed(parts)

    due = schedule.next_after(now)

    assert due > now
    assert due.microsecond == 0
    assert schedule.admits(due)


@given(parts=st.one_of(frequent, expressions), now=instants)
def test_no_instant_between_now_and_the_next_occurrence_is_due(parts: tuple[str, ...], now: datetime) -> None:
    schedule = _parsed(parts)

    due = schedule.next_after(now)

    first = now.replace(microsecond=0) + timedelta(seconds=1)
    window = range(min(WINDOW_S, int((due - first).total_seconds())))
    assert not any(schedule.admits(first + timedelta(seconds=s)) for s in window)


@given(parts=expressions, now=instants, later_s=st.integers(0, 10**7))
def test_a_later_instant_never_has_an_earlier_next_occurrence(
    parts: tuple[str, ...], now: datetime, later_s: int
) -> None:
    schedule = _parsed(parts)

    assert schedule.next_after(now) <= schedule.next_after(now + timedelta(seconds=later_s))


@given(parts=expressions, now=instants)
def test_every_day_that_is_passed_over_is_ruled_out_by_its_date(parts: tuple[str, ...], now: datetime) -> None:
    schedule = _parsed(parts)

    due = schedule.next_after(now)

    days = range(1, min(800, (due.date() - now.date()).days))
    passed = [now + timedelta(days=day) for day in days]
    weekdays = schedule.weekdays
    assert not [
        day
        for day in passed
        if day.day in schedule.days and day.month in schedule.months and day.isoweekday() % 7 in weekdays
    ]


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused_with_its_own_words(text: str) -> None:
    assert _reading(text) in {"read", "refused"}


@given(st.lists(st.text("0123456789*/-,LW#?a ", min_size=1, max_size=6), min_size=5, max_size=6).map(" ".join))
def test_any_text_like_an_expression_is_read_or_refused_with_its_own_words(text: str) -> None:
    assert _reading(text) in {"read", "refused"}


def _reading(text: str) -> str:
    try:
        Schedule.parse(text)
    except Exception as exc:  # noqa: BLE001  any other error is what the test looks for
        return "refused" if f'"{text}"' in str(exc) and type(exc).__name__ == "ConfigurationError" else repr(exc)
    return "read"
