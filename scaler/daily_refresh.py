"""Models as they are today: refreshed in memory once a day, from the history that the tick reads anyway."""

from dataclasses import dataclass
from datetime import datetime

from shared.demand.history import History
from shared.errors import DemandError, ModelRefused, TrainingRefused
from shared.forecasting.model import PublishedModel
from shared.forecasting.model_cache import CachedModel, ModelCache, Slot


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyRefresh:
    """Keeps each pool's refreshed model for a UTC day; after a restart it is made again, and comes out the same."""

    cache: ModelCache

    def model_today(self, model: PublishedModel, history: History, *, now_utc: datetime) -> PublishedModel:
        """Return the model, refreshed with the history up to the last midnight; as it is if that is too little."""
        pool, tag = model.card.pool, f"{model.card.version} on {now_utc:%Y-%m-%d}"
        cached = self.cache.get(Slot.REFRESHED, pool)
        if cached is not None and cached.tag == tag:
            return cached.model
        fresh = _refresh(model, history.until(now_utc.replace(hour=0, minute=0, second=0, microsecond=0)))
        self.cache.put(Slot.REFRESHED, pool, CachedModel(tag=tag, model=fresh))
        return fresh


def _refresh(model: PublishedModel, history: History) -> PublishedModel:
    if history.end_utc <= model.card.training.end_utc:
        return model
    try:
        model.fitted.check(history, version=model.card.version)
        return model.refresh(history)
    except (TrainingRefused, DemandError, ModelRefused):
        return model
