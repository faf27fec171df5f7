"""Gradient boosting with quantile loss on the errors of a ridge regression: the spread follows the situation.

The trees say where ``BOOSTED_LEVELS`` lie in a situation. The errors of all situations say how the other levels lie
between them and, in the tail, beyond: the map from the one distribution to the other is linear in pieces.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from shared.demand.history import History
from shared.forecasting.expectation import LinearExpectation
from shared.forecasting.features import FLOORS, FeatureSpec, Floats, feature_names
from shared.forecasting.forecaster import DemandNeed, Parameters
from shared.forecasting.history_spec import HistorySpec
from shared.forecasting.mixture import Mixture, around
from shared.forecasting.parameter_reader import LOG_RATIOS, ParameterReader
from shared.forecasting.parameters import HALF_LIFE_DAYS, QUANTILE_LEVELS
from shared.forecasting.training_set import TrainingSet
from shared.forecasting.trees import Trees, trees_of_boosting

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingRegressor

BOOSTED_LEVELS = np.array([0.1, 0.5, 0.9, 0.99])
"""Levels with trees of their own; what lies between and beyond follows the shape of all errors."""
MAX_ROWS = 20_000
"""Most rows that a level is fitted on: four levels take 3 s of one core (60 days of 5 minutes, 2026-11-22)."""
TREES = 60
LEAVES = 15
DEPTH = 6
MIN_IN_LEAF = 40
SHRINKAGE = 0.1
COLUMNS = 0.3
SMALLEST_GAP = 1e-9
"""Keeps knots apart where all errors are the same."""
SMALLEST_BODY = 0.01
"""Log-ratios narrower than this do not measure how wide a tail is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BoostedTrees:
    """The trees of all ``BOOSTED_LEVELS``, those of one level behind each other, as many for each.

    ``values`` has a number for each node, of which a leaf's counts; ``baselines`` one for each level, which the sum of
    its trees' leaves is added to. Raises ``ValueError`` if the trees cannot be shared out among the levels.
    """

    trees: Trees
    values: Floats
    baselines: Floats

    def __post_init__(self) -> None:
        """Check that each level has its trees."""
        if len(self.trees) % len(self.baselines) or self.values.shape != self.trees.feature.shape:
            msg = f"{len(self.trees)} trees cannot be those of {len(self.baselines)} levels"
            raise ValueError(msg)

    def predict(self, matrix: Floats) -> Floats:
        """Return the levels of each row, shape ``(rows, levels)``, summed in the order of scikit-learn."""
        values = self.values[self.trees.leaves(matrix)].reshape(len(matrix), len(self.baselines), -1)
        total = np.repeat(self.baselines[np.newaxis], len(matrix), axis=0)
        for tree in range(values.shape[2]):
            total += values[:, :, tree]
        return total


