"""Forests: the leaves of scikit-learn on real demand, and what a refresh takes in."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import Ridge

from shared.demand.csv_format import read_demand_csv
from shared.demand.history import History
from shared.errors import ModelRefused, TrainingRefused
from shared.forecasting.expectation import RIDGE_ALPHA, LinearExpectation, standardised
from shared.forecasting.features import feature_names
from shared.forecasting.forest import ForestComponent, ForestForecaster
from shared.forecasting.leaf_tables import LeafTables, edges_of
from shared.forecasting.mixture import around
from shared.forecasting.parameters import HALF_LIFE_DAYS
from shared.forecasting.training_set import TrainingSet
from shared.forecasting.trees import trees_of_forest
from tests.conftest import DATA
from tests.demand import daily, history_of
from tests.models import SMALL_FORESTS, training_set_on

PAST = history_of(daily(14))


@pytest.fixture(scope="module")
def forest() -> ForestForecaster:
    return ForestForecaster.fit(training_set_on(PAST), SMALL_FORESTS)


@pytest.fixture(scope="module")
def real() -> History:
    """A real series of 5-minute demand."""
    return read_demand_csv((DATA / "nab-elb-requests-5min.csv").read_text(), name="elb")


def expected_by_scikit_learn(training_set: TrainingSet) -> NDArray[np.float64]:
    """What a ridge regression of scikit-learn expects of the rows that it was fitted on."""
    features, targets = training_set.features, training_set.targets
    ours = LinearExpectation.fit(training_set)
    scaled = standardised(features, mean=ours.mean, sd=ours.sd)
    ridge = Ridge(alpha=RIDGE_ALPHA * np.sqrt(len(targets)))
    ridge.fit(scaled, targets, sample_weight=training_set.faded(HALF_LIFE_DAYS))
    expected: NDArray[np.float64] = ridge.predict(scaled)
    return expected


def forest_of_scikit_learn(training_set: TrainingSet) -> RandomForestRegressor:
    """Fifty trees on the features and the expectation, as the product grows them."""
    expected = expected_by_scikit_learn(training_set)
    errors = training_set.targets - expected
    edges = edges_of(errors)[:, 3::3]
    exceeded = np.concatenate([errors[:, [ahead]] > edges[ahead] for ahead in range(len(edges))], axis=1) * 1.0
    forest = RandomForestRegressor(50, max_leaf_nodes=100, min_samples_leaf=15, max_features=0.4, random_state=0)
    return forest.fit(np.concatenate([training_set.features, expected], axis=1), exceeded)


def test_on_a_real_history_rows_fall_into_scikit_learns_leaves_before_and_after_a_refresh(real: History) -> None:
    fitted = training_set_on(real.first(len(real) - 576))
    scikit = forest_of_scikit_learn(fitted)
    trees = trees_of_forest([tree.tree_ for tree in scikit.estimators_], columns=scikit.n_features_in_)
    features = np.concatenate([fitted.features, expected_by_scikit_learn(fitted)], axis=1)

    np.testing.assert_array_equal(trees.leaves(features.astype(np.float32)) - trees.roots, scikit.apply(features))

    later = TrainingSet.for_refresh(real, fitted.feature_spec)
    ours = np.concatenate(
        [later.features, LinearExpectation.fit(later).expected_ratios(later.features)], axis=1
    ).astype(np.float32)
    theirs = np.concatenate([later.features, expected_by_scikit_learn(later)], axis=1)

    assert np.mean(trees.leaves(ours) - trees.roots == scikit.apply(theirs)) >= 0.9999


def test_on_a_real_history_forecasts_are_those_that_scikit_learns_estimators_lead_to(real: History) -> None:
    training_set = training_set_on(real)
    expected = expected_by_scikit_learn(training_set)
    scikit = forest_of_scikit_learn(training_set)
    trees = trees_of_forest([tree.tree_ for tree in scikit.estimators_], columns=scikit.n_features_in_)
    leaves = scikit.apply(np.concatenate([training_set.features, expected], axis=1)) + trees.roots
    errors = training_set.targets - expected
    tables = LeafTables.count(
        errors, leaves, edges=edges_of(errors), weights=np.ones(len(errors)), nodes=len(trees.feature)
    )
    component = ForestComponent(expectation=LinearExpectation.fit(training_set), trees=trees, tables=tables)

    ratios = component.ratio_quantiles(training_set.features)

    np.testing.assert_allclose(ratios, around(expected, tables.error_quantiles(leaves)), rtol=1e-9, atol=1e-9)


def test_a_fit_is_reproducible(forest: ForestForecaster) -> None:
    again = ForestForecaster.fit(training_set_on(PAST), SMALL_FORESTS)

    np.testing.assert_array_equal(again.quantiles(PAST), forest.quantiles(PAST))


def test_its_features_have_names(forest: ForestForecaster) -> None:
    assert forest.feature_names == feature_names(forest.spec)
    assert {"level0", "typical", "typical_window_max"} <= set(forest.feature_names)


# refreshing


def test_a_refresh_takes_in_what_came_since(forest: ForestForecaster) -> None:
    doubled = replace(PAST, values=np.vstack([PAST.values, 2 * PAST.values[-240:]]))

    before, after = forest.quantiles(doubled), forest.refresh(doubled).quantiles(doubled)

    assert (np.diff(after, axis=1) >= 0).all()
    assert not np.array_equal(before, after)


def test_a_refresh_is_a_pure_function_of_the_splits_and_the_history(forest: ForestForecaster) -> None:
    before = forest.quantiles(PAST)

    once, twice = forest.refresh(PAST), forest.refresh(PAST.first(500)).refresh(PAST)

    np.testing.assert_array_equal(once.quantiles(PAST), twice.quantiles(PAST))
    np.testing.assert_array_equal(forest.quantiles(PAST), before)
    assert all(new.trees is old.trees for new, old in zip(once.components, forest.components, strict=True))


def test_a_refresh_needs_enough_history(forest: ForestForecaster) -> None:
    with pytest.raises(TrainingRefused, match="are too few to fit on"):
        forest.refresh(PAST.last(50))


# parameters


def changed(forest: ForestForecaster, **changes: Any) -> dict[str, Any]:
    return {**forest.to_parameters(), **{name.replace("__", "."): array for name, array in changes.items()}}


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        pytest.param({"linear": np.array([False, False])}, "one of them linear", id="no expectation to watch"),
        pytest.param({"linear": np.array([True, True])}, "'1.expectation.mean' .* is missing", id="none where one is"),
        pytest.param({"linear": np.array([True])}, r"'linear' .* has shape \(1,\), not \(2\)", id="one too few"),
        pytest.param({"shares": np.array([0.5, 0.0])}, "'shares' .* lies within 0 and 0.5", id="no share"),
        pytest.param({"shares": np.empty(0), "linear": np.empty(0, np.bool_)}, "must be 1 to 8", id="no components"),
        pytest.param({"shares": np.full(9, 0.1), "linear": np.full(9, fill_value=True)}, "must be 1 to 8", id="nine"),
        pytest.param({"0__trees__roots": np.array([0, 9999], np.int32)}, "'0.trees.roots'", id="a root too far"),
        pytest.param({"more": np.zeros(1)}, "'more' of a forest model is not known", id="an unknown array"),
        pytest.param({"floor": np.array(0.0)}, "'floor' .* allowed are 1e-300", id="no floor"),
    ],
)
def test_arrays_that_are_not_a_forests_are_refused_by_name(
    forest: ForestForecaster, changes: dict[str, Any], fault: str
) -> None:
    spec = training_set_on(PAST).history_spec

    with pytest.raises(ModelRefused, match=fault):
        ForestForecaster.from_parameters(changed(forest, **changes), spec)


def test_a_forest_for_another_calendar_is_refused(forest: ForestForecaster) -> None:
    other = training_set_on(PAST, holidays="ES").history_spec

    with pytest.raises(ModelRefused, match=r"'0.expectation.mean' .* has shape"):
        ForestForecaster.from_parameters(forest.to_parameters(), other)
