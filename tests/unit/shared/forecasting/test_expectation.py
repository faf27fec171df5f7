"""The ridge regression is scikit-learn's, without scikit-learn."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from shared.demand.csv_format import read_demand_csv
from shared.errors import ModelRefused
from shared.forecasting.expectation import (
    FURTHEST_SD,
    RIDGE_ALPHA,
    LastDayLevel,
    LinearExpectation,
    ridge_coefficients,
    standardised,
)
from shared.forecasting.parameter_reader import ParameterReader
from shared.forecasting.parameters import HALF_LIFE_DAYS
from shared.forecasting.training_set import TrainingSet
from tests.conftest import DATA
from tests.demand import daily, history_of
from tests.models import training_set_on


@pytest.fixture(scope="module")
def training_set() -> TrainingSet:
    return training_set_on(history_of(daily(12)))


@pytest.mark.parametrize("name", ["ms-mongodb-machine-5min", "nab-elb-requests-5min"])
def test_on_a_real_history_it_expects_what_scikit_learns_ridge_does(name: str) -> None:
    history = read_demand_csv((DATA / f"{name}.csv").read_text(), name=name)
    training_set = training_set_on(history)
    features, targets = training_set.features, training_set.targets

    ours = LinearExpectation.fit(training_set)
    theirs = Ridge(alpha=RIDGE_ALPHA * np.sqrt(len(targets)))
    scaled = standardised(features, mean=ours.mean, sd=ours.sd)
    theirs.fit(scaled, targets, sample_weight=training_set.faded(HALF_LIFE_DAYS))

    np.testing.assert_allclose(ours.coefficients, theirs.coef_, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(ours.expected_ratios(features), theirs.predict(scaled), rtol=1e-9, atol=1e-12)


def test_weights_count_as_so_many_equal_rows() -> None:
    random = np.random.default_rng(1)
    features, targets = random.normal(size=(40, 3)), random.normal(size=(40, 2))
    weights = random.integers(1, 4, 40).astype(np.float64)

    weighted = ridge_coefficients(features, targets, weights=weights, alpha=2.0)
    repeated = ridge_coefficients(
        np.repeat(features, weights.astype(int), axis=0),
        np.repeat(targets, weights.astype(int), axis=0),
        weights=np.ones(int(weights.sum())),
        alpha=2.0,
    )

    np.testing.assert_allclose(weighted[0], repeated[0], rtol=1e-9)
    np.testing.assert_allclose(weighted[1], repeated[1], rtol=1e-9)


def test_what_is_missing_counts_as_average_and_what_is_far_out_is_clipped() -> None:
    features = np.array([[np.nan, 1e9, -1e9, 11.0]])

    scaled = standardised(features, mean=np.full(4, 10.0), sd=np.full(4, 2.0))

    assert scaled.tolist() == [[0.0, FURTHEST_SD, -FURTHEST_SD, 0.5]]


def test_a_column_that_is_unknown_everywhere_breaks_nothing() -> None:
    short = training_set_on(history_of(daily(5)))  # a week's lag is unknown everywhere
    assert np.isnan(short.features).all(axis=0).any()

    assert np.isfinite(LinearExpectation.fit(short).expected_ratios(short.features)).all()


def test_the_level_of_the_last_day_is_expected_at_every_interval_ahead() -> None:
    expected = LastDayLevel(horizon=2).expected_ratios(np.array([[0.3, 9.0], [np.nan, 9.0]]))

    assert expected.tolist() == [[-0.3, -0.3], [0.0, 0.0]]


def test_an_expectation_is_the_same_after_its_parameters(training_set: TrainingSet) -> None:
    fitted = LinearExpectation.fit(training_set)
    columns = training_set.features.shape[1]

    reader = ParameterReader(fitted.to_parameters("e."), family="x")
    again = LinearExpectation.from_parameters(reader, "e.", horizon=3, columns=columns)

    np.testing.assert_array_equal(
        again.expected_ratios(training_set.features), fitted.expected_ratios(training_set.features)
    )
    assert again.shift_bound == fitted.shift_bound


@pytest.mark.parametrize(
    ("name", "array", "fault"),
    [
        ("e.sd", np.zeros(3), "lies within 0 and 0, allowed are 1e-06"),
        ("e.mean", np.zeros(2), r"has shape \(2,\), not \(3\)"),
        ("e.intercept", np.array([np.nan]), "lies within nan and nan"),
        ("e.coefficients", np.full((1, 3), 101.0), "allowed are -100 to 100"),
        ("e.shift_bound", np.array(-1.0), "allowed are 0 to 100"),
    ],
)
def test_numbers_that_no_fit_gives_are_refused_by_name(name: str, array: np.ndarray, fault: str) -> None:
    right = LinearExpectation(
        mean=np.zeros(3), sd=np.ones(3), coefficients=np.zeros((1, 3)), intercept=np.zeros(1), shift_bound=0.5
    ).to_parameters("e.")

    with pytest.raises(ModelRefused, match=f"parameter '{name}' of a x model .*{fault}"):
        LinearExpectation.from_parameters(
            ParameterReader({**right, name: array}, family="x"), "e.", horizon=1, columns=3
        )
