"""The workshop's four models: completion time from the counts, and each count from its own past."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LinearRegression

from shared.demand.history import History
from shared.demand.workshop_log import COUNTS, SIGNALS
from shared.errors import TrainingRefused
from shared.forecasting.response_time import COMPLETION_TIME, WINDOW_DAYS

TRAINING_SHARE = 0.8
"""The workshop's split: the first 80 % of the days train, the rest test."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """Fitted models by name, and each one's R² on the days it has not seen."""

    models: Mapping[str, Any]
    r2: Mapping[str, float]


def fit_response_time(history: History) -> Fitted:
    """Fit ordinary least squares for the completion time and one autoregression for each count.

    Trains on the first ``TRAINING_SHARE`` of the days; a test window lies wholly in the rest.
    Raises :class:`TrainingRefused` if signals are missing, days unknown or too few.
    """
    if set(history.signals) != set(SIGNALS):
        msg = f"a response-time pool needs the signals {', '.join(SIGNALS)}; the history has {history.signals}"
        raise TrainingRefused(msg)
    if np.isnan(history.values).any():
        day = history.instant(int(np.argwhere(np.isnan(history.values))[0][0]))
        msg = f"the log has no complete row for {day.date()}: the workshop's models need every day"
        raise TrainingRefused(msg)
    cut = int(len(history) * TRAINING_SHARE)
    longest = max(WINDOW_DAYS.values())
    if min(cut, len(history) - cut) <= longest + 1:
        msg = f"{len(history)} days are too few: the longest window is {longest} days on both sides of the split"
        raise TrainingRefused(msg)
    counts = history.values[:, [history.signals.index(count) for count in COUNTS]]
    seconds = history.values[:, history.signals.index(SIGNALS[0])]
    fitted = {COMPLETION_TIME: _fit((counts[:cut], seconds[:cut]), (counts[cut:], seconds[cut:]))}
    for column, count in enumerate(COUNTS):
        series, days = counts[:, column], WINDOW_DAYS[count]
        fitted[count] = _fit(_windows(series[:cut], days), _windows(series[cut:], days))
    return Fitted(
        models={name: model for name, (model, _) in fitted.items()},
        r2={name: score for name, (_, score) in fitted.items()},
    )


Pairs = tuple[NDArray[np.float64], NDArray[np.float64]]


def _windows(series: NDArray[np.float64], days: int) -> Pairs:
    """Return each window of ``days`` values, shape ``(windows, days)``, and the value that follows it."""
    windows = np.lib.stride_tricks.sliding_window_view(series, days)[:-1]
    return windows, series[days:]


def _fit(train: Pairs, test: Pairs) -> tuple[LinearRegression, float]:
    model = LinearRegression().fit(*train)
    return model, float(model.score(*test))
