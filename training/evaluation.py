"""Evaluates models by what they would have caused: each decides on recent demand that it was not fitted on.

A *fold* is a stretch of the history, a model fitted on what came before it, and the real ``decide`` for each of its
intervals: node-hours and misses come of that, pinball losses of the forecasts themselves. Folds are disjoint and follow
each other; prices of a miss are learnt in a stretch before the first and carried on, as in production.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from scaler.replay.replay import BacktestWindows, Fit, Progress, ReplayResult, backtest
from scaler.replay.scorecard import Scorecard, scored
from shared.demand.history import History
from shared.errors import ConfigurationError
from shared.forecasting.card import PriceTable
from shared.forecasting.eligibility import fit_family, training_set_of
from shared.forecasting.metrics import PINBALL, SCORED_INTERVALS, pinball_shares
from shared.forecasting.model import FittedModel, PublishedModel
from shared.pools import CapacitySizing, Pool

if TYPE_CHECKING:
    from shared.forecasting.training_set import TrainingSet

WEEK = timedelta(days=7)
HOUR = timedelta(hours=1)
MIN_SCORED, MAX_SCORED = 500, 4032
"""Below, a handful of misses decides; above (two weeks of 5 minutes), evaluating all families takes many minutes."""
SCORED_SHARE, LEARNING_SHARE = 0.4, 0.2
"""Most of the history that is scored, and that prices are learnt in before."""
MIN_INTERVALS = 400
"""With a shorter history nothing is evaluated: what would be scored allows one or two misses at the usual SLO."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """How one model did. ``pinball`` losses are for the last moment to order nodes, as shares of the mean demand."""

    name: str
    family: str
    score: Scorecard
    pinball: Mapping[str, float]
    result: ReplayResult
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
            SCORED_INTERVALS: float(self.score.intervals),
            **self.pinball,
            PINBALL: self.mean_pinball,
        }

    def since(self, first: int) -> "Evaluation":
        """Return it scored from a later interval on."""
        workload = replace(self.result.workload, first=max(first, self.result.workload.first))
        return _evaluation_of(self.name, self.family, replace(self.result, workload=workload), self.step)

    def prices(self, pool: Pool) -> PriceTable | None:
        """Return what the backtest learnt about the price of a miss, if the pool has such a thing."""
        learnt = self.result.miss_price
        if not isinstance(pool.sizing, CapacitySizing) or not learnt.plan_intervals:
            return None
        return PriceTable(
            missed=learnt.plan_misses, seen=learnt.plan_intervals, units_per_node=pool.sizing.units_per_node
        )


def backtest_windows(history: History) -> BacktestWindows | None:
    """Return the folds to evaluate on, the newest demand, or None if the history is too short for that.

    At most two weeks are scored in folds of at most one; at most a week before them teaches the prices.
    """
    total = len(history)
    if total < MIN_INTERVALS:
        return None
    week = max(1, round(WEEK / history.step))
    scored_intervals = int(min(max(2 * week, MIN_SCORED), MAX_SCORED, SCORED_SHARE * total))
    learning = int(min(max(week, MIN_SCORED), MAX_SCORED // 2, LEARNING_SHARE * total))
    scored_from = total - scored_intervals
    begins = scored_from - learning
    fold = -(-scored_intervals // 2)
    origins = frozenset({begins, scored_from, scored_from + fold})
    return BacktestWindows(begins=begins, scored_from=scored_from, origins=origins)


class Evaluator:
    """Backtests models on one pool's history in the same windows; what was fitted at an origin is not fitted twice."""

    def __init__(
        self, history: History, pool: Pool, windows: BacktestWindows, *, progress: Progress = lambda *_: None
    ) -> None:
        self.history = history
        self._pool = pool
        self._windows = windows
        self._progress = progress
        self._training_sets: dict[int, TrainingSet] = {}
        self._models: dict[tuple[str, int], FittedModel] = {}

    def evaluate_family(self, family: str) -> Evaluation:
        """Evaluate a family, fitted at each origin on what was known then."""
        return self._backtest(family, family, self._windows, lambda _, past: self._fit(family, past))

    def evaluate_champion(self, model: PublishedModel) -> Evaluation:
        """Evaluate the model that serves, as it is, on demand since it was made; until then its family stands in."""
        end = self._end_of_training(model)
        later = frozenset({end}) if self._windows.begins < end < len(self.history) else frozenset[int]()
        windows = replace(self._windows, origins=self._windows.origins | later)
        served = self._served(model, end)
        return self._backtest(model.card.version, model.card.family, windows, served).since(end)

    def unseen_intervals(self, model: PublishedModel) -> int:
        """Return how many of the scored intervals the model was not fitted on."""
        return len(self.history) - max(self._windows.scored_from, self._end_of_training(model))

    def _served(self, model: PublishedModel, end: int) -> Fit:
        def fit_or_serve(_: Pool, past: History) -> FittedModel:
            return model.fitted if len(past) >= end else self._fit(model.card.family, past)

        return fit_or_serve

    def _end_of_training(self, model: PublishedModel) -> int:
        """Return the first interval of the history that the model was not fitted on, rounded up."""
        return max(0, -((self.history.start_utc - model.card.training.end_utc) // self.history.step))

    def _fit(self, family: str, past: History) -> FittedModel:
        origin = len(past)
        if (family, origin) not in self._models:
            training_set = self._training_sets.setdefault(origin, training_set_of(self._pool, past))
            self._models[family, origin] = fit_family(self._pool, training_set, family)
        return self._models[family, origin]

    def _backtest(self, name: str, family: str, windows: BacktestWindows, fit: Fit) -> Evaluation:
        def show(done: int, total: int, doing: str) -> None:
            self._progress(done - windows.begins, total - windows.begins, f"{name}: {doing}")

        result = backtest(self.history, self._pool, windows, fit=fit, progress=show)
        return _evaluation_of(name, family, result, self.history.step)


def _evaluation_of(name: str, family: str, result: ReplayResult, step: timedelta) -> Evaluation:
    workload = result.workload
    if workload.first >= len(workload.demand):
        msg = f"{name} cannot be scored from interval {workload.first} of {len(workload.demand)}"
        raise ConfigurationError(msg)
    return Evaluation(
        name=name,
        family=family,
        score=scored(workload, result.desired),
        pinball=pinball_shares(workload.demand[workload.first :], result.scored_quantiles[workload.first :]),
        result=result,
        step=step,
    )
