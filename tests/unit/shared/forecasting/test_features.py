from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.forecasting.features import (
    EPOCH,
    FeatureSpec,
    calendar,
    feature_names,
    features_of,
    lag,
    local_seconds,
    rolling_max,
    rolling_mean,
    targets,
)
from tests.builders import STEP, history

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


# the columns


@settings(max_examples=25, deadline=None)
@given(cut=st.integers(60, 399), horizon=st.integers(1, 6), step_min=st.sampled_from([5, 60, 720, 1440]))
def test_a_row_of_features_rests_on_nothing_after_it(cut: int, horizon: int, step_min: int) -> None:
    step = timedelta(minutes=step_min)
    values = np.random.default_rng(7).uniform(1, 100, 400)
    spec = FeatureSpec(step=step, horizon=horizon, floor=1.0, timezone="Europe/Madrid", holidays="ES")
    whole = history(values.tolist(), step=step)

    known = features_of(whole.first(cut), spec)

    assert known.names == features_of(whole, spec).names == feature_names(spec)
    assert known.matrix[-1] == pytest.approx(features_of(whole, spec).matrix[cut - 1], nan_ok=True)


@given(
    values=st.lists(st.floats(-100, 100) | st.just(float("nan")), min_size=1, max_size=40), width=st.integers(1, 300)
)
def test_running_means_and_maxima_are_those_of_the_known(values: list[float], width: int) -> None:
    series = np.array(values)
    windows = [series[max(0, end - width) : end] for end in range(1, len(series) + 1)]
    known = [window[~np.isnan(window)] for window in windows]
    means = [window.mean() if len(window) else np.nan for window in known]
    maxima = [window.max() if len(window) else np.nan for window in known]

    assert rolling_mean(series, width) == pytest.approx(means, nan_ok=True, abs=1e-9)
    assert rolling_max(series, width) == pytest.approx(maxima, nan_ok=True)


def test_lags_look_back_and_negative_ones_ahead() -> None:
    series = np.array([1.0, 2.0, 3.0])

    assert lag(series, 1) == pytest.approx([np.nan, 1, 2], nan_ok=True)
    assert lag(series, -1) == pytest.approx([2, 3, np.nan], nan_ok=True)
    assert lag(series, 0) == pytest.approx([1, 2, 3])
    assert np.isnan(lag(series, 9)).all()


def test_targets_are_what_came_next_relative_to_now() -> None:
    spec = FeatureSpec(step=STEP, horizon=2, floor=1.0)
    features = features_of(history([0.0, np.e - 1, np.e**2 - 1]), spec)

    assert targets(features, 2)[0] == pytest.approx([1.0, 2.0])


def test_local_time_follows_daylight_saving() -> None:
    winter, summer = np.array([1_767_225_600]), np.array([1_782_864_000])

    assert (local_seconds(winter, "Europe/Madrid") - winter).tolist() == [3600]
    assert (local_seconds(summer, "Europe/Madrid") - summer).tolist() == [7200]
    assert local_seconds(winter, "UTC").tolist() == winter.tolist()


@pytest.mark.parametrize("changes", [{"horizon": 0}, {"floor": 0.0}, {"floor": float("nan")}, {"step": timedelta(0)}])
def test_features_that_cannot_be_computed_are_refused(changes: dict[str, Any]) -> None:
    valid: dict[str, Any] = {"step": STEP, "horizon": 1, "floor": 1.0}

    with pytest.raises(ValueError, match="must be > 0"):
        FeatureSpec(**{**valid, **changes})
