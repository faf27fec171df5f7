"""The workshop's job: on a log of its form, and the acceptance figures of ../shared/seed/README.md on its own."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from shared.demand.history import History
from shared.demand.workshop_log import read_workshop_log
from shared.errors import DemandError, ModelRefused, TrainingRefused
from shared.forecasting.response_time import COMPLETION_TIME, LinearModel, ResponseTimeForecaster
from tests.builders import flat
from tests.fakes.workshop_logs import SECONDS_PER_USER, workshop_log
from tests.models import training_set_on

TODAY = datetime(2026, 11, 23, tzinfo=UTC)
TRAINED_SHARE = 0.8


@pytest.fixture(scope="module")
def log() -> History:
    return read_workshop_log(workshop_log(), end_utc=TODAY)


def fit(history: History) -> ResponseTimeForecaster:
    return ResponseTimeForecaster.fit(training_set_on(history, horizon=1))


@pytest.fixture(scope="module")
def fitted(log: History) -> ResponseTimeForecaster:
    return fit(log)


@pytest.fixture(scope="module")
def own_log(seed_folder: Path) -> History:
    """The log that the workshop came with."""
    return read_workshop_log((seed_folder / "log_data.pkl").read_bytes(), end_utc=TODAY)


@pytest.fixture(scope="module")
def own_fitted(own_log: History) -> ResponseTimeForecaster:
    return fit(own_log)


def test_each_model_scores_what_the_workshop_measured(own_fitted: ResponseTimeForecaster, own_log: History) -> None:
    expected = {COMPLETION_TIME: 0.9024, "admin_users": 0.5949, "config_users": 0.6493, "end_users": 0.5786}

    assert own_fitted.r2(own_log) == pytest.approx(expected, abs=1.2e-4)
    assert own_fitted.r2(own_log)[COMPLETION_TIME] == pytest.approx(0.9024, abs=5e-5)


def test_each_count_of_the_workshop_is_forecast_from_its_full_window(
    own_fitted: ResponseTimeForecaster, own_log: History
) -> None:
    expected = {"admin_users": 4.2307, "config_users": 19.1922, "end_users": 2432.6333}

    assert own_fitted.next_counts(own_log) == pytest.approx(expected, abs=1e-4)


def test_the_workshops_next_day_takes_97_seconds(own_fitted: ResponseTimeForecaster, own_log: History) -> None:
    assert own_fitted.quantiles(own_log) == pytest.approx(np.array([[97.1500]]), abs=1e-4)


def test_each_count_is_forecast_by_least_squares_on_its_own_window_and_nothing_else(
    fitted: ResponseTimeForecaster, log: History
) -> None:
    expected = {
        "admin_users": least_squares(log.values[:, 1], window=5),
        "config_users": least_squares(log.values[:, 2], window=7),
        "end_users": least_squares(log.values[:, 3], window=21),
    }

    assert fitted.next_counts(log) == pytest.approx(expected, rel=1e-9)


def test_without_noise_the_seconds_for_each_user_are_found() -> None:
    exact = fit(read_workshop_log(workshop_log(noise_s=0), end_utc=TODAY))
    counts = {"admin_users": 4, "config_users": 20, "end_users": 3000}

    assert exact.completion_time(counts) == pytest.approx(
        sum(seconds * users for seconds, users in zip(SECONDS_PER_USER, counts.values(), strict=True))
    )


def test_a_completion_time_is_never_negative(fitted: ResponseTimeForecaster) -> None:
    assert fitted.completion_time({"admin_users": 0, "config_users": 0, "end_users": -1e6}) == 0.0


def test_a_count_with_an_unknown_day_in_its_window_is_refused_by_name(
    fitted: ResponseTimeForecaster, log: History
) -> None:
    values = log.values.copy()
    values[-3, 1] = np.nan
    holed = History(start_utc=log.start_utc, step=log.step, values=values, signals=log.signals)

    with pytest.raises(DemandError, match="admin_users needs its last 5 days complete, 4 are known"):
        fitted.quantiles(holed)


def test_a_log_shorter_than_a_window_is_refused(fitted: ResponseTimeForecaster, log: History) -> None:
    with pytest.raises(DemandError, match="end_users needs its last 21 days"):
        fitted.quantiles(log.last(20))


def test_the_four_models_say_what_scikit_learns_say(fitted: ResponseTimeForecaster, log: History) -> None:
    cut = int(len(log) * 0.8)
    scikit = LinearRegression().fit(log.values[:cut, 1:], log.values[:cut, 0])
    seconds = fitted.models[COMPLETION_TIME].predict(log.values[:, 1:])

    np.testing.assert_allclose(seconds, scikit.predict(log.values[:, 1:]), rtol=1e-9)
    assert fitted.r2(log)[COMPLETION_TIME] == pytest.approx(
        scikit.score(log.values[cut:, 1:], log.values[cut:, 0]), rel=1e-9
    )


def test_each_past_day_is_forecast_from_what_came_before_it(fitted: ResponseTimeForecaster, log: History) -> None:
    rows = fitted.historical_forecasts(log, first=len(log) - 3)

    assert rows.shape == (3, 1, 1)
    assert rows[1] == fitted.quantiles(log.first(len(log) - 1))


def test_the_workshops_models_are_fitted_once(fitted: ResponseTimeForecaster, log: History) -> None:
    assert fitted.refresh(log) is fitted


def test_a_model_of_a_constant_explains_nothing() -> None:
    constant = LinearModel(coefficients=np.zeros(1), intercept=2.0)

    assert constant.r2(np.ones((3, 1)), np.full(3, 2.0)) == 0.0


def test_a_model_that_is_missing_is_refused_by_name(fitted: ResponseTimeForecaster, log: History) -> None:
    parameters = dict(fitted.to_parameters())
    del parameters["end_users.coefficients"]

    with pytest.raises(ModelRefused, match="parameter 'end_users.coefficients' of a response_time model is missing"):
        ResponseTimeForecaster.from_parameters(parameters, training_set_on(log, horizon=1).history_spec)


def test_training_needs_the_workshops_signals() -> None:
    with pytest.raises(TrainingRefused, match="needs the signals"):
        fit(flat(1.0))


def test_training_needs_every_day(log: History) -> None:
    values = log.values.copy()
    values[100, 0] = np.nan
    holed = History(start_utc=log.start_utc, step=log.step, values=values, signals=log.signals)

    with pytest.raises(TrainingRefused, match="no complete row for"):
        fit(holed)


def test_training_needs_more_days_than_the_longest_window_on_both_sides(log: History) -> None:
    with pytest.raises(TrainingRefused, match="110 days are too few"):
        fit(log.last(110))


def least_squares(counts: np.ndarray, *, window: int) -> float:
    """The next count by an autoregression with a constant, over the windows that the workshop trains on."""
    windows = np.lib.stride_tricks.sliding_window_view(counts, window)
    trained = int(TRAINED_SHARE * len(counts)) - window
    rows = np.column_stack([np.ones(trained), windows[:trained]])
    weights, *_ = np.linalg.lstsq(rows, counts[window : window + trained], rcond=None)
    return float(weights[0] + windows[-1] @ weights[1:])