@dataclass(frozen=True, slots=True, kw_only=True)
class BoostingForecaster:
    """The only component of its own mixture.

    ``errors`` are the quantiles of all errors, ``(horizon, levels)``. The boosted trees look at the chosen ``columns``
    of the features and the expectation, and at how far ahead an interval lies.
    """

    family: ClassVar[str] = "boosting"
    need: ClassVar[DemandNeed] = DemandNeed(known=2000, span=timedelta(days=7))
    """It learns its 0.99 from single rows: of 2,000 twenty lie beyond it, and a week holds each weekday once."""

    spec: FeatureSpec
    expectation: LinearExpectation
    errors: Floats
    columns: NDArray[np.int32]
    boosted: BoostedTrees

    @property
    def quantile_levels(self) -> Floats:
        """See :class:`Forecaster`."""
        return QUANTILE_LEVELS

    @property
    def feature_names(self) -> tuple[str, ...]:
        """See :class:`Forecaster`."""
        return feature_names(self.spec)

    @classmethod
    def shortfall(cls, history: History) -> str:
        """See :class:`Forecaster`."""
        return cls.need.shortfall(cls.family, history)

    @classmethod
    def fit(cls, training_set: TrainingSet) -> Self:
        """Fit the expectation, then for each of ``BOOSTED_LEVELS`` the trees that say where it lies.

        One set of trees serves all intervals ahead: which one is a column. Columns that are unknown everywhere, as a
        week's lag in a short history, are left out: scikit-learn cannot bin them.
        """
        expectation = LinearExpectation.fit(training_set)
        expected_ratios = expectation.expected_ratios(training_set.features)
        errors = training_set.targets - expected_ratios
        features = np.concatenate([training_set.features, expected_ratios], axis=1)
        columns = np.flatnonzero(np.isfinite(features).any(axis=0)).astype(np.int32)
        horizon = training_set.horizon
        chosen = _sample(np.repeat(training_set.faded(HALF_LIFE_DAYS), horizon))
        matrix, targets = _rows_ahead(features[:, columns], horizon), errors.reshape(-1)
        return cls(
            spec=training_set.feature_spec,
            expectation=expectation,
            errors=np.array([np.quantile(column, QUANTILE_LEVELS) for column in errors.T]),
            columns=columns,
            boosted=_fit_levels(_Sample(matrix=matrix[chosen], targets=targets[chosen])),
        )

    def refresh(self, history: History) -> Self:
        """Return itself: between fits nothing is taken in."""
        del history
        return self

    def ratio_quantiles(self, features: Floats) -> Floats:
        """See :class:`Component`."""
        expected_ratios = self.expectation.expected_ratios(features)
        horizon = len(self.errors)
        columns = np.concatenate([features, expected_ratios], axis=1)[:, self.columns]
        levels = self.boosted.predict(_rows_ahead(columns, horizon))
        knots = np.maximum.accumulate(levels, axis=1).reshape(len(features), horizon, -1)
        errors = [_spread(self.errors[ahead], knots[:, ahead]) for ahead in range(horizon)]
        return around(expected_ratios, np.stack(errors, axis=1))

    def quantiles(self, history: History) -> Floats:
        """See :class:`Forecaster`."""
        return self._mixture.quantiles(history)

    def historical_forecasts(self, history: History, *, first: int) -> Floats:
        """See :class:`Forecaster`."""
        return self._mixture.historical_forecasts(history, first=first)

    def to_parameters(self) -> Parameters:
        """See :class:`Forecaster`."""
        return {
            "floor": np.array(self.spec.floor),
            "errors": self.errors,
            "columns": self.columns,
            "values": self.boosted.values,
            "baselines": self.boosted.baselines,
            **self.expectation.to_parameters("expectation."),
            **self.boosted.trees.to_parameters("trees."),
        }

    @classmethod
    def from_parameters(cls, parameters: Parameters, spec: HistorySpec) -> Self:
        """See :class:`Forecaster`."""
        reader = ParameterReader(parameters, family=cls.family)
        features = spec.feature_spec(floor=reader.number("floor", within=FLOORS))
        width, horizon = len(feature_names(features)), spec.horizon
        columns = reader.take("columns", np.int32, (None,), within=(0, width + horizon - 1))
        trees = Trees.from_parameters(reader, "trees.", columns=len(columns) + 1)
        values = reader.take("values", np.float64, (len(trees.feature),), within=LOG_RATIOS)
        baselines = reader.take("baselines", np.float64, (len(BOOSTED_LEVELS),), within=LOG_RATIOS)
        if len(trees) % len(baselines):
            reader.refuse("trees.roots", f"are {len(trees)}, which {len(baselines)} levels cannot share")
        made = cls(
            spec=features,
            expectation=LinearExpectation.from_parameters(reader, "expectation.", horizon=horizon, columns=width),
            errors=reader.increasing("errors", (horizon, len(QUANTILE_LEVELS)), within=LOG_RATIOS),
            columns=columns,
            boosted=BoostedTrees(trees=trees, values=values, baselines=baselines),
        )
        reader.finish()
        return made

    @property
    def _mixture(self) -> Mixture:
        return Mixture(spec=self.spec, components=(self,), shares=(1.0,), shift_expectation=self.expectation)


