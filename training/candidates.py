"""The families of demand models that compete, each fitted on the same rows: ridge, and a forest on top of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import Ridge

from shared.demand_model import EDGE_LEVELS, LEVELS, expected, scaled, with_expected
from shared.errors import TrainingRefused
from shared.features import FeatureSpec, Floats, features_of, targets
from shared.series import History

Content = dict[str, Any]

FLOOR_SHARE = 0.02
"""The floor added before the logarithm, as a share of the mean demand."""
MOST_DAYS = 60
"""Days of history that a model is fitted on."""
HALF_LIFE_DAYS = 30.0
"""A day so long ago counts half."""
RIDGE_ALPHA = 3.0
FEWEST_ROWS = 100
SPLIT_EDGES = slice(3, None, 3)
"""Every third edge steers the splits: as good as all of them, three times as fast."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForestSettings:
    """Measured on twelve public traces and held-out ones, 2026-11-22; the cost is flat around these values."""

    trees: int = 30
    leaves: int = 100
    min_leaf: int = 15
    columns: float = 0.4
    rows: float = 0.6
    leaf_half_life_days: float = 20.0
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """What a family is fitted on: features ``(rows, columns)``, log-ratios ``(rows, horizon)``, age and weight."""

    spec: FeatureSpec
    matrix: Floats
    target: Floats
    age_days: Floats

    @property
    def weight(self) -> Floats:
        """How much each row counts: less with age."""
        return self.faded(HALF_LIFE_DAYS)

    def faded(self, half_life_days: float) -> Floats:
        """Return weights that halve with each half-life."""
        weights: Floats = 0.5 ** (self.age_days / half_life_days)
        return weights

    @property
    def settled(self) -> Content:
        """What every content holds besides what was fitted: what the features need to be the same again."""
        return {"floor": self.spec.floor, "timezone": self.spec.timezone, "holidays": self.spec.holidays}


def rows_of(history: History, spec: FeatureSpec) -> Rows:
    """Return the rows of the last ``MOST_DAYS`` whose present and whole future are known.

    Raises :class:`TrainingRefused` if there are fewer than ``FEWEST_ROWS``.
    """
    features = features_of(history, spec)
    target = targets(features, spec.horizon)
    rows = np.arange(len(history))
    chosen = np.isfinite(target).all(axis=1) & np.isfinite(features.log_demand)
    chosen &= rows >= len(history) - MOST_DAYS * spec.per_day
    if chosen.sum() < FEWEST_ROWS:
        msg = f"{chosen.sum()} intervals with a known future are too few to fit on: {FEWEST_ROWS} are needed"
        raise TrainingRefused(msg)
    return Rows(
        spec=spec,
        matrix=features.matrix[chosen],
        target=target[chosen],
        age_days=(len(history) - rows[chosen]) / spec.per_day,
    )


def feature_spec(history: History, *, horizon: int, calendar: Mapping[str, str]) -> FeatureSpec:
    """Return the features for a history; raises :class:`TrainingRefused` if its demand is nowhere above zero."""
    known = history.demand[np.isfinite(history.demand)]
    mean = float(known.mean()) if len(known) else 0.0
    if not mean > 0:
        msg = "the demand is unknown or zero everywhere: there is nothing to learn from"
        raise TrainingRefused(msg)
    return FeatureSpec(step=history.step, horizon=horizon, floor=FLOOR_SHARE * mean, **calendar)


def fit_ridge(rows: Rows) -> Content:
    """Fit the expectation, and the distribution of its errors, the same at all times."""
    content = rows.settled | _expectation(rows)
    errors = rows.target - expected(content, rows.matrix)
    return content | {"errors": _quantiles_of(errors, LEVELS)}


