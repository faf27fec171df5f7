"""How well a model forecast recent demand: its loss where nodes are ordered, and how much lay below its quantile."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from scaler.replay.replay import TOLD_LEVELS
from shared.demand.history import History
from shared.errors import DemandError, ModelRefused
from shared.forecasting.card import Family
from shared.forecasting.model import Fitted

LOSS = "pinball_share"
"""The name of the mean over the levels: what a card promises and the watch compares with."""
PINBALL_NAMES: Mapping[float, str] = {0.5: "pinball_50", 0.9: "pinball_90", 0.99: "pinball_99"}
FEWEST_JUDGED = 24
"""With fewer intervals a difference in the loss is chance."""
COVERAGE = "coverage_90"
"""Share of the demand at or below the forecast's 90 % quantile."""
JUDGED = "judged_intervals"


def losses(fitted: Fitted, history: History, *, first: int) -> dict[str, float]:
    """Score a model on the intervals after ``first``, each forecast at the last moment to order nodes for it.

    ``LOSS`` is the mean pinball loss as a share of the mean demand: lower is better. Empty if the model cannot forecast
    this demand, or none of it is known.
    """
    try:
        fitted.check(history, version="")
        rows = fitted.quantiles_since(history, first=first)
    except (DemandError, ModelRefused):
        return {}
    told = _told(rows[:, -1], fitted.levels)[: len(rows) - fitted.horizon]
    demand = history.demand[first + fitted.horizon :][: len(told)]
    known = np.isfinite(demand) & np.isfinite(told).all(axis=1)
    if not known.any() or not demand[known].mean() > 0:
        return {}
    scores = {LOSS: float(np.mean(list(pinball(demand, told).values()))), JUDGED: float(known.sum())}
    if fitted.family is not Family.RESPONSE_TIME:
        scores[COVERAGE] = float((demand[known] <= told[known, TOLD_LEVELS.index(0.9)]).mean())
    return scores


def _told(rows: NDArray[np.float64], levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Interpolate quantiles ``(rows, levels)`` at ``TOLD_LEVELS``; a model with one level says that at each."""
    return np.array([np.interp(TOLD_LEVELS, levels, row) for row in rows]).reshape(-1, len(TOLD_LEVELS))


def pinball(demand: NDArray[np.float64], told: NDArray[np.float64]) -> dict[str, float]:
    """Return the mean pinball loss of each of ``TOLD_LEVELS`` by its name, as a share of the mean demand.

    ``told`` has shape ``(intervals, levels)``; intervals unknown or not forecast do not count. Losses are halved
    quantile scores: at 0.5 half the mean absolute error (Koenker & Bassett 1978).
    """
    known = np.isfinite(demand) & np.isfinite(told).all(axis=1)
    error = demand[known, np.newaxis] - told[known]
    levels = np.array(TOLD_LEVELS)
    losses = np.maximum(levels * error, (levels - 1) * error)
    mean = max(float(demand[known].mean()), np.finfo(float).tiny) if known.any() else 1.0
    shares = losses.mean(axis=0) / mean if known.any() else np.zeros(len(levels))
    return {PINBALL_NAMES[level]: float(share) for level, share in zip(TOLD_LEVELS, shares, strict=True)}
