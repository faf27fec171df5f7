"""Each pool's model is refreshed in memory once a day, and serves as it is where that cannot be."""

from datetime import timedelta

import pytest

from scaler.daily_refresh import DailyRefresh
from shared.forecasting.card import TrainingWindow
from shared.forecasting.model import PublishedModel
from shared.forecasting.model_cache import ModelCache
from tests.builders import NOW, flat
from tests.demand import HALF_HOUR, daily
from tests.demand import history_of as from_start
from tests.models import fitted, published, training_set_on

PAST = from_start(daily(49))  # from 5 October until 23 November 2026
WEEK_AGO = NOW - timedelta(days=7)


@pytest.fixture(scope="module")
def model() -> PublishedModel:
    """A forest that was trained a week ago."""
    seen = PAST.until(WEEK_AGO)
    window = TrainingWindow(start_utc=seen.start_utc, end_utc=seen.end_utc, intervals=len(seen))
    return published(fitted("forest", training_set_on(seen.last(600))), training=window)


@pytest.fixture
def refresh() -> DailyRefresh:
    return DailyRefresh(cache=ModelCache())


def test_a_model_is_refreshed_once_a_day(refresh: DailyRefresh, model: PublishedModel) -> None:
    first = refresh.model_today(model, PAST, now_utc=NOW)

    assert first is not model
    assert refresh.model_today(model, PAST, now_utc=NOW + timedelta(hours=11)) is first
    assert refresh.model_today(model, PAST, now_utc=NOW + timedelta(hours=12)) is not first


def test_another_version_is_refreshed_anew(refresh: DailyRefresh, model: PublishedModel) -> None:
    refresh.model_today(model, PAST, now_utc=NOW)
    other = published(model.fitted, version="another", training=model.card.training)

    assert refresh.model_today(other, PAST, now_utc=NOW).card.version == "another"


def test_a_refresh_looks_at_nothing_after_midnight(model: PublishedModel) -> None:
    until_midnight = PAST.until(NOW.replace(hour=0))
    at_noon, at_midnight = (
        DailyRefresh(cache=ModelCache()).model_today(model, known, now_utc=NOW) for known in (PAST, until_midnight)
    )

    forecasts = [one.forecast(PAST, now_utc=NOW).quantiles.tolist() for one in (at_noon, at_midnight)]

    assert forecasts[0] == forecasts[1]


def test_a_model_that_cannot_be_refreshed_serves_as_it_is(model: PublishedModel) -> None:
    too_short, another_step, nothing_new = PAST.last(14), flat(5.0), PAST.until(WEEK_AGO - HALF_HOUR)

    served = [
        DailyRefresh(cache=ModelCache()).model_today(model, known, now_utc=NOW)
        for known in (too_short, another_step, nothing_new)
    ]

    assert all(one is model for one in served)


def test_a_cache_without_room_refreshes_at_every_tick_and_to_the_same(model: PublishedModel) -> None:
    refresh = DailyRefresh(cache=ModelCache(limit_bytes=0))

    one, other = (refresh.model_today(model, PAST, now_utc=NOW) for _ in range(2))

    assert one is not other
    assert one.forecast(PAST, now_utc=NOW).quantiles.tolist() == other.forecast(PAST, now_utc=NOW).quantiles.tolist()
