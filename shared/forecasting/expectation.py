"""The middle of a demand model: a ridge regression of the log-ratios ahead, or simply the level of the last day.

Families differ in how they say what lies around it. Fitting and refreshing are one function: the normal equations, in
numpy, so that a tick needs nothing else.
"""

from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np

from shared.forecasting.features import Floats
from shared.forecasting.forecaster import Parameters
from shared.forecasting.level_shift import typical_bound, window_intervals
from shared.forecasting.parameter_reader import LOG_RATIOS, ParameterReader
from shared.forecasting.parameters import HALF_LIFE_DAYS
from shared.forecasting.training_set import TrainingSet

RIDGE_ALPHA = 3.0
"""Penalty for a row of weight one, times the root of the rows (measured 2026-11-22, docs/decisions/0002)."""
FURTHEST_SD = 6.0
"""A linear model must not run away on a value that it never saw: features are clipped to so many deviations."""
SMALLEST_SD = 1e-6
"""Added to each deviation, so that a feature that never changes divides by something."""
LEVEL_COLUMN = 0
"""The first feature is the log-ratio of the demand now to the level of the last day."""


class Expectation(Protocol):
    """What a component of a model takes for the middle."""

    def refit(self, training_set: TrainingSet) -> Self:
        """Return it as the set has it now."""
        ...

    def expected_ratios(self, features: Floats) -> Floats:
        """Return the expected log-ratios of the demand ahead to the demand now, shape ``(rows, horizon)``."""
        ...

    def to_parameters(self, prefix: str) -> Parameters:
        """Return its arrays, their names beginning with ``prefix``."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearExpectation:
    """A ridge regression for all horizons at once.

    ``mean`` and ``sd`` of the features have shape ``(columns,)``, ``coefficients`` ``(horizon, columns)``,
    ``intercept`` ``(horizon,)``. ``shift_bound`` is the error beyond which the level has shifted (``level_shift``).
    """

    mean: Floats
    sd: Floats
    coefficients: Floats
    intercept: Floats
    shift_bound: float

    @classmethod
    def fit(cls, training_set: TrainingSet) -> Self:
        """Fit on the rows of the set, old ones fading."""
        features, targets = training_set.features, training_set.targets
        mean, sd = _scales(features)
        coefficients, intercept = ridge_coefficients(
            standardised(features, mean=mean, sd=sd),
            targets,
            weights=training_set.faded(HALF_LIFE_DAYS),
            alpha=RIDGE_ALPHA * float(np.sqrt(len(targets))),
        )
        fitted = cls(mean=mean, sd=sd, coefficients=coefficients, intercept=intercept, shift_bound=np.inf)
        intervals = training_set.intervals
        errors = np.full(intervals[-1] - intervals[0] + 1, np.nan)
        errors[intervals - intervals[0]] = targets[:, 0] - fitted.expected_ratios(features)[:, 0]
        bound = typical_bound(errors, window_intervals(training_set.feature_spec))
        return cls(mean=mean, sd=sd, coefficients=coefficients, intercept=intercept, shift_bound=bound)

    def refit(self, training_set: TrainingSet) -> Self:
        """See :class:`Expectation`."""
        return self.fit(training_set)

    def expected_ratios(self, features: Floats) -> Floats:
        """See :class:`Expectation`."""
        ratios: Floats = standardised(features, mean=self.mean, sd=self.sd) @ self.coefficients.T + self.intercept
        return ratios

    def to_parameters(self, prefix: str) -> Parameters:
        """See :class:`Expectation`."""
        return {
            f"{prefix}mean": self.mean,
            f"{prefix}sd": self.sd,
            f"{prefix}coefficients": self.coefficients,
            f"{prefix}intercept": self.intercept,
            f"{prefix}shift_bound": np.array(self.shift_bound),
        }

    @classmethod
    def from_parameters(cls, reader: ParameterReader, prefix: str, *, horizon: int, columns: int) -> Self:
        """Take the arrays; raises :class:`~shared.errors.ModelRefused`."""
        return cls(
            mean=reader.take(f"{prefix}mean", np.float64, (columns,)),
            sd=reader.take(f"{prefix}sd", np.float64, (columns,), within=(SMALLEST_SD, 1e12)),
            coefficients=reader.take(f"{prefix}coefficients", np.float64, (horizon, columns), within=LOG_RATIOS),
            intercept=reader.take(f"{prefix}intercept", np.float64, (horizon,), within=LOG_RATIOS),
            shift_bound=reader.number(f"{prefix}shift_bound", within=(0.0, LOG_RATIOS[1])),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LastDayLevel:
    """The level of the last day, for every interval ahead; it knows no "now", which serves a series that jumps."""

    horizon: int

    def refit(self, training_set: TrainingSet) -> Self:
        """Return itself: nothing of it is fitted."""
        del training_set
        return self

    def expected_ratios(self, features: Floats) -> Floats:
        """See :class:`Expectation`."""
        return np.repeat(-np.nan_to_num(features[:, [LEVEL_COLUMN]]), self.horizon, axis=1)

    def to_parameters(self, prefix: str) -> Parameters:
        """Return nothing: a model's horizon is on its card."""
        del prefix
        return {}


def ridge_coefficients(features: Floats, targets: Floats, *, weights: Floats, alpha: float) -> tuple[Floats, Floats]:
    """Solve a ridge regression with an intercept, not penalised: ``(targets, columns)`` and ``(targets,)``.

    Hoerl & Kennard 1970, by the normal equations of the centred rows, each times the root of its weight: what
    scikit-learn's ``Ridge(alpha)`` with sample weights minimises.
    """
    x_mean = np.average(features, axis=0, weights=weights)
    y_mean = np.average(targets, axis=0, weights=weights)
    root = np.sqrt(weights)[:, np.newaxis]
    x, y = features - x_mean, targets - y_mean
    x *= root
    y *= root
    gram = x.T @ x
    gram[np.diag_indices_from(gram)] += alpha
    coefficients: Floats = np.ascontiguousarray(np.linalg.solve(gram, x.T @ y).T)
    intercept: Floats = y_mean - coefficients @ x_mean
    return coefficients, intercept


def standardised(features: Floats, *, mean: Floats, sd: Floats) -> Floats:
    """Return the features in standard deviations from their mean, clipped; what is missing counts as average."""
    standard: Floats = features - mean
    standard /= sd
    np.nan_to_num(standard, copy=False, nan=0.0)
    return np.clip(standard, -FURTHEST_SD, FURTHEST_SD, out=standard)


def _scales(features: Floats) -> tuple[Floats, Floats]:
    """Return mean and deviation of the known values of each column; 0 and 1 where none is known."""
    known = np.isfinite(features).any(axis=0)
    mean, sd = np.zeros(features.shape[1]), np.ones(features.shape[1])
    mean[known] = np.nanmean(features[:, known], axis=0)
    sd[known] = np.nanstd(features[:, known], axis=0) + SMALLEST_SD
    return mean, sd
