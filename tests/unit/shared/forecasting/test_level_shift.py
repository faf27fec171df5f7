from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from shared.demand.history import History
from shared.forecasting.features import Floats
from shared.forecasting.level_shift import level_shift, typical_bound
from shared.forecasting.parameters import QUANTILE_LEVELS
from shared.forecasting.ridge import RidgeForecaster
from tests.builders import history
from tests.models import training_set_on

WIDTH = 12
HALF_HOUR = timedelta(minutes=30)
DAY = 48
SHIFT_AT = 20 * DAY
MIDDLE = int(np.searchsorted(QUANTILE_LEVELS, 0.5))


def steady(intervals: int = 2000) -> Floats:
    """Errors of a tenth."""
    return np.random.default_rng(3).normal(0, 0.1, intervals)


def shifted() -> History:
    """A daily wave that doubles overnight after twenty days."""
    interval = np.arange(SHIFT_AT + DAY)
    wave = 100 + 40 * np.sin(2 * np.pi * interval / DAY)
    noise = np.random.default_rng(4).lognormal(0, 0.03, len(interval))
    return history((wave * noise * np.where(interval < SHIFT_AT, 1.0, 2.0)).tolist(), step=HALF_HOUR)


def test_typical_errors_move_nothing() -> None:
    errors = steady()

    moved = level_shift(errors, WIDTH, bound=typical_bound(errors, WIDTH))

    assert (moved != 0).mean() <= 0.005


def test_a_new_level_is_followed_within_the_window() -> None:
    errors, bound = steady(), typical_bound(steady(), WIDTH)
    errors[1000:] += 1.0

    moved = level_shift(errors, WIDTH, bound=bound)

    assert moved[1000 + WIDTH] == pytest.approx(1.0, abs=bound + 0.1)
    assert not moved[:1000].any() or np.abs(moved[:1000]).max() < 0.1


@pytest.mark.parametrize("gap", [pytest.param(False, id="a spike"), pytest.param(True, id="a spike in a gap")])
def test_a_spike_is_no_new_level(*, gap: bool) -> None:
    errors = np.zeros(100)
    errors[40:] = np.where(gap, np.nan, 0.0)
    errors[50:53] = 5.0

    assert not level_shift(errors, WIDTH, bound=0.1).any()


@pytest.fixture(scope="module")
def ridge() -> RidgeForecaster:
    """Fitted on what was known before the shift."""
    return RidgeForecaster.fit(training_set_on(shifted().first(SHIFT_AT), horizon=2))


def test_a_forecast_follows_a_shift_long_before_the_model_is_refreshed(ridge: RidgeForecaster) -> None:
    known = shifted()
    deaf = replace(ridge, expectation=replace(ridge.expectation, shift_bound=np.inf))

    followed = ridge.historical_forecasts(known, first=SHIFT_AT)
    missed = deaf.historical_forecasts(known, first=SHIFT_AT)
    truth = known.demand[SHIFT_AT + 5 :]

    assert off_by(followed, truth) < 0.5 * off_by(missed, truth)


def test_a_tick_forecasts_as_a_replay_does(ridge: RidgeForecaster) -> None:
    replayed = ridge.historical_forecasts(shifted(), first=SHIFT_AT)

    assert ridge.quantiles(shifted().first(SHIFT_AT + 10)) == pytest.approx(replayed[9], rel=1e-9)


def test_a_single_interval_is_no_level_shift(ridge: RidgeForecaster) -> None:
    assert np.isfinite(ridge.quantiles(shifted().first(1))).all()


def off_by(quantiles: Floats, truth: Floats) -> float:
    """Mean relative error of the medians of the next interval; rows from four after the shift."""
    return float(np.abs(quantiles[4:-1, 0, MIDDLE] / truth - 1).mean())
