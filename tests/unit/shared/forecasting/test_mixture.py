"""The demand models: causal features, legal quantiles, what a refresh takes in, what training refuses."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaler.daily_refresh import Freshness
from shared.demand.history import History
from shared.errors import DemandError, ModelRefused, TrainingRefused
from shared.forecasting.card import Family, TrainingWindow
from shared.forecasting.features import (
    FeatureSpec,
    features_of,
    lagged,
    local_seconds,
    rolling_max,
    rolling_mean,
    targets,
)
from shared.forecasting.mixture import LEVELS
from shared.forecasting.model import Fitted, loaded, pack
from shared.forecasting.store import ModelStore
from shared.forecasting.training_set import rows_of
from shared.local.directory_blobs import DirectoryBlobs
from tests.builders import NOW, STEP, draft_card, flat, history, pool
from training.candidates import ForestSettings, feature_spec, fit_forests, fit_ridge
from training.publish import fit, publish

HOUR = timedelta(hours=1)
HORIZON = 3
UTC_CALENDAR = {"timezone": "UTC", "holidays": ""}
SMALL_BLEND = (
    ForestSettings(share=0.65, linear=True, trees=3, leaves=20),
    ForestSettings(share=0.35, linear=False, trees=2, leaves=20),
)


def hourly(days: int, *, seed: int = 1) -> History:
    """A daily wave with noise, an hour a step, ending now."""
    hours = np.arange(days * 24)
    noise = np.random.default_rng(seed).normal(0, 5, len(hours))
    return history((100 + 60 * np.sin(hours * 2 * np.pi / 24) + noise).clip(0).tolist(), step=HOUR)


def fitted_on(past: History, family: Family, calendar: dict[str, str] | None = None) -> Fitted:
    rows = rows_of(past, feature_spec(past, horizon=HORIZON, calendar=calendar or UTC_CALENDAR))
    content = fit_ridge(rows) if family is Family.RIDGE else fit_forests(rows, SMALL_BLEND)
    return Fitted(family=family, content=content, signals=past.signals, step=past.step, horizon=HORIZON)


@pytest.fixture(scope="module")
def past() -> History:
    return hourly(21)


@pytest.fixture(scope="module", params=[Family.RIDGE, Family.FOREST])
def fitted(request: pytest.FixtureRequest, past: History) -> Fitted:
    return fitted_on(past, request.param)


@pytest.fixture(scope="module")
def forest(past: History) -> Fitted:
    return fitted_on(past, Family.FOREST)


def test_a_forecast_is_a_legal_set_of_quantiles(fitted: Fitted, past: History) -> None:
    quantiles = fitted.quantiles(past)

    assert quantiles.shape == (HORIZON, len(LEVELS))
    assert np.isfinite(quantiles).all()
    assert (quantiles >= 0).all()
    assert (np.diff(quantiles, axis=1) >= 0).all()


def test_the_middle_follows_the_wave(fitted: Fitted, past: History) -> None:
    hours = len(past) + np.arange(HORIZON)
    expected = 100 + 60 * np.sin(hours * 2 * np.pi / 24)

    middle = fitted.quantiles(past)[:, LEVELS.tolist().index(0.5)]

    assert middle == pytest.approx(expected, abs=30)


def test_forecasts_of_the_past_know_nothing_of_what_came_after(fitted: Fitted, past: History) -> None:
    first = len(past) - 4
    altered = replace(past, values=np.vstack([past.values[:-1], [[900.0]]]))

    rows = fitted.quantiles_since(past, first=first)

    assert rows[0] == pytest.approx(fitted.quantiles(past.first(first + 1)), rel=1e-6)
    assert fitted.quantiles_since(altered, first=first)[:3] == pytest.approx(rows[:3])


def test_a_model_is_the_same_after_its_file(fitted: Fitted, past: History) -> None:
    card = draft_card(family=fitted.family, step_s=3600.0, horizon=HORIZON)

    again = loaded(card, pack(fitted.content), name="m")

    assert again.forecast(past, now_utc=NOW).values == pytest.approx(fitted.quantiles(past))


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_whatever_is_unknown_the_forecast_is_legal_or_refused(
    fitted: Fitted, past: History, data: st.DataObject
) -> None:
    values = past.values.copy()
    for start, length in data.draw(st.lists(st.tuples(st.integers(0, 500), st.integers(1, 300)), max_size=4)):
        values[start : start + length] = np.nan
    holed = replace(past, values=values)

    try:
        quantiles = fitted.quantiles(holed)
    except DemandError as exc:
        assert "no demand is known" in str(exc)  # noqa: PT017 - either is right
    else:
        assert np.isfinite(quantiles).all()
        assert (np.diff(quantiles, axis=1) >= 0).all()


@pytest.mark.parametrize("value", [0.0, 1e-12, 1.0, 1e9, 1e17])
def test_demand_unlike_any_seen_is_still_forecast(fitted: Fitted, value: float) -> None:
    steady = replace(flat(value, intervals=200), step=HOUR)

    assert np.isfinite(fitted.quantiles(steady)).all()


def test_demand_unknown_everywhere_is_refused(fitted: Fitted) -> None:
    with pytest.raises(DemandError, match="no demand is known in the"):
        fitted.quantiles(history([np.nan] * 400, step=HOUR))


# refreshing


def test_a_refresh_takes_in_what_came_since(forest: Fitted, past: History) -> None:
    doubled = History(start_utc=past.start_utc, step=past.step, values=np.vstack([past.values, 2 * past.values[-240:]]))

    before, after = forest.quantiles(doubled), forest.refreshed(doubled).quantiles(doubled)

    assert (np.diff(after, axis=1) >= 0).all()
    assert not np.array_equal(before, after)


def test_a_refresh_is_a_pure_function(forest: Fitted, past: History) -> None:
    kept = forest.quantiles(past)

    one, other = forest.refreshed(past), forest.refreshed(past)

    assert np.array_equal(one.quantiles(past), other.quantiles(past))
    assert np.array_equal(forest.quantiles(past), kept)


def test_other_families_are_as_they_were(past: History) -> None:
    ridge = fitted_on(past, Family.RIDGE)

    assert ridge.refreshed(past) is ridge


def test_a_refresh_needs_enough_history(forest: Fitted, past: History) -> None:
    with pytest.raises(TrainingRefused, match="are too few to fit on"):
        forest.refreshed(past.last(50))


def served(forest: Fitted, content: dict[str, Any] | None = None) -> Any:
    """A model as the store gives it, trained a week ago."""
    ended = NOW - timedelta(days=7)
    window = TrainingWindow(start_utc=ended - timedelta(days=14), end_utc=ended, intervals=336)
    card = draft_card(family=Family.FOREST, step_s=3600.0, horizon=HORIZON, training=window)
    return loaded(card, pack(forest.content if content is None else content), name="m")


def test_a_model_is_refreshed_once_a_day(forest: Fitted, past: History) -> None:
    freshness, model = Freshness(), served(forest)

    first = freshness.of(model, past, now_utc=NOW)

    assert first is not model
    assert freshness.of(model, past, now_utc=NOW + timedelta(hours=11)) is first
    assert freshness.of(model, past, now_utc=NOW + timedelta(hours=12)) is not first


def test_a_model_that_cannot_be_refreshed_serves_as_it_is(forest: Fitted, past: History) -> None:
    model = served(forest)

    assert Freshness().of(model, past.last(14), now_utc=NOW) is model
    assert Freshness().of(model, flat(5.0), now_utc=NOW) is model
    assert Freshness().of(model, past.until(NOW - timedelta(days=8)), now_utc=NOW) is model


@pytest.mark.parametrize("content", [{}, {"members": 3, "floor": 1.0, "timezone": "UTC", "holidays": ""}])
def test_a_model_with_wrong_content_serves_nobody(forest: Fitted, past: History, content: dict[str, Any]) -> None:
    model = served(forest, content)

    assert Freshness().of(model, past, now_utc=NOW) is model
    with pytest.raises(ModelRefused, match="answered with no forecast"):
        model.forecast(past, now_utc=NOW)


# features


@settings(max_examples=25, deadline=None)
@given(cut=st.integers(60, 399), horizon=st.integers(1, 6), step_min=st.sampled_from([5, 60, 720, 1440]))
def test_a_row_of_features_rests_on_nothing_after_it(cut: int, horizon: int, step_min: int) -> None:
    step = timedelta(minutes=step_min)
    values = np.random.default_rng(7).uniform(1, 100, 400)
    spec = FeatureSpec(step=step, horizon=horizon, floor=1.0, timezone="Europe/Madrid", holidays="ES")
    whole = history(values.tolist(), step=step)

    known = features_of(whole.first(cut), spec)

    assert known.names == features_of(whole, spec).names
    assert known.matrix[-1] == pytest.approx(features_of(whole, spec).matrix[cut - 1], nan_ok=True)


@given(
    values=st.lists(st.floats(-100, 100) | st.just(float("nan")), min_size=1, max_size=40), width=st.integers(1, 300)
)
def test_running_means_and_maxima_are_those_of_the_known(values: list[float], width: int) -> None:
    series = np.array(values)
    windows = [series[max(0, end - width) : end] for end in range(1, len(series) + 1)]
    known = [window[~np.isnan(window)] for window in windows]
    means = [window.mean() if len(window) else np.nan for window in known]
    maxima = [window.max() if len(window) else np.nan for window in known]

    assert rolling_mean(series, width) == pytest.approx(means, nan_ok=True, abs=1e-9)
    assert rolling_max(series, width) == pytest.approx(maxima, nan_ok=True)


def test_lags_look_back_and_negative_ones_ahead() -> None:
    series = np.array([1.0, 2.0, 3.0])

    assert lagged(series, 1) == pytest.approx([np.nan, 1, 2], nan_ok=True)
    assert lagged(series, -1) == pytest.approx([2, 3, np.nan], nan_ok=True)
    assert lagged(series, 0) == pytest.approx([1, 2, 3])
    assert np.isnan(lagged(series, 9)).all()


def test_targets_are_what_came_next_relative_to_now() -> None:
    spec = FeatureSpec(step=STEP, horizon=2, floor=1.0)
    features = features_of(history([0.0, np.e - 1, np.e**2 - 1]), spec)

    assert targets(features, 2)[0] == pytest.approx([1.0, 2.0])


def test_local_time_follows_daylight_saving() -> None:
    winter, summer = np.array([1_767_225_600]), np.array([1_782_864_000])

    assert (local_seconds(winter, "Europe/Madrid") - winter).tolist() == [3600]
    assert (local_seconds(summer, "Europe/Madrid") - summer).tolist() == [7200]
    assert local_seconds(winter, "UTC").tolist() == winter.tolist()


def test_a_model_with_a_calendar_knows_its_holidays() -> None:
    past = hourly(21)
    spanish = fitted_on(past, Family.RIDGE, {"timezone": "Europe/Madrid", "holidays": "ES-MD"})

    assert np.isfinite(spanish.quantiles(past)).all()


@pytest.mark.parametrize("changes", [{"horizon": 0}, {"floor": 0.0}, {"floor": float("nan")}, {"step": timedelta(0)}])
def test_features_that_cannot_be_computed_are_refused(changes: dict[str, Any]) -> None:
    usual: dict[str, Any] = {"step": STEP, "horizon": 1, "floor": 1.0}

    with pytest.raises(ValueError, match="must be > 0"):
        FeatureSpec(**{**usual, **changes})


# training


@pytest.mark.parametrize("value", [0.0, float("nan")])
def test_demand_that_is_nowhere_above_zero_teaches_nothing(value: float) -> None:
    with pytest.raises(TrainingRefused, match="nothing to learn from"):
        feature_spec(flat(value), horizon=1, calendar=UTC_CALENDAR)


def test_a_short_history_gets_the_seasonal_naive_model_and_says_why() -> None:
    short = history([5.0 + index % 7 for index in range(60)])

    candidate = fit(pool(), short)

    assert candidate.fitted.family is Family.SEASONAL_NAIVE
    assert candidate.reason
    assert candidate.fitted.quantiles_since(short, first=58).shape[0] == 2


def test_a_history_of_minutes_makes_no_model() -> None:
    with pytest.raises(TrainingRefused, match="web: 11 intervals of demand are known, a forecast needs 12"):
        fit(pool(), flat(5.0, intervals=11))


def test_a_fitted_forest_is_published_and_served(tmp_path: Path, past: History) -> None:
    slow = pool(lead_time_min=60)
    store = ModelStore(DirectoryBlobs(tmp_path))
    card = publish(store, slow, past, fit(slow, past), now_utc=NOW)
    store.promote("web", card.version, now_utc=NOW, reason="")

    model = store.latest("web")

    assert (card.family, card.horizon, model.fitted.horizon) == (Family.FOREST, 2, 2)
    assert np.isfinite(model.forecast(past, now_utc=NOW).values).all()
