"""The workshop's forecast: tomorrow's counts, each from its own past, and the completion time they lead to."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.demand.history import History
from shared.demand.workshop_log import COUNTS
from shared.errors import DemandError

COMPLETION_TIME = "avg_completion_time"
WINDOW_DAYS: Mapping[str, int] = {"admin_users": 5, "config_users": 7, "end_users": 21}
"""Days of its own past that each count's autoregression looks at (the workshop's values)."""


def next_counts(models: Mapping[str, Any], history: History) -> dict[str, float]:
    """Forecast each count for the interval after the history, from the most recent window of that same count.

    ``models`` maps each name in ``COUNTS`` to a fitted regressor. Raises :class:`DemandError` for a count whose
    window is incomplete.
    """
    return {count: _next_count(models[count], history, count) for count in COUNTS}


def completion_time(models: Mapping[str, Any], counts: Mapping[str, float]) -> float:
    """Return the completion time in seconds that the counts lead to; never below zero."""
    row = np.array([[counts[count] for count in COUNTS]])
    return max(0.0, float(models[COMPLETION_TIME].predict(row)[0]))


def response_time_forecast(models: Mapping[str, Any], history: History) -> NDArray[np.float64]:
    """Return the forecast completion time of the next interval, shape ``(1, 1)``: one interval, the middle only."""
    return np.array([[completion_time(models, next_counts(models, history))]])


def _next_count(model: Any, history: History, count: str) -> float:  # noqa: ANN401 - scikit-learn has no type stubs
    days = WINDOW_DAYS[count]
    window = history.last(days).values[:, history.signals.index(count)]
    if len(window) < days or np.isnan(window).any():
        msg = f"{count} needs its last {days} days complete, {np.isfinite(window).sum()} are known"
        raise DemandError(msg)
    return float(model.predict(window[np.newaxis, :])[0])
