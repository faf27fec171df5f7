"""Judges models by what they would have caused: each walks through recent demand that it was not fitted on.

A *fold* is a stretch of the history, a model fitted on what came before it, and the real ``decide`` for each of its
intervals: node-hours and misses come of that, pinball losses of the forecasts themselves. Folds are disjoint and follow
each other; prices of a miss are learnt in a stretch before the first and carried on, as in production.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np

from scaler.replay.replay import Course, Fit, Progress, Replayed, walked
from scaler.replay.scorecard import Scorecard, scored
from shared.demand.history import History
from shared.errors import ConfigurationError
from shared.forecasting.card import Family, PriceTable
from shared.forecasting.model import Fitted, Model
from shared.pools import CapacitySizing, Pool
from training.losses import LOSS, pinball
from training.publish import fit

WEEK = timedelta(days=7)
HOUR = timedelta(hours=1)
FEWEST_SCORED, MOST_SCORED = 500, 4032
"""Below, a handful of misses decides; above (two weeks of 5 minutes), judging all families takes many minutes."""
SCORED_SHARE, LEARNING_SHARE = 0.4, 0.2
"""Most of the history that is scored, and that prices are learnt in before."""
FEWEST_INTERVALS = 400
"""With a shorter history nothing is judged: what would be scored allows one or two misses at the usual SLO."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """How one model did. ``pinball`` losses are for the last moment to order nodes, as shares of the mean demand."""

    name: str
    family: Family
    score: Scorecard
    pinball: Mapping[str, float]
    replayed: Replayed
    step: timedelta

    @property
    def mean_pinball(self) -> float:
        """The mean over the levels."""
        return float(np.mean(list(self.pinball.values())))

    @property
    def scores(self) -> dict[str, float]:
        """Everything as plain numbers, for the card."""
        return {
            "attained": self.score.attained,
            "misses": float(self.score.misses),
            "unserved": self.score.unserved,
            "cost": self.score.cost,
            "node_hours": self.score.node_intervals * (self.step / HOUR),
            "scored_intervals": float(self.score.intervals),
            **self.pinball,
            LOSS: self.mean_pinball,
        }

    def since(self, first: int) -> "Judged":
        """Return it scored from a later interval on."""
        workload = replace(self.replayed.workload, first=max(first, self.replayed.workload.first))
        return _judged(self.name, self.family, replace(self.replayed, workload=workload), self.step)

    def prices(self, pool: Pool) -> PriceTable | None:
        """Return what the walk learnt about the price of a miss, if the pool has such a thing."""
        learnt = self.replayed.miss_price
        if not isinstance(pool.sizing, CapacitySizing) or not learnt.plan_intervals:
            return None
        return PriceTable(
            missed=learnt.plan_misses, seen=learnt.plan_intervals, units_per_node=pool.sizing.units_per_node
        )


def course_of(history: History) -> Course | None:
    """Return the folds to judge on, the newest demand, or None if the history is too short to judge anything.

    At most two weeks are scored in folds of at most one; at most a week before them teaches the prices.
    """
    total = len(history)
    if total < FEWEST_INTERVALS:
        return None
    week = max(1, round(WEEK / history.step))
    scored_intervals = int(min(max(2 * week, FEWEST_SCORED), MOST_SCORED, SCORED_SHARE * total))
    learning = int(min(max(week, FEWEST_SCORED), MOST_SCORED // 2, LEARNING_SHARE * total))
    scored_from = total - scored_intervals
    begins = scored_from - learning
    fold = -(-scored_intervals // 2)
    return Course(begins=begins, scored_from=scored_from, origins=frozenset({begins, scored_from, scored_from + fold}))


class Judge:
    """Walks models through one pool's history along one course; a model fitted at an origin is not fitted twice."""

    def __init__(self, history: History, pool: Pool, course: Course, *, progress: Progress = lambda *_: None) -> None:
        self.history = history
        self._pool = pool
        self._course = course
        self._progress = progress
        self._made: dict[tuple[Family, int], Fitted] = {}

    def family(self, family: Family) -> Judged:
        """Judge a family, fitted at each origin on what was known then."""
        return self._walk(family.value, family, self._course, lambda _, past: self._fit(family, past))

    def champion(self, model: Model) -> Judged:
        """Judge the model that serves, as it is, on the demand since it was made; until then its family stands in."""
        made = self._index_of(model)
        later = frozenset({made}) if self._course.begins < made < len(self.history) else frozenset[int]()
        course = replace(self._course, origins=self._course.origins | later)
        served = self._served(model, made)
        return self._walk(model.card.version, model.card.family, course, served).since(made)

    def unseen(self, model: Model) -> int:
        """Return how many of the scored intervals the model was not fitted on."""
        return len(self.history) - max(self._course.scored_from, self._index_of(model))

    def _served(self, model: Model, made: int) -> Fit:
        def fit_or_serve(_: Pool, past: History) -> Fitted:
            return model.fitted if len(past) >= made else self._fit(model.card.family, past)

        return fit_or_serve

    def _index_of(self, model: Model) -> int:
        """Return the first interval of the history that the model was not fitted on, rounded up."""
        return max(0, -((self.history.start_utc - model.card.training.end_utc) // self.history.step))

    def _fit(self, family: Family, past: History) -> Fitted:
        key = (family, len(past))
        if key not in self._made:
            self._made[key] = fit(self._pool, past, family=family).fitted
        return self._made[key]

    def _walk(self, name: str, family: Family, course: Course, fit_at: Fit) -> Judged:
        def told(done: int, total: int, doing: str) -> None:
            self._progress(done - course.begins, total - course.begins, f"{name}: {doing}")

        replayed = walked(self.history, self._pool, course, fit=fit_at, progress=told)
        return _judged(name, family, replayed, self.history.step)


def _judged(name: str, family: Family, replayed: Replayed, step: timedelta) -> Judged:
    workload = replayed.workload
    if workload.first >= len(workload.demand):
        msg = f"{name} cannot be scored from interval {workload.first} of {len(workload.demand)}"
        raise ConfigurationError(msg)
    return Judged(
        name=name,
        family=family,
        score=scored(workload, replayed.desired),
        pinball=pinball(workload.demand[workload.first :], replayed.told[workload.first :]),
        replayed=replayed,
        step=step,
    )
