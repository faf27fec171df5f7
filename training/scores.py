"""How well a model forecast what has happened since: one loss for every family, comparable between models."""

import numpy as np
from numpy.typing import NDArray

from shared.errors import DemandError, ModelRefused
from shared.model import Fitted
from shared.model_card import Family
from shared.series import History

FEWEST_JUDGED = 24
"""With fewer intervals a difference in the loss is chance."""
LEVELS = np.array([0.5, 0.9, 0.99])
"""The middle and what capacity is sized by."""
LOSS = "pinball_share"
"""Mean pinball loss over ``LEVELS`` and the horizon, as a share of the mean demand."""
COVERAGE = "coverage_90"


def scores(fitted: Fitted, history: History, *, first: int) -> dict[str, float]:
    """Score a model on the intervals after ``first``, each forecast from what was known before; lower loss is better.

    Empty if it cannot forecast them at all.
    """
    try:
        fitted.check(history, version="")
        rows = fitted.quantiles_since(history, first=first)
    except (DemandError, ModelRefused):
        return {}
    shape = len(rows), fitted.horizon
    index = first + 1 + np.arange(shape[0])[:, None] + np.arange(shape[1])
    known = index < len(history)
    actual = np.where(known, history.demand[np.minimum(index, len(history) - 1)], np.nan)
    quantiles = _at_levels(rows, fitted.levels)
    losses = _pinball(quantiles, actual)
    scored = np.isfinite(losses).all(axis=2)
    mean = float(np.nanmean(actual)) if np.isfinite(actual).any() else 0.0
    if not bool(scored.any()) or mean <= 0:
        return {}
    told = {
        LOSS: float(losses[scored].mean()) / mean,
        "judged_intervals": float(np.count_nonzero(np.any(scored, axis=1))),
    }
    if fitted.family is not Family.RESPONSE_TIME:
        told[COVERAGE] = float((actual[scored] <= quantiles[..., 1][scored]).mean())
    return told


def _at_levels(rows: NDArray[np.float64], levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Interpolate ``(rows, horizon, levels)`` at ``LEVELS``; a model with one level says that at each."""
    position = np.clip(np.interp(LEVELS, levels, np.arange(len(levels))), 0, len(levels) - 1)
    low, high = np.floor(position).astype(int), np.ceil(position).astype(int)
    share = position - low
    at: NDArray[np.float64] = rows[..., low] * (1 - share) + rows[..., high] * share
    return at


def _pinball(quantiles: NDArray[np.float64], actual: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pinball loss of ``(rows, horizon, levels)`` against ``(rows, horizon)`` (Koenker & Bassett 1978)."""
    miss = actual[..., None] - quantiles
    return np.maximum(LEVELS * miss, (LEVELS - 1) * miss)
