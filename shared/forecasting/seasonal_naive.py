"""The forecast that needs no model: what demand did next on past days, from where it is now.

For ``k`` intervals ahead it takes the ratios ``d[j+k] / d[j]`` of past days around the same time of day, applies them
to the present demand, and returns the quantiles of what that gives. It is the third rung of the fallback ladder, and
the candidate for short histories.
"""

from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from shared.demand.history import History
from shared.errors import DemandError
from shared.forecasting.forecast import made_of

DAY = timedelta(days=1)
PAST_DAYS = 14
NEIGHBOURHOOD = timedelta(hours=1)
LEAST_KNOWN = 12
"""Known intervals without which there is nothing to learn from (one hour of 5-minute data)."""
ENOUGH_RATIOS = 30
"""With fewer ratios from the same time of day, those of the whole history are taken."""
SOFTENING = 0.02
"""Share of the mean added to both sides of a ratio, so that a moment without demand explodes nothing."""


def seasonal_naive(history: History, *, horizon: int, levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return quantiles for the next ``horizon`` intervals, shape ``(horizon, levels)``, in the demand's unit.

    Raises :class:`DemandError` if fewer than ``LEAST_KNOWN`` intervals are known.
    """
    per_day = max(1, round(DAY / history.step))
    demand = history.demand[-PAST_DAYS * per_day - horizon :]
    known = demand[~np.isnan(demand)]
    if len(known) < LEAST_KNOWN:
        msg = f"only {len(known)} intervals of demand are known, {LEAST_KNOWN} are needed to forecast at all"
        raise DemandError(msg)
    softening = SOFTENING * float(known.mean()) + np.finfo(float).tiny
    softened = demand + softening
    same_time = _same_time_of_day(len(demand), per_day=per_day, around=max(1, NEIGHBOURHOOD // history.step))
    present = float(known[-1]) + softening
    rows = [np.quantile(present * _ratios(softened, same_time, ahead=ahead), levels) for ahead in range(1, horizon + 1)]
    return made_of(np.array(rows) - softening)


def _same_time_of_day(intervals: int, *, per_day: int, around: int) -> NDArray[np.bool_]:
    """Return which intervals lie within ``around`` of the last one's time of day."""
    behind = (intervals - 1 - np.arange(intervals)) % per_day
    near: NDArray[np.bool_] = np.minimum(behind, per_day - behind) <= around
    return near


def _ratios(softened: NDArray[np.float64], same_time: NDArray[np.bool_], *, ahead: int) -> NDArray[np.float64]:
    """Return the known ratios over ``ahead`` intervals, of the same time of day if there are enough."""
    ratios = softened[ahead:] / softened[:-ahead]
    known = ~np.isnan(ratios)
    near = ratios[known & same_time[:-ahead]]
    chosen = near if len(near) >= ENOUGH_RATIOS else ratios[known]
    return chosen if len(chosen) else np.ones(1)
