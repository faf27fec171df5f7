from datetime import timedelta

import numpy as np
import pytest

from shared.demand.history import History
from shared.forecasting.features import Floats
from shared.forecasting.level_shift import bound_of, surprise
from shared.forecasting.mixture import LEVELS, demand_quantiles, demand_quantiles_since
from shared.forecasting.training_set import rows_of
from tests.builders import history
from training.candidates import feature_spec, fit_ridge

WIDTH = 12
HALF_HOUR = timedelta(minutes=30)
DAY = 48
SHIFT_AT = 20 * DAY
UTC_CALENDAR = {"timezone": "UTC", "holidays": ""}
MIDDLE = int(np.searchsorted(LEVELS, 0.5))


def steady(intervals: int = 2000) -> Floats:
    """Errors of a tenth."""
    return np.random.default_rng(3).normal(0, 0.1, intervals)


def shifted() -> History:
    """A daily wave that doubles overnight after twenty days."""
    interval = np.arange(SHIFT_AT + DAY)
    wave = 100 + 40 * np.sin(2 * np.pi * interval / DAY)
    noise = np.random.default_rng(4).lognormal(0, 0.03, len(interval))
    return history((wave * noise * np.where(interval < SHIFT_AT, 1.0, 2.0)).tolist(), step=HALF_HOUR)


def test_usual_errors_move_nothing() -> None:
    errors = steady()

    moved = surprise(errors, WIDTH, bound=bound_of(errors, WIDTH))

    assert (moved != 0).mean() <= 0.005


def test_a_new_level_is_followed_within_the_window() -> None:
    errors, bound = steady(), bound_of(steady(), WIDTH)
    errors[1000:] += 1.0

    moved = surprise(errors, WIDTH, bound=bound)

    assert moved[1000 + WIDTH] == pytest.approx(1.0, abs=bound + 0.1)
    assert not moved[:1000].any() or np.abs(moved[:1000]).max() < 0.1


@pytest.mark.parametrize("gap", [pytest.param(False, id="a spike"), pytest.param(True, id="a spike in a gap")])
def test_a_spike_is_no_new_level(*, gap: bool) -> None:
    errors = np.zeros(100)
    errors[40:] = np.where(gap, np.nan, 0.0)
    errors[50:53] = 5.0

    assert not surprise(errors, WIDTH, bound=0.1).any()


def test_a_forecast_follows_a_shift_long_before_the_model_is_refreshed() -> None:
    known = shifted()
    before = known.first(SHIFT_AT)
    spec = feature_spec(before, horizon=2, calendar=UTC_CALENDAR)
    content = fit_ridge(rows_of(before, spec))
    deaf = {**content, "members": [{**content["members"][0], "surprise": np.inf}]}

    followed = demand_quantiles_since(content, known, spec, first=SHIFT_AT)
    missed = demand_quantiles_since(deaf, known, spec, first=SHIFT_AT)
    truth = known.demand[SHIFT_AT + 5 :]

    assert off_by(followed, truth) < 0.5 * off_by(missed, truth)


def test_a_tick_forecasts_as_a_replay_does() -> None:
    known = shifted()
    spec = feature_spec(known, horizon=2, calendar=UTC_CALENDAR)
    content = fit_ridge(rows_of(known.first(SHIFT_AT), spec))

    replayed = demand_quantiles_since(content, known, spec, first=SHIFT_AT)

    assert demand_quantiles(content, known.first(SHIFT_AT + 10), spec) == pytest.approx(replayed[9], rel=1e-9)


def test_a_single_interval_is_no_surprise() -> None:
    known = shifted()
    spec = feature_spec(known, horizon=2, calendar=UTC_CALENDAR)
    content = fit_ridge(rows_of(known.first(SHIFT_AT), spec))

    assert np.isfinite(demand_quantiles(content, known.first(1), spec)).all()


def off_by(quantiles: Floats, truth: Floats) -> float:
    """Mean relative error of the medians of the next interval; rows from four after the shift."""
    return float(np.abs(quantiles[4:-1, 0, MIDDLE] / truth - 1).mean())
