"""Which families a history is long enough for, and what is fitted where nothing is judged."""

from datetime import timedelta

import numpy as np
import pytest

from shared.errors import TrainingRefused
from shared.forecasting.eligibility import eligible_families, fit_family, fit_preferred, training_set_of
from tests.builders import flat, history, pool
from tests.demand import HALF_HOUR, daily, history_of
from tests.models import DEMAND_FAMILIES

POOL = pool(lead_time_min=60)
HISTORY = history_of(daily(12))


@pytest.mark.parametrize(
    ("days", "families"),
    [
        (0.3, ["seasonal_naive"]),
        (5, ["seasonal_naive", "ridge"]),
        (7, ["seasonal_naive", "ridge", "forest"]),
        (42, ["seasonal_naive", "ridge", "forest", "boosting"]),
    ],
)
def test_a_longer_history_lets_more_families_compete_simplest_first(days: float, families: list[str]) -> None:
    eligible = eligible_families(history_of(daily(42)[: round(48 * days)]), pool="web")

    assert list(eligible.families) == families
    assert set(eligible.left_out) == set(DEMAND_FAMILIES) - set(families)


def test_unknown_intervals_do_not_count_as_history() -> None:
    values = daily(42)
    values[200:] = np.nan

    eligible = eligible_families(history_of(values), pool="web")

    assert "boosting needs 2000 known intervals over 7 days, there are 200 over 4.2" in eligible.reason


def test_demand_in_another_step_needs_the_same_time() -> None:
    hourly = history_of(daily(3, step=2 * HALF_HOUR), step=timedelta(hours=1))

    assert eligible_families(hourly, pool="web").families == ("seasonal_naive",)


def test_what_is_fitted_forecasts_as_far_as_the_pool_needs() -> None:
    made = fit_preferred(POOL.model_copy(update={"lead_time_min": 45.0}), HISTORY.first(250))

    assert (made.model.family, made.model.spec.horizon, made.reason) == ("ridge", 3, "")
    assert made.model.forecaster.quantiles(HISTORY).shape[0] == 3


def test_the_pools_calendar_is_the_models() -> None:
    spanish = pool(lead_time_min=60, calendar={"timezone": "Europe/Madrid", "holidays": "ES"})

    spec = training_set_of(spanish, HISTORY).history_spec

    assert (spec.timezone, spec.holidays) == ("Europe/Madrid", "ES")


def test_a_short_history_gets_the_naive_and_says_so() -> None:
    made = fit_preferred(POOL, HISTORY.first(40))

    assert made.model.family == "seasonal_naive"
    assert "forest needs 300 known intervals over 2 days, there are 40 over 0.8" in made.reason


def test_a_history_of_which_too_little_can_be_used_gets_the_naive_and_says_so() -> None:
    values = daily(30)
    values[::2] = np.nan  # no interval has a known future

    made = fit_preferred(POOL, history_of(values))

    assert made.model.family == "seasonal_naive"
    assert "0 intervals with a known future are too few to fit on" in made.reason


@pytest.mark.parametrize("values", [[np.nan] * 500, [5.0] * 500, [0.0] * 500, [1.0, 2.0, 3.0]])
def test_garbage_is_refused(values: list[float]) -> None:
    with pytest.raises(TrainingRefused, match="web"):
        fit_preferred(POOL, history_of(np.array(values)))


def test_a_history_of_minutes_makes_no_model() -> None:
    with pytest.raises(TrainingRefused, match="web: 11 intervals of demand are known, a forecast needs 12"):
        fit_preferred(pool(), flat(5.0, intervals=11))


def test_a_family_that_was_asked_for_is_fitted_or_refused() -> None:
    with pytest.raises(TrainingRefused, match="boosting needs 2000 known intervals"):
        fit_family(POOL, training_set_of(POOL, HISTORY), "boosting")
    assert fit_family(POOL, training_set_of(POOL, HISTORY), "ridge").family == "ridge"


def test_a_naive_model_of_a_short_history_can_be_replayed() -> None:
    short = history([5.0 + index % 7 for index in range(60)])

    made = fit_preferred(pool(), short)

    assert made.model.forecaster.historical_forecasts(short, first=58).shape[0] == 2
