from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from shared.errors import DemandError
from shared.forecasting.forecast import Forecast, made_of
from shared.forecasting.model import NAIVE_LEVELS, naive_forecast
from shared.forecasting.seasonal_naive import LEAST_KNOWN, seasonal_naive
from tests.builders import NOW, STEP, flat, forecast, history


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        pytest.param({"values": np.array([[1.0, np.nan]])}, "finite", id="NaN"),
        pytest.param({"values": np.array([[1.0, np.inf]])}, "finite", id="infinite"),
        pytest.param({"values": np.array([[-1.0, 1.0]])}, ">= 0", id="negative"),
        pytest.param({"values": np.array([[2.0, 1.0]])}, "quantiles cross", id="crossing"),
        pytest.param({"values": np.empty((0, 2))}, "at least one interval", id="empty"),
        pytest.param({"values": np.array([1.0, 2.0])}, "cannot have values of shape", id="one axis"),
        pytest.param({"values": np.array([[1.0]])}, "cannot have values of shape", id="a level too few"),
        pytest.param({"levels": np.array([0.9, 0.5])}, "must increase", id="levels that fall"),
        pytest.param({"levels": np.array([0.5, 1.0])}, "must increase within 0 and 1", id="a level of one"),
        pytest.param({"levels": np.array([0.5, np.nan])}, "must increase", id="a level that is none"),
        pytest.param({"levels": np.empty(0), "values": np.empty((1, 0))}, "0,", id="no levels"),
    ],
)
def test_what_is_no_forecast_is_refused(changes: dict[str, Any], told: str) -> None:
    valid: dict[str, Any] = {
        "levels": np.array([0.5, 0.9]),
        "values": np.array([[1.0, 2.0]]),
        "first_utc": NOW,
        "step": STEP,
        "made_at_utc": NOW,
        "model_version": "1",
    }

    with pytest.raises(ValueError, match=told):
        Forecast(**{**valid, **changes})


def test_quantiles_are_linear_between_levels_and_flat_beyond() -> None:
    rising = forecast(10.0, spread=10.0, intervals=1)

    assert rising.quantile(0.5).tolist() == [30.0]
    assert rising.quantile(0.375).tolist() == [25.0]
    assert rising.quantile(0.0001).tolist() == [10.0]
    assert rising.quantile(0.99999).tolist() == [80.0]
    assert rising.median.tolist() == [30.0]


def test_a_forecast_for_late_demand_repeats_its_last_interval() -> None:
    late = forecast(5.0, intervals=2).reaching(NOW + timedelta(minutes=21))

    assert len(late) == 5
    assert late.median.tolist() == [5.0] * 5
    assert late.start_of(4) == NOW + timedelta(minutes=20)


def test_a_forecast_that_reaches_far_enough_is_left_alone() -> None:
    enough = forecast(5.0, intervals=2)

    assert enough.reaching(NOW + timedelta(minutes=10)) is enough


@given(raw=arrays(np.float64, (3, 4), elements=st.floats(-1e6, 1e6)))
def test_raw_output_becomes_legal_quantiles(raw: np.ndarray) -> None:
    made = made_of(raw)

    assert (made >= 0).all()
    assert (np.diff(made, axis=1) >= 0).all()


def test_nan_in_raw_output_stays_to_be_refused() -> None:
    assert np.isnan(made_of(np.array([[np.nan, 1.0]]))).any()


@given(
    demand=st.lists(st.floats(0, 1e18) | st.just(float("nan")), min_size=1, max_size=60),
    horizon=st.integers(1, 8),
)
def test_seasonal_naive_forecasts_or_says_what_is_missing(demand: list[float], horizon: int) -> None:
    known = sum(value == value for value in demand)  # noqa: PLR0124 - NaN is not itself
    try:
        made = naive_forecast(history(demand), horizon=horizon, now_utc=NOW)
    except DemandError as exc:
        assert f"only {known} intervals" in str(exc)  # noqa: PT017 - either is right
    else:
        assert known >= LEAST_KNOWN
        assert len(made) == horizon


def test_seasonal_naive_of_steady_demand_is_that_demand() -> None:
    made = seasonal_naive(flat(50.0), horizon=3, levels=NAIVE_LEVELS)

    assert made == pytest.approx(np.full((3, len(NAIVE_LEVELS)), 50.0))


def test_seasonal_naive_knows_the_morning_from_yesterday() -> None:
    day = [10.0] * 144 + [100.0] * 144
    until_noon = history((day * 7)[: -(288 - 143)])

    made = seasonal_naive(until_noon, horizon=4, levels=NAIVE_LEVELS)

    assert made[3, NAIVE_LEVELS.tolist().index(0.95)] > 60


def test_seasonal_naive_needs_an_hour_of_demand() -> None:
    with pytest.raises(DemandError, match="only 11 intervals of demand are known, 12 are needed"):
        seasonal_naive(flat(1.0, intervals=11), horizon=1, levels=NAIVE_LEVELS)


def test_seasonal_naive_of_no_demand_is_none() -> None:
    assert seasonal_naive(flat(0.0), horizon=2, levels=NAIVE_LEVELS).max() < 1e-9
