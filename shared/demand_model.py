"""Forecasts of the demand models: quantiles of the demand ahead, relative to the demand now.

``ridge``: a linear expectation and one distribution of its errors. ``forest``: the same expectation, and the
distribution of its error in situations like the present one, from the leaves of a forest. Fitting is
``training.candidates``; a model's content is a plain dict of arrays, numbers, words and scikit-learn estimators.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import numpy as np

from shared.errors import DemandError
from shared.features import LOOK_BACK, Features, FeatureSpec, Floats, features_of
from shared.series import History

Content = Mapping[str, Any]

LEVELS = np.concatenate(
    [[0.02, 0.1, 0.25, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85], 1 - np.geomspace(0.1, 5e-4, 15), 1 - np.geomspace(2e-4, 2e-6, 5)]
)
"""Quantile levels: coarse in the body, geometric in the upper tail, where sizing decides."""
EDGE_LEVELS = np.concatenate([[0.05, 0.1, 0.2, 0.3, 0.4, 0.45], 1 - np.geomspace(0.5, 0.002, 16)])
"""Levels of the errors at which the forest counts how often they are exceeded."""
TAIL_FROM = 8
"""Index of the edge from which the slope of the tail is read."""
FURTHEST_SD = 6.0


def spec_of(content: Content, *, step: timedelta, horizon: int) -> FeatureSpec:
    """Return the features that a model was fitted on."""
    return FeatureSpec(
        step=step,
        horizon=horizon,
        floor=content["floor"],
        timezone=content["timezone"],
        holidays=content["holidays"],
    )


def demand_quantiles(content: Content, history: History, spec: FeatureSpec) -> Floats:
    """Forecast from the end of the history: shape ``(horizon, levels)``, in the demand's unit.

    Raises :class:`~shared.errors.DemandError` if no demand is known in the days looked back on.
    """
    features = features_of(history.last(1 + LOOK_BACK // spec.step), spec)
    if np.isnan(features.now[-1]):
        msg = f"no demand is known in the {LOOK_BACK.days} days before {history.end_utc.isoformat()}"
        raise DemandError(msg)
    newest: Floats = _quantiles(content, features, slice(-1, None))[0]
    return newest


def demand_quantiles_since(content: Content, history: History, spec: FeatureSpec, *, first: int) -> Floats:
    """Forecast from every interval since ``first``: shape ``(intervals - first, horizon, levels)``.

    Features are causal, so each row knows nothing after its interval; NaN where nothing was known yet.
    """
    features = features_of(history, spec)
    return _quantiles(content, features, slice(first, None))


def expected(content: Content, matrix: Floats) -> Floats:
    """Return the ridge's expectation of the log-ratios, shape ``(rows, horizon)``."""
    ratios: Floats = np.asarray(content["ridge"].predict(scaled(content, matrix)), dtype=np.float64)
    return ratios.reshape(len(matrix), -1)


def scaled(content: Content, matrix: Floats) -> Floats:
    """Standardise, take missing for average, and clip: a linear model must not run away on a value it never saw."""
    standard = np.nan_to_num((matrix - content["mean"]) / content["sd"], nan=0.0)
    clipped: Floats = np.clip(standard, -FURTHEST_SD, FURTHEST_SD)
    return clipped


def with_expected(content: Content, matrix: Floats) -> Floats:
    """Return what the forest looks at: the features and the ridge's expectation."""
    return np.concatenate([matrix, expected(content, matrix)], axis=1)


def _quantiles(content: Content, features: Features, rows: slice) -> Floats:
    """Return quantiles of the demand, shape ``(rows, horizon, levels)``, never negative, never crossing."""
    matrix = features.matrix[rows]
    around = _forest_errors(content, matrix) if "forest" in content else content["errors"][None]
    ratios = np.maximum.accumulate(expected(content, matrix)[:, :, None] + around, axis=2)
    demand: Floats = np.maximum(np.exp(features.now[rows][:, None, None] + ratios) - content["floor"], 0.0)
    return demand


def _forest_errors(content: Content, matrix: Floats) -> Floats:
    """Return the quantiles of the ridge's error, shape ``(rows, horizon, levels)``.

    Between the edges they are interpolated over the logarithm of the exceedance; beyond the last edge the tail is
    exponential in the log of the demand, which is a Pareto tail in the demand.
    """
    edges = content["edges"]
    horizon, bins = edges.shape
    exceedance = _exceedance(content, matrix)
    depth = -np.log1p(-LEVELS)
    tie = np.arange(bins) * 1e-9
    errors = np.empty((len(matrix), horizon, len(LEVELS)))
    for ahead in range(horizon):
        part = np.clip(exceedance[:, ahead * bins : (ahead + 1) * bins], 2e-5, 1.0)
        depths = -np.log(np.minimum.accumulate(part, axis=1))
        span = np.log((1 - EDGE_LEVELS[TAIL_FROM]) / (1 - EDGE_LEVELS[-1]))
        slope = max((edges[ahead, -1] - edges[ahead, TAIL_FROM]) / span, 0.01)
        top = content["top"][ahead]
        values = np.concatenate([edges[ahead], [top, top + 6 * slope]])
        for row, known in enumerate(depths):
            end = max(known[-1] + 1.0, 8.0)
            errors[row, ahead] = np.interp(depth, np.concatenate([known + tie, [end, end + 6.0]]), values)
    return errors


def _exceedance(content: Content, matrix: Floats) -> Floats:
    """Return how often each edge of each horizon was exceeded in the leaves that a row falls into, averaged."""
    leaves = content["forest"].apply(with_expected(content, matrix))
    trees = leaves.shape[1]
    total: Floats = np.zeros((len(matrix), content["edges"].size))
    for tree in range(trees):
        total += content["tables"][tree][content["slots"][tree][leaves[:, tree]]]
    mean: Floats = total / trees
    return mean
