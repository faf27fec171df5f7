"""Boosted trees as plain arrays: the distribution of a member's error at a few levels, spread to all the others.

A published boosting model holds no estimator, only numbers: nothing more needs trust, and one tick is a few dozen
look-ups.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from shared.forecasting.features import Floats

BOOSTED_LEVELS = np.array([0.1, 0.5, 0.9, 0.99])
"""Levels with trees of their own; what lies between and beyond follows the shape of all errors."""
LEAST_SPREAD = 1e-9
"""Keeps knots apart where all errors are the same."""
LEAST_BODY = 0.01
"""Log-ratios narrower than this are no measure of how wide a tail is."""

Grown = Mapping[str, Any]
"""Trees of one level: ``roots`` and, by node, ``feature``, ``threshold``, ``unknown_left``, ``left``, ``right``,
``value``; a leaf's children are itself. ``depth`` is the longest way down, ``baseline`` is added to the sum."""


def grown_values(grown: Grown, matrix: Floats) -> Floats:
    """Return the sum of the trees for each row, shape ``(rows,)``."""
    rows = np.arange(len(matrix))[:, np.newaxis]
    node = np.repeat(np.asarray(grown["roots"], dtype=np.int64)[np.newaxis], len(matrix), axis=0)
    for _ in range(int(grown["depth"])):
        value = matrix[rows, grown["feature"][node]]
        goes_left = np.where(np.isnan(value), grown["unknown_left"][node], value <= grown["threshold"][node])
        node = np.where(goes_left, grown["left"][node], grown["right"][node])
    total: Floats = grown["baseline"] + np.asarray(grown["value"][node], dtype=np.float64).sum(axis=1)
    return total


def ahead_rows(matrix: Floats, horizon: int) -> Floats:
    """Return each row once for each interval ahead, which becomes the last column: shape ``(rows · horizon, …)``."""
    ahead = np.tile(np.arange(horizon, dtype=np.float64), len(matrix))
    return np.column_stack([np.repeat(matrix, horizon, axis=0), ahead])


def boosted_errors(member: Mapping[str, Any], matrix: Floats, levels: Floats) -> Floats:
    """Return the quantiles of the member's error, shape ``(rows, horizon, levels)``.

    The trees say where ``BOOSTED_LEVELS`` lie in this situation. The errors of all situations say how the other levels
    lie between them and, in the tail, beyond: the map from the one distribution to the other is linear in pieces.
    """
    usual: Floats = member["errors"]
    horizon = len(usual)
    looked_at = ahead_rows(matrix[:, member["columns"]], horizon)
    sums = [grown_values(grown, looked_at) for grown in member["boosted"]]
    told = np.maximum.accumulate(np.column_stack(sums), axis=1).reshape(len(matrix), horizon, -1)
    return np.stack([_spread(usual[ahead], told[:, ahead], levels) for ahead in range(horizon)], axis=1)


def _spread(usual: Floats, told: Floats, levels: Floats) -> Floats:
    """Map the usual quantiles, shape ``(levels,)``, so that they meet what the trees told, ``(rows, knots)``.

    Beyond the outermost knots nothing is stretched more than the body is: the trees know too little of the tails.
    """
    knots = np.interp(BOOSTED_LEVELS, levels, usual) + LEAST_SPREAD * np.arange(told.shape[1])
    piece = np.clip(np.searchsorted(knots, usual, side="right") - 1, 0, len(knots) - 2)
    share = np.clip((usual - knots[piece]) / np.diff(knots)[piece], 0.0, 1.0)
    within = told[:, piece] + share * np.diff(told, axis=1)[:, piece]
    outside = usual - np.clip(usual, knots[0], knots[-1])
    stretch = (told[:, [-1]] - told[:, [0]]) / max(float(knots[-1] - knots[0]), LEAST_BODY)
    spread: Floats = np.maximum.accumulate(within + outside * stretch, axis=1)
    return spread


def stacked(trees: Sequence[Mapping[str, Any]], baseline: float, depth: int) -> Grown:
    """Return several trees as one table of nodes."""
    starts = np.cumsum([0, *(len(tree["value"]) for tree in trees[:-1])])
    joined = {name: np.concatenate([tree[name] for tree in trees]) for name in trees[0]}
    moved = np.repeat(starts, [len(tree["value"]) for tree in trees])
    joined |= {side: (joined[side] + moved).astype(np.int32) for side in ("left", "right")}
    return {**joined, "roots": starts.astype(np.int32), "baseline": baseline, "depth": depth}
