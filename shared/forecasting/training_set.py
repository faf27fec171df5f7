"""What a demand model takes in daily: its expectation and the errors in its leaves, while the forest's splits stay.

A refresh costs a tenth of a fit and gives most of what a daily fit would give (docs/decisions/0002). The tick does it
in memory, once a day; a replay does the same. It is a pure function of the model and the history.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from shared.demand.history import History
from shared.errors import TrainingRefused
from shared.forecasting.features import LOOK_BACK, FeatureSpec, Floats, Ints, features_of, targets
from shared.forecasting.level_shift import bound_of, width_of
from shared.forecasting.mixture import Content, Member, expected, scaled, with_expected

MOST_DAYS = 60
"""Days of history that a model looks at when it is fitted or refreshed."""
HALF_LIFE_DAYS = 30.0
"""For the expectation and the splits, a day so long ago counts half."""
LEAF_HALF_LIFE_DAYS = 20.0
"""For the errors counted in the leaves, a day so long ago counts half."""
RIDGE_ALPHA = 3.0
FEWEST_ROWS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """What a member is fitted on: features ``(rows, columns)``, log-ratios ``(rows, horizon)``, and each row's age.

    ``interval`` is each row's place on the grid: rows with an unknown future are left out.
    """

    spec: FeatureSpec
    matrix: Floats
    target: Floats
    age_days: Floats
    interval: Ints

    def faded(self, half_life_days: float) -> Floats:
        """Return weights that halve with each half-life."""
        weights: Floats = 0.5 ** (self.age_days / half_life_days)
        return weights


def rows_of(history: History, spec: FeatureSpec) -> Rows:
    """Return the rows of the last ``MOST_DAYS`` whose present and whole future are known.

    The first day is left out where there are more: its lags look at nothing.
    Raises :class:`TrainingRefused` if there are fewer than ``FEWEST_ROWS``.
    """
    history = history.last(MOST_DAYS * spec.per_day + spec.intervals(LOOK_BACK))
    features = features_of(history, spec)
    target = targets(features, spec.horizon)
    rows = np.arange(len(history))
    chosen = np.isfinite(target).all(axis=1) & np.isfinite(features.log_demand)
    chosen &= rows >= max(len(history) - MOST_DAYS * spec.per_day, min(spec.per_day, len(history) // 4))
    if chosen.sum() < FEWEST_ROWS:
        msg = f"{chosen.sum()} intervals with a known future are too few to fit on: {FEWEST_ROWS} are needed"
        raise TrainingRefused(msg)
    return Rows(
        spec=spec,
        matrix=features.matrix[chosen],
        target=target[chosen],
        age_days=(len(history) - rows[chosen]) / spec.per_day,
        interval=rows[chosen],
    )


def refreshed(content: Content, history: History, spec: FeatureSpec) -> Content:
    """Return the model with what the history says now; raises :class:`TrainingRefused` if that is too little."""
    rows = rows_of(history, spec)
    members = []
    for member in content["members"]:
        if "forest" in member:
            fresh = {**member, **(expectation(rows) if "ridge" in member else {})}
            members.append(fresh | leaf_tables(fresh, rows, weight=rows.faded(LEAF_HALF_LIFE_DAYS)))
        else:
            members.append(member)
    return {**content, "members": members}


def expectation(rows: Rows) -> dict[str, Any]:
    """Fit one ridge regression for all horizons at once, and the bound beyond which its errors are a surprise."""
    from sklearn.linear_model import Ridge  # noqa: PLC0415 - the timer's import path stays free of scikit-learn

    seen = np.isfinite(rows.matrix).sum(axis=0) > 0
    mean, sd = np.zeros(len(seen)), np.ones(len(seen))
    mean[seen] = np.nanmean(rows.matrix[:, seen], axis=0)
    sd[seen] = np.nanstd(rows.matrix[:, seen], axis=0) + 1e-6
    scales: dict[str, Any] = {"mean": mean, "sd": sd}
    ridge = Ridge(alpha=RIDGE_ALPHA * float(np.sqrt(len(rows.target))))
    ridge.fit(scaled(scales, rows.matrix), rows.target, sample_weight=rows.faded(HALF_LIFE_DAYS))
    member = scales | {"ridge": ridge}
    errors = np.full(rows.interval[-1] - rows.interval[0] + 1, np.nan)
    errors[rows.interval - rows.interval[0]] = rows.target[:, 0] - expected(member, rows.matrix)[:, 0]
    return member | {"surprise": bound_of(errors, width_of(rows.spec))}


def leaf_tables(member: Member, rows: Rows, *, weight: Floats) -> dict[str, Any]:
    """Count, in each leaf of each tree, how often each edge was exceeded; a leaf nobody reached says the usual."""
    errors = rows.target - expected(member, rows.matrix)
    flags = exceeded(errors, member["edges"])
    usual = (weight @ flags) / weight.sum()
    leaves = member["forest"].apply(with_expected(member, rows.matrix))
    tables, slots = [], []
    for tree, nodes in enumerate(leaves.T):
        reached, place = np.unique(nodes, return_inverse=True)
        mass = np.bincount(place, weights=weight)
        counts = np.column_stack([np.bincount(place, weights=weight * column) for column in flags.T])
        slot = np.full(member["forest"].estimators_[tree].tree_.node_count, len(reached), dtype=np.int32)
        slot[reached] = np.arange(len(reached))
        tables.append(np.vstack([counts / mass[:, np.newaxis], usual]).astype(np.float16))
        slots.append(slot)
    return {"tables": tables, "slots": slots, "top": errors.max(axis=0)}


def exceeded(errors: Floats, edges: Floats) -> Floats:
    """Return whether each error exceeds each edge of its horizon: 0 or 1, shape ``(rows, horizon · edges)``."""
    flags = [errors[:, [ahead]] > edges[ahead] for ahead in range(len(edges))]
    return np.concatenate(flags, axis=1).astype(np.float64)
