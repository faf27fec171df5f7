"""Everything that a decision rests on."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from scaler.core.memory import Memory
from scaler.core.override import Override
from scaler.core.pool import PoolState
from scaler.core.reasons import Reason
from shared.calendar import CalendarWindow
from shared.demand.history import History
from shared.forecasting.card import ModelCard
from shared.forecasting.forecast import Forecast
from shared.pools import Pool

STALE_AFTER_INTERVALS = 3
"""Demand whose newest interval ended so many steps ago is stale: metrics pipelines are late by one or two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """A pool as it was observed and forecast; ``forecast_reasons`` say how the forecast came about.

    ``history`` is the demand that is believed (``scaler.core.plausibility``).

    ``card`` is that of the published model that the forecast comes from; None if it comes from a fallback.
    ``overrides`` are those that count now: the pool's, and those for all pools.
    """

    pool: Pool
    state: PoolState
    memory: Memory
    now_utc: datetime
    history: History | None = None
    forecast: Forecast | None = None
    forecast_reasons: tuple[Reason, ...] = ()
    card: ModelCard | None = None
    overrides: tuple[Override, ...] = ()

    @property
    def configured_nodes(self) -> int:
        """The nodes that the pool is set to now."""
        return self.state.configured_nodes

    @property
    def is_stale(self) -> bool:
        """Whether the newest demand is too old to remove nodes on."""
        if self.history is None:
            return False
        return self.now_utc - self.history.end_utc >= STALE_AFTER_INTERVALS * self.history.step

    @property
    def is_doubted(self) -> bool:
        """Whether the newest demand is not believed."""
        return self.memory.plausibility.doubt is not None

    @property
    def is_in_doubt(self) -> bool:
        """Whether nothing may be removed: the demand is stale or doubted, a model was refused, or nothing forecasts."""
        return (
            self.is_stale or self.is_doubted or self.forecast is None or Reason.MODEL_REFUSED in self.forecast_reasons
        )

    def windows(self, *, ahead: timedelta = timedelta()) -> tuple[CalendarWindow, ...]:
        """Return the calendar's windows that count now, or begin within ``ahead``."""
        calendar = self.pool.calendar
        return tuple(
            window for window in calendar.windows if calendar.occurs(window, self.now_utc, self.now_utc + ahead)
        )

    @property
    def newest_demand(self) -> float | None:
        """The newest known demand, in the demand's unit; a source trims what is unknown at the end."""
        history = self.history
        if history is None or not len(history) or not math.isfinite(history.demand[-1]):
            return None
        return float(history.demand[-1])
