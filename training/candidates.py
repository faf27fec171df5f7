"""The families of demand models that compete: a ridge, boosted trees around it, and a blend of two forests."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestRegressor

from shared.demand.history import History
from shared.errors import TrainingRefused
from shared.forecasting.features import FeatureSpec, Floats
from shared.forecasting.mixture import EDGE_LEVELS, LEVELS, expected, with_expected
from shared.forecasting.training_set import HALF_LIFE_DAYS, Rows, exceeded, expectation, leaf_tables
from training.boosting import boosted_member

Content = dict[str, Any]

FLOOR_SHARE = 0.02
"""The floor added before the logarithm, as a share of the mean demand."""
SPLIT_EDGES = slice(3, None, 3)
"""Every third edge steers the splits: as good as all of them, three times as fast."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForestSettings:
    """One forest of a blend, and its share in it.

    Measured on twelve public traces and held-out ones, 2026-11-22; the cost is flat around these values.
    """

    share: float
    linear: bool
    """Whether its expectation is a ridge, or the level of the last day."""
    trees: int
    leaves: int = 100
    min_leaf: int = 15
    columns: float = 0.4
    rows: float = 0.6
    seed: int = 0


BLEND = (
    ForestSettings(share=0.65, linear=True, trees=30),
    ForestSettings(share=0.35, linear=False, trees=20),
)
"""The second forest knows no "now" and so saves the series that jump."""


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
    member = expectation(rows) | {"share": 1.0}
    errors = rows.target - expected(member, rows.matrix)
    return _content(rows.spec, [member | {"errors": _quantiles_of(errors, LEVELS)}])


def fit_forests(rows: Rows, blend: tuple[ForestSettings, ...] = BLEND) -> Content:
    """Fit a blend of forests."""
    return _content(rows.spec, [_forest(rows, settings) for settings in blend])


def fit_boosting(rows: Rows) -> Content:
    """Fit boosted trees around the ridge (``training.boosting``)."""
    return _content(rows.spec, [boosted_member(rows)])


def _forest(rows: Rows, settings: ForestSettings) -> Content:
    """Fit a member's expectation, and a forest for the distribution of its error in each situation.

    The forest's outputs are the indicators "the error exceeds this edge": the sum of their squared errors is a
    discretised CRPS, so the splits are chosen for the whole distribution (Meinshausen 2006; Gneiting & Raftery 2007),
    not for its mean. Rare exceedances count for more than their variance: misses are made of them.
    """
    horizon = rows.target.shape[1]
    member: Content = expectation(rows) if settings.linear else {"edges": np.empty((horizon, 0))}
    errors = rows.target - expected(member, rows.matrix)
    edges = _quantiles_of(errors, EDGE_LEVELS)
    outputs = exceeded(errors, edges)[:, _split_columns(horizon)].astype(np.float32)
    forest = RandomForestRegressor(
        settings.trees,
        max_leaf_nodes=settings.leaves,
        min_samples_leaf=min(settings.min_leaf, max(1, len(errors) // 20)),
        max_features=settings.columns,
        max_samples=settings.rows,
        random_state=settings.seed,
        n_jobs=-1,
    )
    scale = np.sqrt(outputs.std(axis=0)) + 1e-3
    forest.fit(with_expected(member, rows.matrix), outputs / scale, sample_weight=rows.faded(HALF_LIFE_DAYS))
    forest.n_jobs = 1
    for tree in forest.estimators_:
        tree.tree_.value[...] = 0.0  # only the leaf's number is used; zeros compress to nothing in the published file
    member |= {"share": settings.share, "forest": forest, "edges": edges}
    return member | leaf_tables(member, rows, weight=np.ones(len(errors)))


def _content(spec: FeatureSpec, members: list[Content]) -> Content:
    """Return a model's content: the members, and what the features need to be the same again."""
    return {"floor": spec.floor, "timezone": spec.timezone, "holidays": spec.holidays, "members": members}


def _split_columns(horizon: int) -> Floats:
    chosen = np.arange(len(EDGE_LEVELS))[SPLIT_EDGES]
    return np.concatenate([ahead * len(EDGE_LEVELS) + chosen for ahead in range(horizon)])


def _quantiles_of(errors: Floats, levels: Floats) -> Floats:
    """Return the quantiles of each column, shape ``(columns, levels)``."""
    quantiles: Floats = np.array([np.quantile(column, levels) for column in errors.T])
    return quantiles
