from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from shared.forecasting.features import EPOCH, FeatureSpec, calendar, local_seconds

HOUR = timedelta(hours=1)


def spec(*, timezone: str = "UTC", holidays: str = "") -> FeatureSpec:
    return FeatureSpec(step=HOUR, horizon=2, floor=1.0, timezone=timezone, holidays=holidays)


def hours_from(start: datetime, hours: int) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    first = int((start - EPOCH).total_seconds())
    return first + 3600 * np.arange(hours, dtype=np.int64)


def test_in_the_night_that_summer_time_begins_an_hour_is_skipped() -> None:
    starts = hours_from(datetime(2026, 3, 28, 23, tzinfo=UTC), 5)

    minutes = calendar(starts, spec(timezone="Europe/Madrid"))["minute_of_day"] / 60

    assert minutes.tolist() == [0, 1, 3, 4, 5]


def test_in_the_night_that_summer_time_ends_an_hour_comes_twice() -> None:
    starts = hours_from(datetime(2026, 10, 24, 23, tzinfo=UTC), 4)

    assert (calendar(starts, spec(timezone="Europe/Madrid"))["minute_of_day"] / 60).tolist() == [1, 2, 2, 3]


def test_the_same_local_time_looks_the_same_in_summer_and_winter() -> None:
    nine = [datetime(2026, 1, 12, 8, tzinfo=UTC), datetime(2026, 7, 13, 7, tzinfo=UTC)]

    columns = [calendar(hours_from(at, 1), spec(timezone="Europe/Madrid")) for at in nine]

    assert columns[0].keys() == columns[1].keys()
    assert [c["minute_of_day"][0] for c in columns] == [540, 540]
    assert [c["weekday"][0] for c in columns] == [0, 0]
    assert columns[0]["sin1"] == pytest.approx(columns[1]["sin1"])


def test_a_zone_with_half_an_hour_is_told_right() -> None:
    starts = hours_from(datetime(2026, 6, 1, tzinfo=UTC), 2)

    assert (local_seconds(starts, "Asia/Kolkata") - starts).tolist() == [19_800, 19_800]


def test_the_day_changes_by_the_local_clock() -> None:
    starts = hours_from(datetime(2026, 11, 22, 22, tzinfo=UTC), 2)  # a Sunday; 23:00 and midnight in Madrid

    columns = calendar(starts, spec(timezone="Europe/Madrid"))

    assert columns["weekday"].tolist() == [6, 0]
    assert columns["weekend"].tolist() == [1, 0]


def test_holidays_and_their_eves_are_marked_by_the_local_day() -> None:
    starts = hours_from(datetime(2026, 12, 23, 22, tzinfo=UTC), 48)

    columns = calendar(starts, spec(timezone="Europe/Madrid", holidays="ES"))

    assert columns["holiday_tomorrow"].tolist() == [0, *[1] * 24, *[0] * 23]
    assert columns["holiday"].tolist() == [0] * 25 + [1] * 23


def test_a_region_has_holidays_of_its_own() -> None:
    epiphany = hours_from(datetime(2026, 1, 6, 12, tzinfo=UTC), 1)

    assert calendar(epiphany, spec(holidays="DE-BY"))["holiday"].tolist() == [1]
    assert calendar(epiphany, spec(holidays="DE"))["holiday"].tolist() == [0]


def test_without_a_country_there_are_no_holiday_columns() -> None:
    assert "holiday" not in calendar(hours_from(datetime(2026, 1, 1, tzinfo=UTC), 1), spec())
