"""Boosting: scikit-learn's predictions to the bit, from arrays."""

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from shared.demand.csv_format import read_demand_csv
from shared.errors import ModelRefused
from shared.forecasting.boosting import BOOSTED_LEVELS, DEPTH, BoostedTrees, BoostingForecaster, boosted_trees_of
from shared.forecasting.expectation import LinearExpectation
from shared.forecasting.file_format import write_model
from tests.conftest import DATA
from tests.demand import daily, history_of
from tests.models import training_set_on

PAST = history_of(daily(12))


@pytest.fixture(scope="module")
def boosting() -> BoostingForecaster:
    return BoostingForecaster.fit(training_set_on(PAST))


def test_on_a_real_history_it_predicts_what_scikit_learn_does() -> None:
    name = "ms-mongodb-machine-5min"
    history = read_demand_csv((DATA / f"{name}.csv").read_text(), name=name)
    training_set = training_set_on(history)
    expected = LinearExpectation.fit(training_set).expected_ratios(training_set.features)
    features = np.concatenate([training_set.features, expected], axis=1)
    features = features[:, np.isfinite(features).any(axis=0)]
    errors = training_set.targets[:, 0] - expected[:, 0]
    models = [
        HistGradientBoostingRegressor(loss="quantile", quantile=level, max_iter=20, max_depth=DEPTH, random_state=0)
        for level in BOOSTED_LEVELS
    ]
    with threadpool_limits(limits=1, user_api="openmp"):
        fitted = [model.fit(features, errors) for model in models]

        theirs = np.column_stack([model.predict(features) for model in fitted])

    np.testing.assert_array_equal(boosted_trees_of(fitted, columns=features.shape[1]).predict(features), theirs)


def test_its_file_is_small(boosting: BoostingForecaster) -> None:
    assert len(write_model(boosting.to_parameters())) < 150_000


def test_a_column_unknown_everywhere_is_left_out() -> None:
    short = history_of(daily(5))  # a week's lag is unknown everywhere
    training_set = training_set_on(short)
    assert np.isnan(training_set.features).all(axis=0).any()

    boosting = BoostingForecaster.fit(training_set)

    assert len(boosting.columns) < training_set.features.shape[1]
    assert np.isfinite(boosting.quantiles(short)).all()


def test_between_fits_nothing_is_taken_in(boosting: BoostingForecaster) -> None:
    assert boosting.refresh(PAST) is boosting


def test_trees_that_the_levels_cannot_share_are_refused(boosting: BoostingForecaster) -> None:
    parameters = dict(boosting.to_parameters())
    spec = training_set_on(PAST).history_spec
    fewer = {**parameters, "trees.roots": parameters["trees.roots"][:-1]}

    with pytest.raises(ModelRefused, match=r"'trees.roots' .* are 239, which 4 levels cannot share"):
        BoostingForecaster.from_parameters(fewer, spec)
    with pytest.raises(ValueError, match="240 trees cannot be those of 7 levels"):
        BoostedTrees(trees=boosting.boosted.trees, values=boosting.boosted.values, baselines=np.zeros(7))


def test_a_column_that_is_not_there_is_refused(boosting: BoostingForecaster) -> None:
    parameters = dict(boosting.to_parameters())
    spec = training_set_on(PAST).history_spec
    wrong = {**parameters, "columns": parameters["columns"] + np.int32(1)}

    with pytest.raises(ModelRefused, match=r"'columns' of a boosting model lies within"):
        BoostingForecaster.from_parameters(wrong, spec)
