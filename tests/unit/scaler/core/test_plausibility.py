"""Whether the newest demand can be believed."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaler.core.plausibility import (
    BELIEVED_AFTER,
    Doubt,
    ExpectedInterval,
    Plausibility,
    check_demand,
    expect_demand,
    plausible_lows,
)
from shared.demand.history import History
from tests.builders import NOW, STEP, flat, forecast, history

RIPPLE = (100 + np.arange(300) % 7).tolist()
"""Demand that neither stands still nor has zeros."""


def expecting(low: float, *, until: int = 0) -> Plausibility:
    """All is well until some intervals before the end, and from there at least ``low`` is expected."""
    end_utc = NOW - until * STEP
    return Plausibility(checked_until=end_utc, expected=(ExpectedInterval(start_utc=end_utc, low=low),))


def after(*values: float) -> History:
    return history([*RIPPLE, *values])


def test_demand_as_it_was_expected_is_believed() -> None:
    state, believed = check_demand(expecting(80, until=1), after(90.0))

    assert state.doubt is None
    assert believed.end_utc == NOW


def test_what_is_doubted_counts_as_not_known_yet() -> None:
    state, believed = check_demand(expecting(80, until=1), after(70.0))

    assert (state.doubt, state.doubted_demand) == (Doubt.BELOW_FORECAST, 70.0)
    assert believed.end_utc == state.since_utc == NOW - STEP


@pytest.mark.parametrize(("lasting", "doubt"), [(2, Doubt.BELOW_FORECAST), (3, None)])
def test_a_fall_that_lasts_for_a_quarter_of_an_hour_is_real(lasting: int, doubt: Doubt | None) -> None:
    fallen = [70.0 + number for number in range(lasting)]

    assert check_demand(expecting(80, until=lasting), after(*fallen))[0].doubt is doubt


@pytest.mark.parametrize(("lasting", "doubt"), [(11, Doubt.ZERO), (12, None)])
def test_zeros_that_last_for_an_hour_are_real(lasting: int, doubt: Doubt | None) -> None:
    assert check_demand(expecting(0, until=lasting), after(*[0.0] * lasting))[0].doubt is doubt


@pytest.mark.parametrize(("lasting", "doubt"), [(4, None), (5, Doubt.FROZEN), (71, Doubt.FROZEN), (72, None)])
def test_values_that_stand_still_are_doubted_for_six_hours(lasting: int, doubt: Doubt | None) -> None:
    state, _ = check_demand(expecting(0, until=lasting), after(*[99.5] * lasting))

    assert state.doubt is doubt


def test_a_demand_that_has_zeros_may_be_zero() -> None:
    nightly = history([*RIPPLE[:100], 0.0, *RIPPLE[:100], 0.0])

    assert check_demand(expecting(0, until=1), nightly)[0].doubt is None


def test_a_demand_that_often_stands_still_may_stand_still() -> None:
    steps = np.repeat(np.arange(1, 30), 10).tolist()

    assert check_demand(expecting(0, until=15), history([*steps, *[50.0] * 15]))[0].doubt is None


def test_hours_long_intervals_are_doubted_for_two_of_them() -> None:
    hour = timedelta(hours=1)
    state = Plausibility(checked_until=NOW - hour, expected=(ExpectedInterval(start_utc=NOW - hour, low=80.0),))
    first, _ = check_demand(state, history([*RIPPLE, 70.0], step=hour))

    second, _ = check_demand(first, history([*RIPPLE, 70.0, 71.0], step=hour, end_utc=NOW + hour))

    assert (first.doubt, second.doubt) == (Doubt.BELOW_FORECAST, None)


def test_a_value_that_is_mended_later_ends_the_doubt_about_it() -> None:
    doubting, _ = check_demand(expecting(80, until=1), after(10.0))

    mended, believed = check_demand(doubting, history([*RIPPLE, 95.0, 96.0], end_utc=NOW + STEP))

    assert doubting.doubt is Doubt.BELOW_FORECAST
    assert mended.doubt is None
    assert believed.end_utc == NOW + STEP


def test_while_in_doubt_the_old_expectation_stands() -> None:
    doubting, _ = check_demand(expecting(80, until=1), after(10.0))

    assert expect_demand(doubting, forecast(5.0), after(10.0)) == doubting


def test_a_forecast_that_knows_the_middle_only_makes_nothing_implausible() -> None:
    median_only = replace(forecast(100.0), quantile_levels=np.array([0.5]), quantiles=np.full((2, 1), 100.0))

    assert plausible_lows(median_only, floor=1.0).tolist() == [0.0, 0.0]


def test_a_sharp_forecast_leaves_a_fifth_of_room() -> None:
    assert plausible_lows(forecast(100.0), floor=1.0)[0] == pytest.approx(80.0)


def test_a_wide_forecast_makes_much_plausible() -> None:
    assert plausible_lows(forecast(100.0, spread=60.0), floor=1.0)[0] < 40.0


@given(
    values=st.lists(st.floats(0, 1e6) | st.just(float("nan")), min_size=1, max_size=40),
    low=st.floats(0, 1e6),
    until=st.integers(0, 50),
)
def test_what_is_believed_is_always_a_beginning_of_what_is_known(values: list[float], low: float, until: int) -> None:
    known = history(values)

    state, believed = check_demand(expecting(low, until=until), known)

    np.testing.assert_array_equal(believed.values, known.first(len(believed)).values)
    assert len(believed) >= 1
    assert (state.doubt is None) is (state.since_utc is None)
    assert state.checked_until == known.end_utc


def test_doubt_ends_whatever_the_reason() -> None:
    assert max(BELIEVED_AFTER.values()) <= timedelta(hours=6)
    assert set(BELIEVED_AFTER) == set(Doubt)


def test_an_empty_history_changes_nothing() -> None:
    assert check_demand(expecting(80), flat(1.0, intervals=0))[0] == expecting(80)
