from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from shared.forecasting.forecast import Forecast, repair_quantiles
from tests.builders import NOW, STEP, forecast


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"quantiles": np.array([[1.0, np.nan]])}, "finite", id="NaN"),
        pytest.param({"quantiles": np.array([[1.0, np.inf]])}, "finite", id="infinite"),
        pytest.param({"quantiles": np.array([[-1.0, 1.0]])}, ">= 0", id="negative"),
        pytest.param({"quantiles": np.array([[2.0, 1.0]])}, "quantiles cross", id="crossing"),
        pytest.param({"quantiles": np.empty((0, 2))}, "at least one interval", id="empty"),
        pytest.param({"quantiles": np.array([1.0, 2.0])}, "cannot have quantiles of shape", id="one axis"),
        pytest.param({"quantiles": np.array([[1.0]])}, "cannot have quantiles of shape", id="a level too few"),
        pytest.param({"quantile_levels": np.array([0.9, 0.5])}, "must increase", id="levels that fall"),
        pytest.param({"quantile_levels": np.array([0.5, 1.0])}, "must increase within 0 and 1", id="a level of one"),
        pytest.param({"quantile_levels": np.array([0.5, np.nan])}, "must increase", id="a level that is none"),
        pytest.param({"quantile_levels": np.empty(0), "quantiles": np.empty((1, 0))}, "0,", id="no levels"),
    ],
)
def test_what_is_no_forecast_is_refused(changes: dict[str, Any], expected: str) -> None:
    valid: dict[str, Any] = {
        "quantile_levels": np.array([0.5, 0.9]),
        "quantiles": np.array([[1.0, 2.0]]),
        "first_utc": NOW,
        "step": STEP,
        "made_at_utc": NOW,
        "model_version": "1",
    }

    with pytest.raises(ValueError, match=expected):
        Forecast(**{**valid, **changes})


def test_quantiles_are_linear_between_levels_and_flat_beyond() -> None:
    rising = forecast(10.0, spread=10.0, intervals=1)

    assert rising.quantile(0.5).tolist() == [30.0]
    assert rising.quantile(0.375).tolist() == [25.0]
    assert rising.quantile(0.0001).tolist() == [10.0]
    assert rising.quantile(0.99999).tolist() == [80.0]
    assert rising.median.tolist() == [30.0]


def test_a_forecast_for_late_demand_repeats_its_last_interval() -> None:
    late = forecast(5.0, intervals=2).extended_to(NOW + timedelta(minutes=21))

    assert len(late) == 5
    assert late.median.tolist() == [5.0] * 5
    assert late.start_of(4) == NOW + timedelta(minutes=20)


def test_a_forecast_that_reaches_far_enough_is_left_alone() -> None:
    enough = forecast(5.0, intervals=2)

    assert enough.extended_to(NOW + timedelta(minutes=10)) is enough


@given(raw=arrays(np.float64, (3, 4), elements=st.floats(-1e6, 1e6)))
def test_raw_output_becomes_legal_quantiles(raw: np.ndarray) -> None:
    made = repair_quantiles(raw)

    assert (made >= 0).all()
    assert (np.diff(made, axis=1) >= 0).all()


def test_nan_in_raw_output_stays_to_be_refused() -> None:
    assert np.isnan(repair_quantiles(np.array([[np.nan, 1.0]]))).any()
