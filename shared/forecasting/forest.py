"""A mixture of forests around expectations: errors are distributed as they were in situations like the present one.

A refresh fits the expectations and counts the errors in the leaves anew, while the splits stay: it costs a fraction of
a fit and gives most of what a daily fit would give (docs/decisions/0002).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from shared.demand.history import History
from shared.forecasting.expectation import Expectation, LastDayLevel, LinearExpectation
from shared.forecasting.features import FLOORS, FeatureSpec, Floats, feature_names
from shared.forecasting.forecaster import DemandNeed, Parameters
from shared.forecasting.history_spec import HistorySpec
from shared.forecasting.leaf_tables import LeafTables, edges_of
from shared.forecasting.mixture import Mixture, around
from shared.forecasting.parameter_reader import ParameterReader
from shared.forecasting.parameters import HALF_LIFE_DAYS, MIN_TRAINING_ROWS, QUANTILE_LEVELS
from shared.forecasting.training_set import TrainingSet
from shared.forecasting.trees import Trees, trees_of_forest

SPLIT_EDGES = slice(3, None, 3)
"""Every third edge steers the splits: as good as all of them, three times as fast."""
LEAF_HALF_LIFE_DAYS = 20.0
"""For the errors counted in the leaves by a refresh, a day so long ago counts half (docs/decisions/0002)."""
MAX_COMPONENTS = 8
"""More forests than this in a stored model are refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForestSettings:
    """One forest of a mixture, and its share in it.

    Measured on twelve public traces and held-out ones, 2026-11-22; the cost is flat around these values.
    """

    share: float
    linear: bool
    """Whether its expectation is a ridge regression, or the level of the last day."""
    trees: int
    leaves: int = 100
    min_leaf: int = 15
    columns: float = 0.4
    rows: float = 0.6
    seed: int = 0


FORESTS = (
    ForestSettings(share=0.65, linear=True, trees=30),
    ForestSettings(share=0.35, linear=False, trees=20),
)
"""The second forest knows no "now" and so saves the series that jump."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForestComponent:
    """One forest around its expectation."""

    expectation: Expectation
    trees: Trees
    tables: LeafTables

    @classmethod
    def fit(cls, training_set: TrainingSet, settings: ForestSettings) -> Self:
        """Fit the expectation, then a forest for the distribution of its error in each situation."""
        expectation: Expectation = LastDayLevel(horizon=training_set.horizon)
        if settings.linear:
            expectation = LinearExpectation.fit(training_set)
        expected_ratios = expectation.expected_ratios(training_set.features)
        errors = training_set.targets - expected_ratios
        edges = edges_of(errors)
        tree_features = _tree_features(training_set.features, expected_ratios)
        trees = _grow(tree_features, _split_targets(errors, edges), training_set.faded(HALF_LIFE_DAYS), settings)
        tables = LeafTables.count(
            errors, trees.leaves(tree_features), edges=edges, weights=np.ones(len(errors)), nodes=len(trees.feature)
        )
        return cls(expectation=expectation, trees=trees, tables=tables)

    def refresh(self, training_set: TrainingSet) -> Self:
        """Fit the expectation anew, and count the errors in the leaves of the same trees."""
        expectation = self.expectation.refit(training_set)
        expected_ratios = expectation.expected_ratios(training_set.features)
        tables = LeafTables.count(
            training_set.targets - expected_ratios,
            self.trees.leaves(_tree_features(training_set.features, expected_ratios)),
            edges=self.tables.edges,
            weights=training_set.faded(LEAF_HALF_LIFE_DAYS),
            nodes=len(self.trees.feature),
        )
        return replace(self, expectation=expectation, tables=tables)

    def ratio_quantiles(self, features: Floats) -> Floats:
        """See :class:`Component`."""
        expected_ratios = self.expectation.expected_ratios(features)
        leaves = self.trees.leaves(_tree_features(features, expected_ratios))
        return around(expected_ratios, self.tables.error_quantiles(leaves))

    def to_parameters(self, prefix: str) -> Parameters:
        """Return the arrays, their names beginning with ``prefix``."""
        return {
            **self.expectation.to_parameters(f"{prefix}expectation."),
            **self.trees.to_parameters(f"{prefix}trees."),
            **self.tables.to_parameters(f"{prefix}leaves."),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ForestForecaster:
    """Several components and their shares; at least one has a linear expectation."""

    family: ClassVar[str] = "forest"
    need: ClassVar[DemandNeed] = DemandNeed(known=3 * MIN_TRAINING_ROWS, span=timedelta(days=2))
    """Two days are the least that shows that a day's course repeats."""

    spec: FeatureSpec
    components: tuple[ForestComponent, ...]
    shares: tuple[float, ...]

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
    def fit(cls, training_set: TrainingSet, forests: Sequence[ForestSettings] = FORESTS) -> Self:
        """Fit every forest of the mixture."""
        return cls(
            spec=training_set.feature_spec,
            components=tuple(ForestComponent.fit(training_set, settings) for settings in forests),
            shares=tuple(settings.share for settings in forests),
        )

    def refresh(self, history: History) -> Self:
        """Refresh every component on the same features of the history."""
        training_set = TrainingSet.for_refresh(history, self.spec)
        return replace(self, components=tuple(component.refresh(training_set) for component in self.components))

    def quantiles(self, history: History) -> Floats:
        """See :class:`Forecaster`."""
        return self._mixture.quantiles(history)

    def historical_forecasts(self, history: History, *, first: int) -> Floats:
        """See :class:`Forecaster`."""
        return self._mixture.historical_forecasts(history, first=first)

    def to_parameters(self) -> Parameters:
        """See :class:`Forecaster`."""
        parameters: dict[str, NDArray[Any]] = {
            "floor": np.array(self.spec.floor),
            "shares": np.array(self.shares),
            "linear": np.array([isinstance(one.expectation, LinearExpectation) for one in self.components]),
        }
        for number, component in enumerate(self.components):
            parameters |= component.to_parameters(f"{number}.")
        return parameters

    @classmethod
    def from_parameters(cls, parameters: Parameters, spec: HistorySpec) -> Self:
        """See :class:`Forecaster`."""
        reader = ParameterReader(parameters, family=cls.family)
        features = spec.feature_spec(floor=reader.number("floor", within=FLOORS))
        shares = reader.take("shares", np.float64, (None,), within=(1e-6, 1.0))
        linear = reader.take("linear", np.bool_, shares.shape)
        if not 1 <= len(shares) <= MAX_COMPONENTS or not linear.any():
            reader.refuse("linear", f"must be 1 to {MAX_COMPONENTS} components, one of them linear")
        components = tuple(
            _component_from(reader, f"{number}.", features, linear=bool(is_linear))
            for number, is_linear in enumerate(linear)
        )
        reader.finish()
        return cls(spec=features, components=components, shares=tuple(shares.tolist()))

    @property
    def _mixture(self) -> Mixture:
        linear = (one.expectation for one in self.components if isinstance(one.expectation, LinearExpectation))
        return Mixture(spec=self.spec, components=self.components, shares=self.shares, shift_expectation=next(linear))


