"""Where a forecast comes from when things go wrong: published model → last good model → seasonal naive → none."""

import logging
import math
from dataclasses import dataclass, replace
from datetime import datetime

from scaler.core.reasons import Reason
from scaler.daily_refresh import DailyRefresh
from shared.demand.history import History
from shared.errors import BlobNotFound, CloudError, DemandError, ModelRefused
from shared.forecasting.card import ModelCard
from shared.forecasting.forecast import Forecast
from shared.forecasting.model import PublishedModel, naive_forecast
from shared.forecasting.store import ModelStore
from shared.pools import CapacitySizing, Pool
from shared.telemetry import Event, emit

MAX_INTERVALS = 2000
"""No forecast reaches further (a week of 5-minute intervals): demand that ended so long ago says nothing of now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectedForecast:
    """A forecast, if there is one, the reasons that led to it, and what a person may want to read about them."""

    forecast: Forecast | None = None
    forecast_reasons: tuple[Reason, ...] = ()
    notes: tuple[str, ...] = ()
    card: ModelCard | None = None
    """Of the published model that the forecast comes from."""

    def because(self, reason: Reason, note: str = "") -> "SelectedForecast":
        """Return the selection with one more reason, and a note if it is not empty."""
        notes = (*self.notes, note) if note else self.notes
        return replace(self, forecast_reasons=(*self.forecast_reasons, reason), notes=notes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """Where models come from, and what keeps them up to date."""

    store: ModelStore

    @property
    def daily_refresh(self) -> DailyRefresh:
        """Refreshed models, kept in the same cache as the published ones."""
        return DailyRefresh(cache=self.store.cache)


def select_forecast(pool: Pool, history: History, models: Models, *, now_utc: datetime) -> SelectedForecast:
    """Return the best forecast that can be had; whatever stands in the way is a reason, and nothing is raised."""
    horizon = _horizon(pool, history, now_utc)
    if horizon > MAX_INTERVALS:
        note = f"the newest demand ended at {history.end_utc.isoformat()}, too long ago to forecast from"
        return SelectedForecast().because(Reason.NO_FORECAST, note)
    model, selected = _published(pool, models.store)
    if model is not None:
        try:
            model = models.daily_refresh.model_today(model, history, now_utc=now_utc)
            forecast = model.forecast(history, now_utc=now_utc).extended_to(now_utc + pool.lead_time + history.step)
            return replace(selected, forecast=forecast, card=model.card)
        except (DemandError, ModelRefused) as exc:
            selected = selected.because(Reason.MODEL_REFUSED, str(exc))
            emit(Event.MODEL_REFUSED, {"pool": pool.name, "error": str(exc)}, level=logging.ERROR)
    if not isinstance(pool.sizing, CapacitySizing):
        return selected.because(Reason.NO_FORECAST, "a response-time forecast needs its model")
    try:
        forecast = naive_forecast(history, horizon=horizon, now_utc=now_utc)
    except DemandError as exc:
        return selected.because(Reason.NO_FORECAST, str(exc))
    return replace(selected.because(Reason.NAIVE_FORECAST), forecast=forecast)


def _published(pool: Pool, store: ModelStore) -> tuple[PublishedModel | None, SelectedForecast]:
    """Return the model to use, if any, and the reasons so far."""
    try:
        return store.latest(pool.name), SelectedForecast(forecast_reasons=(Reason.MODEL,))
    except BlobNotFound as exc:
        selected = SelectedForecast().because(Reason.NO_MODEL, str(exc))
    except ModelRefused as exc:
        emit(Event.MODEL_REFUSED, {"pool": pool.name, "error": str(exc)}, level=logging.ERROR)
        selected = SelectedForecast().because(Reason.MODEL_REFUSED, str(exc))
    except CloudError as exc:
        selected = SelectedForecast().because(Reason.STORE_UNREACHABLE, str(exc))
    last_good = store.last_good(pool.name)
    return last_good, selected.because(Reason.LAST_GOOD_MODEL) if last_good else selected


def _horizon(pool: Pool, history: History, now_utc: datetime) -> int:
    """Return the intervals from the end of the history to the first that an order made now serves, and that one."""
    return max(1, math.ceil((now_utc + pool.lead_time - history.end_utc) / history.step) + 1)
