"""A ridge regression of the log-ratios ahead, with the same distribution of its error at all times."""

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Self

import numpy as np

from shared.demand.history import History
from shared.forecasting.expectation import LinearExpectation
from shared.forecasting.features import FLOORS, FeatureSpec, Floats, feature_names
from shared.forecasting.forecaster import DemandNeed, Parameters
from shared.forecasting.history_spec import HistorySpec
from shared.forecasting.mixture import Mixture, around
from shared.forecasting.parameter_reader import LOG_RATIOS, ParameterReader
from shared.forecasting.parameters import MIN_TRAINING_ROWS, QUANTILE_LEVELS
from shared.forecasting.training_set import TrainingSet


@dataclass(frozen=True, slots=True, kw_only=True)
class RidgeForecaster:
    """The only component of its own mixture; ``errors`` are the quantiles of the errors, ``(horizon, levels)``."""

    family: ClassVar[str] = "ridge"
    need: ClassVar[DemandNeed] = DemandNeed(known=2 * MIN_TRAINING_ROWS, span=timedelta(days=1))
    """A day is the least that shows a day's course."""

    spec: FeatureSpec
    expectation: LinearExpectation
    errors: Floats

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
        """Fit the expectation, and take the quantiles of its errors."""
        expectation = LinearExpectation.fit(training_set)
        errors = training_set.targets - expectation.expected_ratios(training_set.features)
        return cls(
            spec=training_set.feature_spec,
            expectation=expectation,
            errors=np.array([np.quantile(column, QUANTILE_LEVELS) for column in errors.T]),
        )

    def refresh(self, history: History) -> Self:
        """Return itself: a ridge is fitted anew in a tenth of a second."""
        del history
        return self

    def ratio_quantiles(self, features: Floats) -> Floats:
        """See :class:`Component`."""
        return around(self.expectation.expected_ratios(features), self.errors[np.newaxis])

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
            **self.expectation.to_parameters("expectation."),
        }

    @classmethod
    def from_parameters(cls, parameters: Parameters, spec: HistorySpec) -> Self:
        """See :class:`Forecaster`."""
        reader = ParameterReader(parameters, family=cls.family)
        features = spec.feature_spec(floor=reader.number("floor", within=FLOORS))
        made = cls(
            spec=features,
            expectation=LinearExpectation.from_parameters(
                reader, "expectation.", horizon=spec.horizon, columns=len(feature_names(features))
            ),
            errors=reader.increasing("errors", (spec.horizon, len(QUANTILE_LEVELS)), within=LOG_RATIOS),
        )
        reader.finish()
        return made

    @property
    def _mixture(self) -> Mixture:
        return Mixture(spec=self.spec, components=(self,), shares=(1.0,), shift_expectation=self.expectation)