def boosted_trees_of(models: Sequence["HistGradientBoostingRegressor"], *, columns: int) -> BoostedTrees:
    """Return fitted models, one a level, as plain arrays.

    scikit-learn publishes no way to its nodes; a test compares what comes of the arrays with its own predictions.
    """
    stages = [stage[0].nodes for model in models for stage in model._predictors]  # noqa: SLF001 - see the docstring
    return BoostedTrees(
        trees=trees_of_boosting(stages, columns=columns),
        values=np.concatenate([np.where(nodes["is_leaf"], nodes["value"], 0.0) for nodes in stages]),
        baselines=np.array([float(np.ravel(model._baseline_prediction)[0]) for model in models]),  # noqa: SLF001 - see the docstring
    )


class _Sample(NamedTuple):
    """Rows to fit on."""

    matrix: Floats
    targets: Floats


def _rows_ahead(features: Floats, horizon: int) -> Floats:
    """Return each row once for each interval ahead, which becomes the last column: shape ``(rows · horizon, …)``."""
    ahead = np.tile(np.arange(horizon, dtype=np.float64), len(features))
    return np.column_stack([np.repeat(features, horizon, axis=0), ahead])


def _spread(errors: Floats, levels: Floats) -> Floats:
    """Map the quantiles of all errors, ``(levels,)``, so that they meet what the trees say, ``(rows, knots)``.

    Beyond the outermost knots nothing is stretched more than the body is: the trees know too little of the tails.
    """
    knots = np.interp(BOOSTED_LEVELS, QUANTILE_LEVELS, errors) + SMALLEST_GAP * np.arange(levels.shape[1])
    piece = np.clip(np.searchsorted(knots, errors, side="right") - 1, 0, len(knots) - 2)
    share = np.clip((errors - knots[piece]) / np.diff(knots)[piece], 0.0, 1.0)
    within = levels[:, piece] + share * np.diff(levels, axis=1)[:, piece]
    outside = errors - np.clip(errors, knots[0], knots[-1])
    stretch = (levels[:, [-1]] - levels[:, [0]]) / max(float(knots[-1] - knots[0]), SMALLEST_BODY)
    spread: Floats = np.maximum.accumulate(within + outside * stretch, axis=1)
    return spread


def _sample(weights: Floats) -> NDArray[np.intp]:
    """Return which rows to fit on: evenly over their weights, so that the old are taken less often.

    Weights handed to scikit-learn's quantile loss made a fit fifteen times as long (1.9.1, 2026-11-22).
    """
    reached = np.cumsum(weights) / weights.sum()
    return np.unique(np.searchsorted(reached, (np.arange(MAX_ROWS) + 0.5) / MAX_ROWS))


def _fit_levels(sample: _Sample) -> BoostedTrees:
    """Fit the levels in threads of their own, each on one core.

    OpenMP's own threads wait for each other busily: on a machine with other work that took ten times as long.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor  # not at the top: a tick forecasts without scikit-learn
    from threadpoolctl import threadpool_limits  # as above

    def fit_level(level: float) -> "HistGradientBoostingRegressor":
        model = HistGradientBoostingRegressor(
            loss="quantile",
            quantile=level,
            max_iter=TREES,
            max_leaf_nodes=LEAVES,
            max_depth=DEPTH,
            min_samples_leaf=min(MIN_IN_LEAF, max(2, len(sample.targets) // 20)),
            learning_rate=SHRINKAGE,
            max_features=COLUMNS,
            early_stopping=False,
            random_state=0,
        )
        with threadpool_limits(limits=1, user_api="openmp"):
            return model.fit(sample.matrix, sample.targets)

    with ThreadPoolExecutor(max_workers=min(len(BOOSTED_LEVELS), os.cpu_count() or 1)) as threads:
        models = list(threads.map(fit_level, BOOSTED_LEVELS.tolist()))
    return boosted_trees_of(models, columns=sample.matrix.shape[1])
