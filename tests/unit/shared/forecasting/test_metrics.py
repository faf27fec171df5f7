import numpy as np
import pytest

from shared.forecasting.metrics import (
    COVERAGE,
    PINBALL,
    SCORED_INTERVALS,
    coverage,
    evaluate,
    pinball_shares,
)
from tests.builders import flat
from tests.demand import daily, history_of
from tests.models import fitted, training_set_on

HISTORY = history_of(daily(12))
NAIVE = fitted("seasonal_naive", training_set_on(HISTORY))


def test_pinball_is_a_share_of_the_mean_demand_and_skips_the_unknown() -> None:
    demand = np.array([10.0, 10.0, np.nan, 10.0])
    quantiles = np.array([[8.0, 12.0, 20.0]] * 3 + [[np.nan] * 3])

    assert pinball_shares(demand, quantiles) == pytest.approx(
        {"pinball_50": 0.1, "pinball_90": 0.02, "pinball_99": 0.01}
    )


def test_pinball_of_nothing_is_nothing() -> None:
    nothing = pinball_shares(np.array([np.nan]), np.ones((1, 3)))

    assert nothing == {"pinball_50": 0.0, "pinball_90": 0.0, "pinball_99": 0.0}


def test_demand_at_the_quantile_is_covered() -> None:
    assert coverage(np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 1.0, 3.0, 9.0])) == 0.75


def test_a_model_is_scored_on_the_last_moment_to_order_for_each_interval() -> None:
    first = len(HISTORY) - 100

    scores = evaluate(NAIVE, HISTORY, first=first)

    assert scores[SCORED_INTERVALS] == 97
    assert 0.02 < scores[PINBALL] < 0.1
    assert 0.7 < scores[COVERAGE] < 1.0


def test_a_better_model_has_a_lower_loss() -> None:
    first = len(HISTORY) - 200
    ridge = fitted("ridge", training_set_on(HISTORY.first(first)))

    assert evaluate(ridge, HISTORY, first=first)[PINBALL] < evaluate(NAIVE, HISTORY, first=first)[PINBALL]


def test_a_model_that_cannot_forecast_this_demand_has_no_scores() -> None:
    assert evaluate(NAIVE, flat(5.0), first=10) == {}
    assert evaluate(NAIVE, HISTORY, first=3) == {}  # too little is known before
    assert evaluate(NAIVE, history_of(np.zeros(100)), first=50) == {}
