"""How a forecasting peer walks through a series: refitted now and then, forecasting after every interval.

After interval ``i`` a peer knows ``demand[: i + 1]``. What it orders then serves the intervals ``i + 1 … i + 1 + lead``
(until the next decision can be ready), so it wants the highest of its upper quantiles over those, and never less than
the present demand.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dev.bench.trace import CARRIED, Trace, filled

Floats = NDArray[np.float64]

REFIT_DAYS = 1
FIT_DAYS = 28
"""Days of history that a state-space peer is fitted on: four of each weekday."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Decisions ``first <= i < stop``, all made with a model fitted on ``known[: first + 1]``.

    ``known`` is the demand without gaps, ``[: stop]`` of it at most: nothing later exists here.
    """

    known: Floats
    first: int
    horizon: int
    per_day: int

    @property
    def training(self) -> Floats:
        """What the model is fitted on: the last :data:`FIT_DAYS` known at the first decision."""
        return self.known[self.training_from : self.first + 1]

    @property
    def training_from(self) -> int:
        """The interval at which the training begins."""
        return max(0, self.first + 1 - FIT_DAYS * self.per_day)

    @property
    def decisions(self) -> range:
        """The intervals after which is decided."""
        return range(self.first, len(self.known))


Uppers = Callable[[Block], Floats]
"""The upper quantiles after each decision of the block, shape ``(decisions, horizon)``, in units of demand."""


def wanted(trace: Trace, uppers: Uppers, *, refit_days: float = REFIT_DAYS) -> Floats:
    """Return the demand to be ready for after each interval; before the first decision, what it wanted."""
    known = filled(trace.history.demand, per_day=trace.per_day, carried=int(CARRIED / trace.history.step))
    begins = first_decision(trace)
    every = max(1, round(refit_days * trace.per_day))
    result = known.copy()
    for first in range(begins, len(known), every):
        block = Block(known=known[: first + every], first=first, horizon=trace.lead + 1, per_day=trace.per_day)
        highest = uppers(block).max(axis=1)
        result[first : first + every] = np.maximum(highest, block.known[first:])
    result[:begins] = result[begins]
    return result


def first_decision(trace: Trace) -> int:
    """Return the interval of the first decision that can matter: it is in force when scoring begins."""
    return max(0, trace.first - 1 - trace.lead)


def seasonal_naive(trace: Trace) -> Floats:
    """Return the highest of the present and of yesterday's values over the lead window, for each interval."""
    known = filled(trace.history.demand, per_day=trace.per_day, carried=int(CARRIED / trace.history.step))
    highest = known.copy()
    for ahead in range(1, trace.lead + 2):
        back = trace.per_day - ahead
        if back > 0:
            highest[back:] = np.maximum(highest[back:], known[:-back])
    return highest


def normal_uppers(mean: Floats, deviation: Floats, *, slo: float) -> Floats:
    """Return the normal distribution's quantiles at ``slo`` above the means."""
    from scipy.stats import norm  # only where a peer asks for it

    return mean + float(norm.ppf(slo)) * deviation
