"""Gradient boosting with quantile loss on the errors of the ridge: the family whose spread follows the situation."""

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from shared.forecasting.boosting import BOOSTED_LEVELS, Grown, ahead_rows, stacked
from shared.forecasting.features import Floats
from shared.forecasting.mixture import LEVELS, expected, with_expected
from shared.forecasting.training_set import HALF_LIFE_DAYS, Rows, expectation

MOST_ROWS = 20_000
"""Most rows that a level is fitted on: four levels take 3 s of one core (60 days of 5 minutes, 2026-11-22)."""
TREES = 60
LEAVES = 15
DEPTH = 6
LEAST_IN_LEAF = 40
SHRINKAGE = 0.1
COLUMNS = 0.3


def boosted_member(rows: Rows) -> dict[str, Any]:
    """Fit the ridge, then for each of ``BOOSTED_LEVELS`` the trees that say where that level of its error lies.

    One set of trees serves all intervals ahead: which one is a column. Columns that are unknown everywhere, as a week's
    lag in a short history, are left out: scikit-learn cannot bin them.
    """
    member = expectation(rows) | {"share": 1.0}
    errors = rows.target - expected(member, rows.matrix)
    looked_at = with_expected(member, rows.matrix)
    columns = np.flatnonzero(np.isfinite(looked_at).any(axis=0))
    horizon = errors.shape[1]
    matrix, target = ahead_rows(looked_at[:, columns], horizon), errors.reshape(-1)
    chosen = _sampled(np.repeat(rows.faded(HALF_LIFE_DAYS), horizon))
    sample = (matrix[chosen], target[chosen])
    return member | {
        "errors": np.array([np.quantile(column, LEVELS) for column in errors.T]),
        "columns": columns,
        "boosted": _side_by_side(sample),
    }


def _sampled(weight: Floats) -> NDArray[np.intp]:
    """Return which rows to fit on: evenly over their weights, so that the old are taken less often.

    Weights handed to scikit-learn's quantile loss made a fit fifteen times as long (1.9.1, 2026-11-22).
    """
    reached = np.cumsum(weight) / weight.sum()
    return np.unique(np.searchsorted(reached, (np.arange(MOST_ROWS) + 0.5) / MOST_ROWS))


def _side_by_side(sample: tuple[Floats, Floats]) -> list[Grown]:
    """Fit the levels in threads of their own, each on one core.

    OpenMP's own threads wait for each other busily: on a machine with other work that took ten times as long.
    """

    def alone(level: float) -> Grown:
        with threadpool_limits(limits=1, user_api="openmp"):
            return _grown(level, *sample)

    with ThreadPoolExecutor(max_workers=min(len(BOOSTED_LEVELS), os.cpu_count() or 1)) as threads:
        return list(threads.map(alone, BOOSTED_LEVELS.tolist()))


def _grown(level: float, matrix: Floats, target: Floats) -> Grown:
    model = HistGradientBoostingRegressor(
        loss="quantile",
        quantile=level,
        max_iter=TREES,
        max_leaf_nodes=LEAVES,
        max_depth=DEPTH,
        min_samples_leaf=min(LEAST_IN_LEAF, max(2, len(target) // 20)),
        learning_rate=SHRINKAGE,
        max_features=COLUMNS,
        early_stopping=False,
        random_state=0,
    )
    model.fit(matrix, target)
    return grown_of(model)


def grown_of(model: HistGradientBoostingRegressor) -> Grown:
    """Return a fitted model's trees as plain arrays.

    scikit-learn publishes no way to its nodes; a test compares the arrays with its own predictions, and a model made
    with another minor version is refused anyway.
    """
    trees = [_tree(stage[0].nodes) for stage in model._predictors]  # noqa: SLF001 - see the docstring
    return stacked(trees, float(np.ravel(model._baseline_prediction)[0]), DEPTH)  # noqa: SLF001 - see the docstring


def _tree(nodes: Any) -> dict[str, Any]:  # noqa: ANN401 - scikit-learn's structured array
    is_leaf = nodes["is_leaf"].astype(bool)
    itself = np.arange(len(nodes))
    return {
        "feature": np.where(is_leaf, 0, nodes["feature_idx"]).astype(np.int16),
        "threshold": nodes["num_threshold"].astype(np.float64),
        "unknown_left": nodes["missing_go_to_left"].astype(bool),
        "left": np.where(is_leaf, itself, nodes["left"]),
        "right": np.where(is_leaf, itself, nodes["right"]),
        "value": np.where(is_leaf, nodes["value"], 0.0),
    }
