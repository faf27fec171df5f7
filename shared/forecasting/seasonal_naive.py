"""The forecast that needs no model: what demand did next on past days, from where it is now.

For ``k`` intervals ahead it takes the ratios ``d[j+k] / d[j]`` of past days around the same time of day, applies them
to the present demand, and returns the quantiles of what that gives. It is what is left when no model can serve, and
the candidate for short histories.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from shared.demand.history import History
from shared.errors import DemandError
from shared.forecasting.features import DAY, Floats
from shared.forecasting.forecast import repair_quantiles
from shared.forecasting.forecaster import DemandNeed, Parameters
from shared.forecasting.history_spec import HistorySpec
from shared.forecasting.parameter_reader import ParameterReader
from shared.forecasting.training_set import TrainingSet

NAIVE_LEVELS = np.array([0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999])
PAST_DAYS = 14
NEIGHBOURHOOD = timedelta(hours=1)
MIN_KNOWN = 12
"""Known intervals without which there is nothing to learn from (one hour of 5-minute data)."""
ENOUGH_RATIOS = 30
"""With fewer ratios from the same time of day, those of the whole history are taken."""
SOFTENING = 0.02
"""Share of the mean added to both sides of a ratio, so that a moment without demand explodes nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeasonalNaiveForecaster:
    """Has nothing to fit: it looks at the history anew each time."""

    family: ClassVar[str] = "seasonal_naive"
    need: ClassVar[DemandNeed] = DemandNeed(known=MIN_KNOWN, span=timedelta())

    horizon: int

    @property
    def quantile_levels(self) -> Floats:
        """See :class:`Forecaster`."""
        return NAIVE_LEVELS

    @property
    def feature_names(self) -> tuple[str, ...]:
        """See :class:`Forecaster`."""
        return ()

    @classmethod
    def shortfall(cls, history: History) -> str:
        """See :class:`Forecaster`."""
        return cls.need.shortfall(cls.family, history)

    @classmethod
    def fit(cls, training_set: TrainingSet) -> Self:
        """See :class:`Forecaster`."""
        return cls(horizon=training_set.horizon)

    def refresh(self, history: History) -> Self:
        """Return itself."""
        del history
        return self

    def quantiles(self, history: History) -> Floats:
        """See :class:`Forecaster`."""
        return naive_quantiles(history, horizon=self.horizon)

    def historical_forecasts(self, history: History, *, first: int) -> Floats:
        """See :class:`Forecaster`."""
        known = range(first + 1, len(history) + 1)
        return np.array([self.quantiles(history.first(end)) for end in known]).reshape(
            len(known), self.horizon, len(NAIVE_LEVELS)
        )

    def to_parameters(self) -> Parameters:
        """Return nothing: the horizon is on the card."""
        return {}

    @classmethod
    def from_parameters(cls, parameters: Parameters, spec: HistorySpec) -> Self:
        """See :class:`Forecaster`."""
        ParameterReader(parameters, family=cls.family).finish()
        return cls(horizon=spec.horizon)


def naive_quantiles(history: History, *, horizon: int) -> Floats:
    """Return quantiles at ``NAIVE_LEVELS`` for the next intervals, shape ``(horizon, levels)``, in the demand's unit.

    Raises :class:`DemandError` if fewer than ``MIN_KNOWN`` intervals are known.
    """
    per_day = max(1, round(DAY / history.step))
    demand = history.demand[-PAST_DAYS * per_day - horizon :]
    known = demand[~np.isnan(demand)]
    if len(known) < MIN_KNOWN:
        msg = f"only {len(known)} intervals of demand are known, {MIN_KNOWN} are needed to forecast at all"
        raise DemandError(msg)
    softening = SOFTENING * float(known.mean()) + np.finfo(float).tiny
    softened = demand + softening
    same_time = _same_time_of_day(len(demand), per_day=per_day, around=max(1, NEIGHBOURHOOD // history.step))
    present = float(known[-1]) + softening
    rows = [
        np.quantile(present * _ratios(softened, same_time, ahead=ahead), NAIVE_LEVELS)
        for ahead in range(1, horizon + 1)
    ]
    return repair_quantiles(np.array(rows) - softening)


def _same_time_of_day(intervals: int, *, per_day: int, around: int) -> NDArray[np.bool_]:
    """Return which intervals lie within ``around`` of the last one's time of day."""
    behind = (intervals - 1 - np.arange(intervals)) % per_day
    near: NDArray[np.bool_] = np.minimum(behind, per_day - behind) <= around
    return near


def _ratios(softened: Floats, same_time: NDArray[np.bool_], *, ahead: int) -> Floats:
    """Return the known ratios over ``ahead`` intervals, of the same time of day if there are enough."""
    ratios = softened[ahead:] / softened[:-ahead]
    known = ~np.isnan(ratios)
    near = ratios[known & same_time[:-ahead]]
    chosen = near if len(near) >= ENOUGH_RATIOS else ratios[known]
    return chosen if len(chosen) else np.ones(1)
