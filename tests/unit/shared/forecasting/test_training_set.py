import numpy as np
import pytest

from shared.errors import TrainingRefused
from shared.forecasting.history_spec import HistorySpec
from shared.forecasting.training_set import TrainingSet
from tests.builders import flat
from tests.demand import HALF_HOUR, daily, history_of
from tests.models import training_set_on

DAY = 48
HISTORY = history_of(daily(20))


def test_rows_are_those_whose_present_and_whole_future_are_known() -> None:
    values = daily(20)
    values[500:510] = np.nan

    intervals = training_set_on(history_of(values)).intervals

    assert set(range(497, 510)).isdisjoint(intervals.tolist())
    assert {496, 510} <= set(intervals.tolist())
    assert intervals[0] == DAY  # the first day's lags look at nothing
    assert intervals[-1] == len(values) - 4


def test_targets_are_the_log_ratios_to_the_demand_now() -> None:
    training_set = training_set_on(HISTORY)
    floor = training_set.feature_spec.floor
    first = training_set.intervals[0]
    ahead = np.log(HISTORY.demand[first : first + 4] + floor)

    np.testing.assert_allclose(training_set.targets[0], ahead[1:] - ahead[0])
    assert floor == pytest.approx(0.02 * HISTORY.demand.mean())


def test_no_more_than_sixty_days_are_looked_at() -> None:
    long = training_set_on(history_of(daily(90)))

    assert len(long.targets) == 60 * DAY - 3
    assert long.faded(60.0).min() == pytest.approx(0.5, rel=0.01)


def test_weights_halve_with_each_half_life() -> None:
    weights = training_set_on(HISTORY).faded(2.0)

    assert weights[0] < weights[-1] <= 1
    assert weights[2 * DAY] / weights[0] == pytest.approx(2.0)


def test_features_are_computed_once() -> None:
    training_set = training_set_on(HISTORY)

    assert training_set.features is training_set.features
    assert training_set.features.shape[1] == len(training_set.feature_names)


def test_a_refresh_looks_at_a_new_history_with_the_features_of_the_old() -> None:
    spec = training_set_on(HISTORY, timezone="Europe/Madrid", holidays="ES").feature_spec

    again = TrainingSet.for_refresh(history_of(3 * daily(20)), spec)

    assert again.feature_spec == spec


def test_a_model_expects_what_it_was_fitted_on() -> None:
    assert training_set_on(HISTORY, holidays="ES").history_spec == HistorySpec(
        signals=("demand",), step=HALF_HOUR, horizon=3, timezone="UTC", holidays="ES"
    )


@pytest.mark.parametrize("value", [0.0, float("nan")])
def test_demand_that_is_nowhere_above_zero_teaches_nothing(value: float) -> None:
    with pytest.raises(TrainingRefused, match="nothing to learn from"):
        training_set_on(flat(value)).features  # noqa: B018 - looking is what raises


def test_too_few_rows_are_refused_with_their_number() -> None:
    with pytest.raises(TrainingRefused, match="97 intervals with a known future are too few to fit on: 100 are needed"):
        training_set_on(HISTORY.first(133)).features  # noqa: B018 - looking is what raises
