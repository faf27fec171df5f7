"""Forecasts of the demand models: quantiles of the demand ahead, relative to the demand now.

A model is one or several *members*. Each has an expectation (a ridge regression, or simply the level of the last day)
and the distribution of its error: the same at all times (``ridge``), or that of situations like the present one, from
the leaves of a forest (``forest``) or from boosted trees (``boosted``). Members are pooled as a mixture. Fitting is
``training.candidates``; a model's content is a plain dict of arrays, numbers, words and scikit-learn estimators, so
that few types need trust.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import numpy as np

from shared.demand.history import History
from shared.errors import DemandError
from shared.forecasting.boosting import boosted_errors
from shared.forecasting.features import LOOK_BACK, Features, FeatureSpec, Floats, features_of
from shared.forecasting.level_shift import surprise, width_of

Content = Mapping[str, Any]
Member = Mapping[str, Any]

LEVELS = np.concatenate(
    [[0.02, 0.1, 0.25, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85], 1 - np.geomspace(0.1, 5e-4, 15), 1 - np.geomspace(2e-4, 2e-6, 5)]
)
"""Quantile levels: coarse in the body, geometric in the upper tail, where sizing decides."""
EDGE_LEVELS = np.concatenate([[0.05, 0.1, 0.2, 0.3, 0.4, 0.45], 1 - np.geomspace(0.5, 0.002, 16)])
"""Levels of the errors at which the forest counts how often they are exceeded."""
TAIL_FROM = 8
"""Index of the edge from which the slope of the tail is read."""
FURTHEST_SD = 6.0
LEVEL_COLUMN = 0
"""The first feature is the log-ratio of the demand now to the level of the last day."""


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
    features = features_of(history.last(1 + spec.intervals(LOOK_BACK)), spec, newest=1 + width_of(spec))
    if np.isnan(features.now[-1]):
        msg = f"no demand is known in the {LOOK_BACK.days} days before {history.end_utc.isoformat()}"
        raise DemandError(msg)
    newest: Floats = _quantiles(content, features, spec, rows=1)[0]
    return newest


def demand_quantiles_since(content: Content, history: History, spec: FeatureSpec, *, first: int) -> Floats:
    """Forecast from every interval since ``first``: shape ``(intervals - first, horizon, levels)``.

    Features are causal, so each row knows nothing after its interval; NaN where nothing was known yet.
    """
    rows = len(history) - first
    features = features_of(history.last(rows + spec.intervals(LOOK_BACK)), spec, newest=rows + width_of(spec))
    return _quantiles(content, features, spec, rows=rows)


def expected(member: Member, matrix: Floats) -> Floats:
    """Return a member's expectation of the log-ratios, shape ``(rows, horizon)``.

    With a ridge it is the ridge's; without one it is the level of the last day, which knows no "now": that is what
    serves a series that jumps.
    """
    if "ridge" not in member:
        return np.repeat(-np.nan_to_num(matrix[:, [LEVEL_COLUMN]]), len(member["edges"]), axis=1)
    ratios: Floats = np.asarray(member["ridge"].predict(scaled(member, matrix)), dtype=np.float64)
    return ratios.reshape(len(matrix), -1)


def scaled(member: Member, matrix: Floats) -> Floats:
    """Standardise, take missing for average, and clip: a linear model must not run away on a value it never saw."""
    standard = np.nan_to_num((matrix - member["mean"]) / member["sd"], nan=0.0)
    clipped: Floats = np.clip(standard, -FURTHEST_SD, FURTHEST_SD)
    return clipped


def with_expected(member: Member, matrix: Floats) -> Floats:
    """Return what the forest looks at: the features and the member's expectation."""
    return np.concatenate([matrix, expected(member, matrix)], axis=1)


