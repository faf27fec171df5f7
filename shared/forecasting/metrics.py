"""How well a model forecasts: its pinball loss where nodes are ordered, and how much lay below its quantile."""

from collections.abc import Mapping

import numpy as np

from shared.demand.history import History
from shared.errors import DemandError, ModelRefused
from shared.forecasting.features import Floats
from shared.forecasting.model import FittedModel

SCORED_LEVELS = (0.5, 0.9, 0.99)
"""Quantile levels at which forecasts are scored."""
COVERED_LEVEL = 0.9
PINBALL = "pinball_share"
"""The name of the mean over the levels: what a card promises and the watch compares with."""
PINBALL_NAMES: Mapping[float, str] = {0.5: "pinball_50", 0.9: "pinball_90", 0.99: "pinball_99"}
COVERAGE = "coverage_90"
"""Share of the demand at or below the forecast's 90 % quantile."""
SCORED_INTERVALS = "scored_intervals"
MIN_SCORED_INTERVALS = 24
"""With fewer intervals a difference in the loss is chance."""


def evaluate(model: FittedModel, history: History, *, first: int) -> dict[str, float]:
    """Score a model on the intervals after ``first``, each forecast at the last moment to order nodes for it.

    ``PINBALL`` is the mean pinball loss as a share of the mean demand: lower is better. Empty if the model cannot
    forecast this demand, or none of it is known.
    """
    try:
        model.check(history, version="")
        rows = model.forecaster.historical_forecasts(history, first=first)
    except (DemandError, ModelRefused):
        return {}
    horizon = model.spec.horizon
    quantiles = _at_scored_levels(rows[:, -1], model.quantile_levels)[: len(rows) - horizon]
    demand = history.demand[first + horizon :][: len(quantiles)]
    known = np.isfinite(demand) & np.isfinite(quantiles).all(axis=1)
    if not known.any() or not demand[known].mean() > 0:
        return {}
    scores = {
        PINBALL: float(np.mean(list(pinball_shares(demand, quantiles).values()))),
        SCORED_INTERVALS: float(known.sum()),
    }
    if model.quantile_levels[-1] >= COVERED_LEVEL:  # a response time is forecast by its middle alone
        scores[COVERAGE] = coverage(demand[known], quantiles[known, SCORED_LEVELS.index(COVERED_LEVEL)])
    return scores


def pinball_shares(demand: Floats, quantiles: Floats) -> dict[str, float]:
    """Return the mean pinball loss of each of ``SCORED_LEVELS`` by its name, as a share of the mean demand.

    ``quantiles`` has shape ``(intervals, levels)``; intervals unknown or not forecast do not count. Losses are halved
    quantile scores: at 0.5 half the mean absolute error (Koenker & Bassett 1978).
    """
    known = np.isfinite(demand) & np.isfinite(quantiles).all(axis=1)
    error = demand[known, np.newaxis] - quantiles[known]
    levels = np.array(SCORED_LEVELS)
    losses = np.maximum(levels * error, (levels - 1) * error)
    mean = max(float(demand[known].mean()), np.finfo(float).tiny) if known.any() else 1.0
    shares = losses.mean(axis=0) / mean if known.any() else np.zeros(len(levels))
    return {PINBALL_NAMES[level]: float(share) for level, share in zip(SCORED_LEVELS, shares, strict=True)}


def coverage(demand: Floats, quantile: Floats) -> float:
    """Return the share of the intervals whose demand is at or below the quantile; both of shape ``(intervals,)``."""
    return float((demand <= quantile).mean())


def _at_scored_levels(rows: Floats, levels: Floats) -> Floats:
    """Interpolate quantiles ``(rows, levels)`` at ``SCORED_LEVELS``; a model with one level says that at each."""
    return np.array([np.interp(SCORED_LEVELS, levels, row) for row in rows]).reshape(-1, len(SCORED_LEVELS))
