import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import DemandError, ModelRefused
from shared.forecasting.history_spec import HistorySpec
from shared.forecasting.model import naive_forecast
from shared.forecasting.seasonal_naive import MIN_KNOWN, NAIVE_LEVELS, SeasonalNaiveForecaster, naive_quantiles
from tests.builders import NOW, STEP, flat, history
from tests.models import training_set_on

SPEC = HistorySpec(signals=("demand",), step=STEP, horizon=3)


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
        assert known >= MIN_KNOWN
        assert len(made) == horizon


def test_seasonal_naive_of_steady_demand_is_that_demand() -> None:
    made = naive_quantiles(flat(50.0), horizon=3)

    assert made == pytest.approx(np.full((3, len(NAIVE_LEVELS)), 50.0))


def test_seasonal_naive_knows_the_morning_from_yesterday() -> None:
    day = [10.0] * 144 + [100.0] * 144
    until_noon = history((day * 7)[: -(288 - 143)])

    made = naive_quantiles(until_noon, horizon=4)

    assert made[3, NAIVE_LEVELS.tolist().index(0.95)] > 60


def test_seasonal_naive_needs_an_hour_of_demand() -> None:
    with pytest.raises(DemandError, match="only 11 intervals of demand are known, 12 are needed"):
        naive_quantiles(flat(1.0, intervals=11), horizon=1)


def test_seasonal_naive_of_no_demand_is_none() -> None:
    assert naive_quantiles(flat(0.0), horizon=2).max() < 1e-9


def test_a_forecaster_says_what_the_function_says() -> None:
    known = history([5.0 + index % 7 for index in range(60)])
    forecaster = SeasonalNaiveForecaster.fit(training_set_on(known, horizon=2))

    rows = forecaster.historical_forecasts(known, first=50)

    assert rows.shape == (10, 2, len(NAIVE_LEVELS))
    np.testing.assert_array_equal(rows[3], naive_quantiles(known.first(54), horizon=2))
    assert forecaster.historical_forecasts(known, first=60).shape == (0, 2, len(NAIVE_LEVELS))
    assert forecaster.refresh(known) is forecaster


def test_it_has_no_parameters_and_takes_none() -> None:
    forecaster = SeasonalNaiveForecaster.from_parameters({}, SPEC)

    assert forecaster.to_parameters() == {}
    assert forecaster.quantiles(flat(50.0)).shape == (3, len(NAIVE_LEVELS))
    with pytest.raises(ModelRefused, match="parameter 'surplus' of a seasonal_naive model is not known"):
        SeasonalNaiveForecaster.from_parameters({"surplus": np.ones(1)}, SPEC)
