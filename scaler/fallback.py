"""Where a forecast comes from when things go wrong: published model → last good model → seasonal naive → none."""

import logging
import math
from dataclasses import dataclass, field, replace
from datetime import datetime

from scaler.core.reasons import Reason
from scaler.daily_refresh import Freshness
from shared.demand.history import History
from shared.errors import BlobNotFound, CloudError, DemandError, ModelRefused
from shared.forecasting.card import ModelCard
from shared.forecasting.forecast import Forecast
from shared.forecasting.model import Model, naive_forecast
from shared.forecasting.store import ModelStore
from shared.pools import CapacitySizing, Pool
from shared.telemetry import Event, emit

FURTHEST_INTERVALS = 2000
"""No forecast reaches further (a week of 5-minute intervals): demand that ended so long ago says nothing of now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Foresight:
    """A forecast, if there is one, the rungs that led to it, and what a person may want to read about them."""

    forecast: Forecast | None = None
    grounds: tuple[Reason, ...] = ()
    notes: tuple[str, ...] = ()
    card: ModelCard | None = None
    """Of the published model that the forecast comes from."""

    def noted(self, reason: Reason, note: str = "") -> "Foresight":
        """Return the foresight with one more rung."""
        notes = (*self.notes, note) if note else self.notes
        return replace(self, grounds=(*self.grounds, reason), notes=notes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """Where models come from, and what keeps them up to date."""

    store: ModelStore
    freshness: Freshness = field(default_factory=Freshness)


def foresee(pool: Pool, history: History, models: Models, *, now_utc: datetime) -> Foresight:
    """Climb down the ladder until a rung holds; each rung is a reason, no rung raises."""
    horizon = _horizon(pool, history, now_utc)
    if horizon > FURTHEST_INTERVALS:
        note = f"the newest demand ended at {history.end_utc.isoformat()}, too long ago to forecast from"
        return Foresight().noted(Reason.NO_FORECAST, note)
    model, told = _published(pool, models.store)
    if model is not None:
        try:
            model = models.freshness.of(model, history, now_utc=now_utc)
            forecast = model.forecast(history, now_utc=now_utc).reaching(now_utc + pool.lead_time + history.step)
            return replace(told, forecast=forecast, card=model.card)
        except (DemandError, ModelRefused) as exc:
            told = told.noted(Reason.MODEL_REFUSED, str(exc))
            emit(Event.MODEL_REFUSED, {"pool": pool.name, "error": str(exc)}, level=logging.ERROR)
    if not isinstance(pool.sizing, CapacitySizing):
        return told.noted(Reason.NO_FORECAST, "a response-time forecast needs its model")
    try:
        forecast = naive_forecast(history, horizon=horizon, now_utc=now_utc)
    except DemandError as exc:
        return told.noted(Reason.NO_FORECAST, str(exc))
    return replace(told.noted(Reason.NAIVE_FORECAST), forecast=forecast)


def _published(pool: Pool, models: ModelStore) -> tuple[Model | None, Foresight]:
    """Return the model to use, if any, and how it was come by."""
    try:
        return models.latest(pool.name), Foresight(grounds=(Reason.MODEL,))
    except BlobNotFound as exc:
        told = Foresight().noted(Reason.NO_MODEL, str(exc))
    except ModelRefused as exc:
        emit(Event.MODEL_REFUSED, {"pool": pool.name, "error": str(exc)}, level=logging.ERROR)
        told = Foresight().noted(Reason.MODEL_REFUSED, str(exc))
    except CloudError as exc:
        told = Foresight().noted(Reason.STORE_UNREACHABLE, str(exc))
    held = models.last_good(pool.name)
    return held, told.noted(Reason.LAST_GOOD_MODEL) if held else told


def _horizon(pool: Pool, history: History, now_utc: datetime) -> int:
    """Return the intervals from the end of the history to the first that an order made now serves, and that one."""
    return max(1, math.ceil((now_utc + pool.lead_time - history.end_utc) / history.step) + 1)