def pooled(members: Sequence[Floats], shares: Sequence[float]) -> Floats:
    """Return the quantiles of the mixture of the members' distributions, each of shape ``(rows, horizon, levels)``.

    A mixture keeps the humps and the doubt of its members; the average of their quantiles would not.
    """
    if len(members) == 1:
        return members[0]
    between = np.concatenate([[0.0], (LEVELS[1:] + LEVELS[:-1]) / 2, [1.0]])
    mass = np.concatenate([np.diff(between) * share for share in shares]) / sum(shares)
    stacked = np.concatenate(members, axis=2)
    flat = stacked.reshape(-1, stacked.shape[2])
    order = np.argsort(flat, axis=1)
    values = np.take_along_axis(flat, order, axis=1)
    below = np.cumsum(mass[order], axis=1) - mass[order] / 2
    mixed: Floats = np.array([np.interp(LEVELS, part, value) for part, value in zip(below, values, strict=True)])
    return mixed.reshape(members[0].shape)


def _quantiles(content: Content, features: Features, spec: FeatureSpec, *, rows: int) -> Floats:
    """Return quantiles of the newest rows' demand, ``(rows, horizon, levels)``, never negative, never crossing."""
    matrix = features.matrix[-rows:]
    members = [_member_ratios(member, matrix) for member in content["members"]]
    ratios = pooled(members, [member["share"] for member in content["members"]])
    now = (features.now + _surprises(content, features, spec))[-rows:]
    demand: Floats = np.maximum(np.exp(now[:, None, None] + ratios) - content["floor"], 0.0)
    return demand


def _surprises(content: Content, features: Features, spec: FeatureSpec) -> Floats:
    """Return by how much each row's forecast follows the errors of the ridge just before it; 0 without a ridge."""
    moved: Floats = np.zeros(len(features.now))
    ridges = [member for member in content["members"] if "ridge" in member]
    if ridges and len(moved) > 1:
        said = features.now[:-1] + expected(ridges[0], features.matrix[:-1])[:, 0]
        moved[1:] = surprise(features.log_demand[1:] - said, width_of(spec), bound=ridges[0]["surprise"])
    return moved


def _member_ratios(member: Member, matrix: Floats) -> Floats:
    around = _errors(member, matrix)
    ratios: Floats = np.maximum.accumulate(expected(member, matrix)[:, :, np.newaxis] + around, axis=2)
    return ratios


def _errors(member: Member, matrix: Floats) -> Floats:
    """Return the quantiles of the member's error, shape ``(rows or 1, horizon, levels)``."""
    if "forest" in member:
        return _forest_errors(member, matrix)
    if "boosted" in member:
        return boosted_errors(member, with_expected(member, matrix), LEVELS)
    usual: Floats = member["errors"][np.newaxis]
    return usual


def _forest_errors(member: Member, matrix: Floats) -> Floats:
    """Return the quantiles of the member's error, shape ``(rows, horizon, levels)``.

    Between the edges they are interpolated over the logarithm of the exceedance; beyond the last edge the tail is
    exponential in the log of the demand, which is a Pareto tail in the demand.
    """
    edges = member["edges"]
    horizon, bins = edges.shape
    exceedance = _exceedance(member, matrix)
    depth = -np.log1p(-LEVELS)
    tie = np.arange(bins) * 1e-9
    errors = np.empty((len(matrix), horizon, len(LEVELS)))
    for ahead in range(horizon):
        part = np.clip(exceedance[:, ahead * bins : (ahead + 1) * bins], 2e-5, 1.0)
        depths = -np.log(np.minimum.accumulate(part, axis=1))
        span = np.log((1 - EDGE_LEVELS[TAIL_FROM]) / (1 - EDGE_LEVELS[-1]))
        slope = max((edges[ahead, -1] - edges[ahead, TAIL_FROM]) / span, 0.01)
        top = member["top"][ahead]
        values = np.concatenate([edges[ahead], [top, top + 6 * slope]])
        for row, known in enumerate(depths):
            end = max(known[-1] + 1.0, 8.0)
            errors[row, ahead] = np.interp(depth, np.concatenate([known + tie, [end, end + 6.0]]), values)
    return errors


def _exceedance(member: Member, matrix: Floats) -> Floats:
    """Return how often each edge of each horizon was exceeded in the leaves that a row falls into, averaged."""
    leaves = member["forest"].apply(with_expected(member, matrix))
    trees = leaves.shape[1]
    total: Floats = np.zeros((len(matrix), member["edges"].size))
    for tree in range(trees):
        total += member["tables"][tree][member["slots"][tree][leaves[:, tree]]]
    mean: Floats = total / trees
    return mean
