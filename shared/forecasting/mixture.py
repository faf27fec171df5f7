"""From components to demand: their distributions are pooled, and the demand is now + level shift + log-ratios.

A demand model is one or several *components*. Each has an expectation and the distribution of its error; what that
distribution looks like is the families' own business.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from shared.demand.history import History
from shared.errors import DemandError
from shared.forecasting.expectation import LinearExpectation
from shared.forecasting.features import LOOK_BACK, Features, FeatureSpec, Floats, features_of
from shared.forecasting.level_shift import level_shift, window_intervals
from shared.forecasting.parameters import QUANTILE_LEVELS


class Component(Protocol):
    """One distribution of the demand ahead."""

    def ratio_quantiles(self, features: Floats) -> Floats:
        """Return quantiles of the log-ratios of the demand ahead to the demand now: ``(rows, horizon, levels)``."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """Components and their shares; a level shift is looked for in the errors of ``shift_expectation``."""

    spec: FeatureSpec
    components: Sequence[Component]
    shares: Sequence[float]
    shift_expectation: LinearExpectation

    def quantiles(self, history: History) -> Floats:
        """See :meth:`shared.forecasting.forecaster.Forecaster.quantiles`."""
        recent = history.last(1 + self.spec.intervals(LOOK_BACK))
        features = features_of(recent, self.spec, newest=1 + window_intervals(self.spec))
        if np.isnan(features.now[-1]):
            msg = f"no demand is known in the {LOOK_BACK.days} days before {history.end_utc.isoformat()}"
            raise DemandError(msg)
        newest: Floats = self._demand(features, rows=1)[0]
        return newest

    def historical_forecasts(self, history: History, *, first: int) -> Floats:
        """See :meth:`shared.forecasting.forecaster.Forecaster.historical_forecasts`; features are causal."""
        rows = len(history) - first
        recent = history.last(rows + self.spec.intervals(LOOK_BACK))
        features = features_of(recent, self.spec, newest=rows + window_intervals(self.spec))
        return self._demand(features, rows=rows)

    def _demand(self, features: Features, *, rows: int) -> Floats:
        """Return quantiles of the newest rows' demand, ``(rows, horizon, levels)``, never negative, never crossing."""
        matrix = features.matrix[-rows:]
        ratios = pool_quantiles([component.ratio_quantiles(matrix) for component in self.components], self.shares)
        now = (features.now + self._shifts(features))[-rows:]
        demand: Floats = np.maximum(np.exp(now[:, None, None] + ratios) - self.spec.floor, 0.0)
        return demand

    def _shifts(self, features: Features) -> Floats:
        """Return by how much each row's forecast follows the errors just before it."""
        shifts: Floats = np.zeros(len(features.now))
        if len(shifts) > 1:
            forecasts = features.now[:-1] + self.shift_expectation.expected_ratios(features.matrix[:-1])[:, 0]
            errors = features.log_demand[1:] - forecasts
            shifts[1:] = level_shift(errors, window_intervals(self.spec), bound=self.shift_expectation.shift_bound)
        return shifts


def around(expected_ratios: Floats, errors: Floats) -> Floats:
    """Add quantiles of the error, ``(rows or 1, horizon, levels)``, to what is expected, ``(rows, horizon)``."""
    ratios: Floats = np.maximum.accumulate(expected_ratios[:, :, np.newaxis] + errors, axis=2)
    return ratios


def pool_quantiles(components: Sequence[Floats], shares: Sequence[float]) -> Floats:
    """Return the quantiles of the mixture of distributions, each of shape ``(rows, horizon, levels)``.

    A mixture keeps the humps and the doubt of its components; the average of their quantiles would not.
    """
    if len(components) == 1:
        return components[0]
    between = np.concatenate([[0.0], (QUANTILE_LEVELS[1:] + QUANTILE_LEVELS[:-1]) / 2, [1.0]])
    mass = np.concatenate([np.diff(between) * share for share in shares]) / sum(shares)
    stacked = np.concatenate(components, axis=2)
    flat = stacked.reshape(-1, stacked.shape[2])
    order = np.argsort(flat, axis=1)
    values = np.take_along_axis(flat, order, axis=1)
    below = np.cumsum(mass[order], axis=1) - mass[order] / 2
    mixed = [np.interp(QUANTILE_LEVELS, part, value) for part, value in zip(below, values, strict=True)]
    pooled: Floats = np.array(mixed).reshape(components[0].shape)
    return pooled
