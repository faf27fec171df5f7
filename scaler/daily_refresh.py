"""Models as they are today: refreshed in memory once a day, from the history that the tick reads anyway."""

import threading
from datetime import datetime
from typing import NamedTuple

from shared.demand.history import History
from shared.errors import DemandError, ModelRefused, TrainingRefused
from shared.forecasting.model import Model


class _Kept(NamedTuple):
    version: str
    date: str
    model: Model


class Freshness:
    """Keeps each pool's refreshed model for a UTC day; after a restart it is made again, and comes out the same."""

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}
        self._lock = threading.Lock()

    def of(self, model: Model, history: History, *, now_utc: datetime) -> Model:
        """Return the model, refreshed with the history up to the last midnight; as it is if that is too little."""
        pool, version, date = model.card.pool, model.card.version, f"{now_utc:%Y-%m-%d}"
        with self._lock:
            kept = self._kept.get(pool)
        if kept is not None and (kept.version, kept.date) == (version, date):
            return kept.model
        fresh = _refreshed(model, history.until(now_utc.replace(hour=0, minute=0, second=0, microsecond=0)))
        with self._lock:
            self._kept[pool] = _Kept(version, date, fresh)
        return fresh


def _refreshed(model: Model, history: History) -> Model:
    if history.end_utc <= model.card.training.end_utc:
        return model
    try:
        model.fitted.check(history, version=model.card.version)
        return model.refreshed(history)
    except (TrainingRefused, DemandError, ModelRefused):
        return model
