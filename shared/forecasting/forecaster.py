"""What every family of models can do: learn from a history, forecast, and stand in a file as plain arrays."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from shared.demand.history import History
from shared.forecasting.features import DAY, Floats
from shared.forecasting.history_spec import HistorySpec
from shared.forecasting.training_set import TrainingSet

Parameters = Mapping[str, NDArray[Any]]
"""What a model file holds: arrays by name."""


class Forecaster(Protocol):
    """A fitted model of one family; immutable, so that several threads may forecast with it.

    ``quantile_levels`` increase within 0 and 1, shape ``(levels,)``. ``feature_names`` are for people, empty where the
    family has none. Forecasts are in the demand's unit, never negative, and never cross.
    """

    family: ClassVar[str]

    @property
    def quantile_levels(self) -> Floats:
        """The levels of the quantiles that it forecasts."""
        ...

    @property
    def feature_names(self) -> tuple[str, ...]:
        """What it looks at, in the order of its columns."""
        ...

    @classmethod
    def shortfall(cls, history: History) -> str:
        """Return what the history lacks to fit this family on it; empty if it is enough."""
        ...

    @classmethod
    def fit(cls, training_set: TrainingSet) -> Self:
        """Fit the family; raises :class:`~shared.errors.TrainingRefused` saying what the history lacks."""
        ...

    def refresh(self, history: History) -> Self:
        """Return the model with what the history says now, or itself where the family takes in nothing between fits.

        A pure function of the model and the history, much cheaper than a fit.
        Raises :class:`~shared.errors.TrainingRefused` if the history is too short for it.
        """
        ...

    def quantiles(self, history: History) -> Floats:
        """Forecast the intervals after the history's end: shape ``(horizon, levels)``.

        Raises :class:`~shared.errors.DemandError` if the history is too short for it.
        """
        ...

    def historical_forecasts(self, history: History, *, first: int) -> Floats:
        """Forecast from every interval since ``first``, each time knowing nothing after it.

        Row ``r`` is what :meth:`quantiles` says to ``history.first(first + r + 1)``; shape ``(rows, horizon, levels)``.
        A row is NaN, or :class:`~shared.errors.DemandError` is raised, where its past is too short.
        """
        ...

    def to_parameters(self) -> Parameters:
        """Return what :meth:`from_parameters` needs to make the same model again."""
        ...

    @classmethod
    def from_parameters(cls, parameters: Parameters, spec: HistorySpec) -> Self:
        """Make the model from arrays that nobody vouches for: each name, type, shape, bound and index is checked.

        Raises :class:`~shared.errors.ModelRefused` naming what is wrong.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandNeed:
    """What a family needs to learn from: known intervals, and how much time they cover in all."""

    known: int
    span: timedelta

    def shortfall(self, family: str, history: History) -> str:
        """Return what the history lacks, in words; empty if it is enough."""
        known = int(np.isfinite(history.demand).sum())
        span = known * history.step
        if known >= self.known and span >= self.span:
            return ""
        return (
            f"{family} needs {self.known} known intervals over {self.span / DAY:g} days, "
            f"there are {known} over {span / DAY:.1f}"
        )
