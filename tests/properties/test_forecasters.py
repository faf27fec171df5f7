"""What holds for every family: no look-ahead, legal quantiles, no scale, the same after its file."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.demand.history import History
from shared.errors import DemandError
from shared.forecasting.forecaster import Forecaster
from shared.forecasting.model import FAMILIES
from tests.demand import daily, history_of
from tests.models import DEMAND_FAMILIES, fitted, training_set_on

DAYS = 12
PAST = history_of(daily(DAYS))
LAST_DAYS = len(PAST) - 100

families = pytest.mark.parametrize("family", DEMAND_FAMILIES)


@cache
def forecaster(family: str) -> Forecaster:
    return fitted(family, training_set_on(PAST)).forecaster


def holed(holes: list[tuple[int, int]]) -> History:
    """The past, unknown in these stretches."""
    values = PAST.values.copy()
    for start, length in holes:
        values[start : start + length] = np.nan
    return replace(PAST, values=values)


@settings(max_examples=10)
@given(cut=st.integers(LAST_DAYS, len(PAST)), seed=st.integers(0, 2**32 - 1))
@families
def test_what_comes_later_changes_no_earlier_forecast(family: str, cut: int, seed: int) -> None:
    model = forecaster(family)
    other = PAST.values.copy()
    other[cut:] *= np.random.default_rng(seed).uniform(0.1, 10, (len(PAST) - cut, 1))

    before = model.historical_forecasts(PAST, first=LAST_DAYS - 1)
    after = model.historical_forecasts(replace(PAST, values=other), first=LAST_DAYS - 1)

    np.testing.assert_array_equal(after[: cut - LAST_DAYS + 1], before[: cut - LAST_DAYS + 1])


@settings(max_examples=10)
@given(first=st.integers(LAST_DAYS, len(PAST) - 1), row=st.integers(0, 99))
@pytest.mark.parametrize("family", ["seasonal_naive", "ridge"])
def test_a_row_of_many_forecasts_is_what_is_said_to_the_history_cut_there(family: str, first: int, row: int) -> None:
    model = forecaster(family)
    row = min(row, len(PAST) - first - 1)

    rows = model.historical_forecasts(PAST, first=first)

    np.testing.assert_allclose(rows[row], model.quantiles(PAST.first(first + row + 1)), rtol=1e-9)


@pytest.mark.parametrize("family", ["boosting", "forest"])
def test_so_it_is_with_trees_on_demand_that_they_were_not_grown_on(family: str) -> None:
    # On rows that they were grown on, a threshold may be a row's own value: the last bit of a running mean decides.
    model = fitted(family, training_set_on(PAST.first(LAST_DAYS))).forecaster

    rows = model.historical_forecasts(PAST, first=LAST_DAYS)
    cut = np.array([model.quantiles(PAST.first(LAST_DAYS + row + 1)) for row in range(100)])

    assert np.isclose(rows, cut, rtol=1e-9).all(axis=(1, 2)).mean() >= 0.99


@given(holes=st.lists(st.tuples(st.integers(0, len(PAST)), st.integers(1, 300)), max_size=4))
@families
def test_whatever_is_unknown_the_quantiles_are_legal_or_refused(family: str, holes: list[tuple[int, int]]) -> None:
    model = forecaster(family)
    try:
        quantiles = model.quantiles(holed(holes))
    except DemandError as exc:
        assert "known" in str(exc)  # noqa: PT017 - either is right
    else:
        assert quantiles.shape == (3, len(model.quantile_levels))
        assert np.isfinite(quantiles).all()
        assert (quantiles >= 0).all()
        assert (np.diff(quantiles, axis=1) >= 0).all()


@settings(max_examples=3)
@given(scale=st.floats(1e-3, 1e3))
@pytest.mark.parametrize("family", ["seasonal_naive", "ridge"])
def test_demand_in_another_unit_is_forecast_in_that_unit(family: str, scale: float) -> None:
    scaled = replace(PAST, values=PAST.values * scale)

    other = fitted(family, training_set_on(scaled)).forecaster.quantiles(scaled)

    np.testing.assert_allclose(other, forecaster(family).quantiles(PAST) * scale, rtol=1e-6)


@pytest.mark.parametrize("scale", [0.25, 1024.0])
@pytest.mark.parametrize("family", ["boosting", "forest"])
def test_trees_do_not_see_the_unit_either(family: str, scale: float) -> None:
    scaled = replace(PAST, values=PAST.values * scale)

    other = fitted(family, training_set_on(scaled)).forecaster.historical_forecasts(scaled, first=LAST_DAYS)
    ours = forecaster(family).historical_forecasts(PAST, first=LAST_DAYS) * scale

    assert np.mean(np.abs(other / ours - 1)) < 0.01  # a rounding may send a row down another branch


@settings(max_examples=10)
@given(end=st.integers(200, len(PAST)))
@families
def test_a_model_made_of_its_parameters_forecasts_the_same(family: str, end: int) -> None:
    model = forecaster(family)
    again = FAMILIES[family].from_parameters(model.to_parameters(), training_set_on(PAST).history_spec)

    np.testing.assert_array_equal(again.quantiles(PAST.first(end)), model.quantiles(PAST.first(end)))