def fit_forest(rows: Rows, settings: ForestSettings) -> Content:
    """Fit the expectation, and a forest for the distribution of its error in each situation.

    The forest's outputs are the indicators "the error exceeds this edge": the sum of their squared errors is a
    discretised CRPS, so the splits are chosen for the whole distribution (Meinshausen 2006; Gneiting & Raftery 2007),
    not for its mean. Rare exceedances count for more than their variance: misses are made of them.
    """
    content = rows.settled | _expectation(rows)
    errors = rows.target - expected(content, rows.matrix)
    edges = _quantiles_of(errors, EDGE_LEVELS)
    outputs = _exceeded(errors, edges)[:, _split_columns(len(edges))].astype(np.float32)
    forest = RandomForestRegressor(
        settings.trees,
        max_leaf_nodes=settings.leaves,
        min_samples_leaf=min(settings.min_leaf, max(1, len(errors) // 20)),
        max_features=settings.columns,
        max_samples=settings.rows,
        random_state=settings.seed,
    )
    scale = np.sqrt(outputs.std(axis=0)) + 1e-3
    forest.fit(with_expected(content, rows.matrix), outputs / scale, sample_weight=rows.weight)
    for tree in forest.estimators_:
        tree.tree_.value[...] = 0.0  # only the leaf's number is used; zeros compress to nothing in the published file
    return content | {"forest": forest, "edges": edges} | _leaf_tables(content, forest, edges, rows, settings)


def _expectation(rows: Rows) -> Content:
    """Fit one ridge regression for all horizons at once."""
    seen = np.isfinite(rows.matrix).sum(axis=0) > 0
    mean, sd = np.zeros(len(seen)), np.ones(len(seen))
    mean[seen] = np.nanmean(rows.matrix[:, seen], axis=0)
    sd[seen] = np.nanstd(rows.matrix[:, seen], axis=0) + 1e-6
    content: Content = {"mean": mean, "sd": sd}
    ridge = Ridge(alpha=RIDGE_ALPHA * float(np.sqrt(len(rows.target))))
    content["ridge"] = ridge.fit(scaled(content, rows.matrix), rows.target, sample_weight=rows.weight)
    return content


def _split_columns(horizon: int) -> Floats:
    chosen = np.arange(len(EDGE_LEVELS))[SPLIT_EDGES]
    return np.concatenate([ahead * len(EDGE_LEVELS) + chosen for ahead in range(horizon)])


def _quantiles_of(errors: Floats, levels: Floats) -> Floats:
    """Return the quantiles of each column, shape ``(columns, levels)``."""
    quantiles: Floats = np.array([np.quantile(column, levels) for column in errors.T])
    return quantiles


def _exceeded(errors: Floats, edges: Floats) -> Floats:
    """Return whether each error exceeds each edge of its horizon: 0 or 1, shape ``(rows, horizon · edges)``."""
    flags = [errors[:, [ahead]] > edges[ahead] for ahead in range(len(edges))]
    return np.concatenate(flags, axis=1).astype(np.float64)


def _leaf_tables(content: Content, forest: Any, edges: Floats, rows: Rows, settings: ForestSettings) -> Content:  # noqa: ANN401
    """Count, in each leaf of each tree, how often each edge was exceeded; a leaf nobody reached says the usual."""
    errors = rows.target - expected(content, rows.matrix)
    exceeded = _exceeded(errors, edges)
    weight = rows.faded(settings.leaf_half_life_days)
    usual = (weight @ exceeded) / weight.sum()
    leaves = forest.apply(with_expected(content, rows.matrix))
    tables, slots = [], []
    for tree, nodes in enumerate(leaves.T):
        reached, place = np.unique(nodes, return_inverse=True)
        mass = np.bincount(place, weights=weight)
        counts = np.column_stack([np.bincount(place, weights=weight * column) for column in exceeded.T])
        slot = np.full(forest.estimators_[tree].tree_.node_count, len(reached), dtype=np.int32)
        slot[reached] = np.arange(len(reached))
        tables.append(np.vstack([counts / mass[:, np.newaxis], usual]).astype(np.float16))
        slots.append(slot)
    return {"tables": tables, "slots": slots, "top": errors.max(axis=0)}