def _component_from(reader: ParameterReader, prefix: str, spec: FeatureSpec, *, linear: bool) -> ForestComponent:
    """Take the arrays of one component; raises :class:`~shared.errors.ModelRefused`."""
    columns, horizon = len(feature_names(spec)), spec.horizon
    expectation: Expectation = LastDayLevel(horizon=horizon)
    if linear:
        expectation = LinearExpectation.from_parameters(
            reader, f"{prefix}expectation.", horizon=horizon, columns=columns
        )
    trees = Trees.from_parameters(reader, f"{prefix}trees.", columns=columns + horizon)
    tables = LeafTables.from_parameters(reader, f"{prefix}leaves.", horizon=horizon, nodes=len(trees.feature))
    return ForestComponent(expectation=expectation, trees=trees, tables=tables)


def _tree_features(features: Floats, expected_ratios: Floats) -> NDArray[np.float32]:
    """Return what the trees look at, in single precision as scikit-learn's forests do: features and expectation."""
    return np.concatenate([features, expected_ratios], axis=1).astype(np.float32)


def _split_targets(errors: Floats, edges: Floats) -> NDArray[np.float32]:
    """Return the indicators that steer the splits, shape ``(rows, …)``: "the error exceeds this edge".

    The sum of their squared errors is a discretised CRPS, so the splits are chosen for the whole distribution
    (Meinshausen 2006; Gneiting & Raftery 2007), not for its mean. Rare exceedances count for more than their variance:
    misses are made of them.
    """
    exceeded = [errors[:, [ahead]] > bounds[SPLIT_EDGES] for ahead, bounds in enumerate(edges)]
    # Column after column in memory: so numpy sums each pairwise, and single precision is enough.
    outputs = np.asfortranarray(np.concatenate(exceeded, axis=1), dtype=np.float32)
    targets: NDArray[np.float32] = outputs / (np.sqrt(outputs.std(axis=0)) + 1e-3)
    return targets


def _grow(
    features: NDArray[np.float32], targets: NDArray[np.float32], weights: Floats, settings: ForestSettings
) -> Trees:
    from sklearn.ensemble import RandomForestRegressor  # not at the top: a tick forecasts without scikit-learn

    forest = RandomForestRegressor(
        settings.trees,
        max_leaf_nodes=settings.leaves,
        min_samples_leaf=min(settings.min_leaf, max(1, len(features) // 20)),
        max_features=settings.columns,
        max_samples=settings.rows,
        random_state=settings.seed,
        n_jobs=-1,
    )
    forest.fit(features, targets, sample_weight=weights)
    return trees_of_forest([tree.tree_ for tree in forest.estimators_], columns=features.shape[1])
