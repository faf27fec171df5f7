import math
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.demand.history import History, history_from_rows
from shared.errors import DemandError
from tests.builders import NOW, STEP, history

FIRST = datetime(2026, 11, 22, tzinfo=UTC)


def rows(*minutes: float, value: float = 1.0) -> list[tuple[datetime, list[float]]]:
    return [(FIRST + timedelta(minutes=minute), [value]) for minute in minutes]


@pytest.mark.parametrize(
    ("dated", "expected"),
    [
        pytest.param([], "the demand history is empty", id="empty"),
        pytest.param(rows(0), "a single timestamp", id="one row"),
        pytest.param(rows(0, 5, 5), "2026-11-22T00:05:00+00:00 appears twice", id="duplicate"),
        pytest.param(rows(0, 0), "2026-11-22T00:00:00+00:00 appears twice", id="nothing but a duplicate"),
        pytest.param(rows(0, 10, 5), "2026-11-22T00:05:00+00:00 comes after", id="out of order"),
        pytest.param(rows(10, 5), "2026-11-22T00:05:00+00:00 comes after", id="backwards"),
        pytest.param(rows(0, 5, 12), "2026-11-22T00:12:00+00:00 is off the grid", id="irregular"),
        pytest.param(rows(0, 5, 5e8), "is a year wrong?", id="a far jump"),
        pytest.param([(datetime(2026, 11, 22), [1.0])], "2026-11-22T00:00:00 has no time zone", id="naive"),  # noqa: DTZ001
        pytest.param([*rows(0), *rows(5, value=math.inf)], "demand at 2026-11-22T00:05:00+00:00 is inf", id="infinite"),
        pytest.param([*rows(0), *rows(5, value=-1.0)], "demand at 2026-11-22T00:05:00+00:00 is -1.0", id="negative"),
        pytest.param([*rows(0), *rows(5, value=1e300)], "is 1e+300: demand must lie within", id="beyond arithmetic"),
    ],
)
def test_what_is_no_series_is_refused_by_name(dated: list[tuple[datetime, list[float]]], expected: str) -> None:
    with pytest.raises(DemandError) as error:
        history_from_rows(dated)

    assert expected in str(error.value)


def test_a_gap_is_unknown_and_not_zero() -> None:
    read = history_from_rows(rows(0, 5, 20))

    assert len(read) == 5
    assert np.isnan(read.demand[2:4]).all()


def test_the_step_may_be_given_where_rows_do_not_tell_it() -> None:
    read = history_from_rows(rows(0, 60), step=timedelta(minutes=5))

    assert (len(read), read.step) == (13, STEP)


def test_instants_of_any_zone_become_utc() -> None:
    cet = timezone(timedelta(hours=1))

    read = history_from_rows([(instant.astimezone(cet), row) for instant, row in rows(0, 5)])

    assert read.start_utc == FIRST
    assert read.start_utc.utcoffset() == timedelta(0)


def test_a_change_of_daylight_saving_is_no_gap_in_utc() -> None:
    before, after = datetime(2026, 10, 25, 0, 55, tzinfo=UTC), datetime(2026, 10, 25, 1, 0, tzinfo=UTC)

    read = history_from_rows([(before, [1.0]), (after, [2.0])])

    assert read.demand.tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"start_utc": datetime(2026, 1, 1)}, id="naive start"),  # noqa: DTZ001
        pytest.param({"start_utc": datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=1)))}, id="start not in UTC"),
        pytest.param({"step": timedelta(0)}, id="no step"),
        pytest.param({"step": -STEP}, id="a step backwards"),
        pytest.param({"values": np.ones(3)}, id="one axis"),
        pytest.param({"values": np.ones((3, 2))}, id="more columns than signals"),
        pytest.param({"values": np.array([[math.inf]])}, id="infinite"),
        pytest.param({"values": np.array([[-0.1]])}, id="negative"),
    ],
)
def test_a_history_is_valid_once_built(changes: dict[str, object]) -> None:
    valid: dict[str, object] = {"start_utc": FIRST, "step": STEP, "values": np.ones((3, 1))}

    with pytest.raises(DemandError):
        History(**{**valid, **changes})  # type: ignore[arg-type]


def test_only_complete_intervals_are_known_at_an_instant() -> None:
    known = history([1.0, 2.0, 3.0])

    assert known.until(NOW).demand.tolist() == [1.0, 2.0, 3.0]
    assert known.until(NOW - timedelta(seconds=1)).demand.tolist() == [1.0, 2.0]
    assert known.until(NOW + timedelta(days=1)).demand.tolist() == [1.0, 2.0, 3.0]
    assert len(known.until(NOW - timedelta(days=1))) == 0


def test_what_is_unknown_at_the_end_is_trimmed() -> None:
    assert history([1.0, math.nan, 3.0, math.nan, math.nan]).trimmed().demand.tolist()[-1] == 3.0
    assert len(history([math.nan, math.nan]).trimmed()) == 0


@given(total=st.integers(0, 30), taken=st.integers(0, 40))
def test_first_and_last_cut_without_moving_the_grid(total: int, taken: int) -> None:
    whole = history(list(range(total)))

    assert whole.first(taken).start_utc == whole.start_utc
    assert whole.last(taken).end_utc == whole.end_utc
    assert len(whole.first(taken)) == len(whole.last(taken)) == min(total, taken)
