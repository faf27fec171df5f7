"""Whether the newest demand can be believed: what arrived is held against what was forecast for it.

A metric that breaks looks like a pool that nobody uses. So a fall that the forecast did not think possible is doubted
at first, and believed when it lasts: a real fall is followed, only a few intervals later. Zeros and frozen values, in a
demand that has neither, are doubted for longer, because a broken metric often looks like that and a real demand seldom
does. What is doubted counts as not known yet. Doubt keeps nodes from being removed and never from being added.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from shared.demand.history import History
from shared.forecasting.forecast import Forecast

LOW_SD = 4.0
"""How far below the median, in standard deviations of the forecast's lower side, demand is still plausible: one
interval in thirty thousand lies lower if the forecast is right and its lower side is normal in the logarithm.

On the twelve public traces 0 to 25 scored intervals a series were doubted; the cost fell by 0.2 % (2026-11-24)."""
MIN_FALL = 0.2
"""A fall by a smaller share of what was expected is not a reason to doubt: a forecast may be sharper than a metric."""
FLOOR_SHARE = 0.02
"""Share of the recent mean that is added before logarithms, as the demand models do."""
RECENT = timedelta(days=2)
"""So much of the demand shows what is usual for it: whether it has zeros, and how long it stands still."""
MAX_EQUAL_VALUES = 4
"""So many equal values in a row prove nothing, whatever the demand was like."""
MIN_INTERVALS = 2
"""Nothing is believed again after fewer intervals than that, however long they are."""
MAX_EXPECTATIONS = 12
"""Expectations that are remembered; beyond them the last one stands."""


class Doubt(StrEnum):
    """Why the newest demand is not believed."""

    BELOW_FORECAST = "below_forecast"
    ZERO = "zero"
    FROZEN = "frozen"


BELIEVED_AFTER = {
    Doubt.BELOW_FORECAST: timedelta(minutes=15),
    Doubt.ZERO: timedelta(hours=1),
    Doubt.FROZEN: timedelta(hours=6),
}
"""What lasts so long is believed: a real fall is followed, and a broken metric had its alert meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedInterval:
    """The lowest demand that was plausible for the interval at ``start_utc``, in the demand's unit."""

    start_utc: datetime
    low: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plausibility:
    """What is remembered between ticks; ``doubt`` is None while the demand is believed.

    ``since_utc`` is the start of the first interval that is doubted, ``doubt_since_utc`` that of the first one that is
    doubted for the present reason, ``doubted_demand`` the newest doubted value, in the demand's unit. ``checked_until``
    is the end of what was looked at.
    """

    expected: tuple[ExpectedInterval, ...] = ()
    checked_until: datetime | None = None
    doubt: Doubt | None = None
    since_utc: datetime | None = None
    doubt_since_utc: datetime | None = None
    doubted_demand: float | None = None


def check_demand(state: Plausibility, history: History) -> tuple[Plausibility, History]:
    """Look at the intervals that became known since the last check.

    Returns what to remember, and the history without what is doubted. What was doubted before is looked at again, for
    a late value may have mended it.
    """
    if not len(history):
        return state, history
    recent = history.last(max(1, int(RECENT / history.step)))
    since = state.since_utc or state.checked_until
    first = len(recent) - 1 if since is None else max(0, -((recent.start_utc - since) // recent.step))
    state = _believe(state)
    for interval in range(first, len(recent)):
        state = _check_interval(state, recent, interval)
    state = replace(state, checked_until=history.end_utc)
    believed = history if state.since_utc is None else history.until(state.since_utc).trimmed()
    return state, believed if len(believed) else history


def expect_demand(state: Plausibility, forecast: Forecast, history: History) -> Plausibility:
    """Remember what a forecast thinks possible; while the demand is doubted, what was expected before it stands."""
    if state.doubt is not None:
        return state
    lows = plausible_lows(forecast, floor=_floor(history))[:MAX_EXPECTATIONS]
    expected = tuple(
        ExpectedInterval(start_utc=forecast.start_of(index), low=low) for index, low in enumerate(lows.tolist())
    )
    return replace(state, expected=expected)


def plausible_lows(forecast: Forecast, *, floor: float) -> NDArray[np.float64]:
    """Return the lowest plausible demand of each interval, shape ``(intervals,)``, in the demand's unit.

    In logarithms of the demand plus ``floor`` it lies ``LOW_SD`` standard deviations below the median, where the
    standard deviation is the one that the forecast's lowest quantile has. A forecast of the median alone says nothing.
    """
    lowest_level = float(forecast.quantile_levels[0])
    if lowest_level >= 0.5:  # noqa: PLR2004 - the median
        return np.zeros(len(forecast))
    median = np.log(forecast.median + floor)
    to_lowest = median - np.log(forecast.quantiles[:, 0] + floor)
    low = np.exp(median - to_lowest * LOW_SD / -NormalDist().inv_cdf(lowest_level)) - floor
    lows: NDArray[np.float64] = np.maximum(0.0, np.minimum(low, (1 - MIN_FALL) * forecast.median))
    return lows


def _check_interval(state: Plausibility, history: History, interval: int) -> Plausibility:
    value = float(history.demand[interval])
    if np.isnan(value):
        return state
    doubt, began_utc = _doubt_of(state, history, interval)
    if doubt is None:
        return _believe(state)
    if doubt is state.doubt and state.doubt_since_utc is not None:
        began_utc = min(began_utc, state.doubt_since_utc)
    if history.instant(interval + 1) - began_utc >= max(BELIEVED_AFTER[doubt], MIN_INTERVALS * history.step):
        return replace(_believe(state), expected=())
    return replace(
        state,
        doubt=doubt,
        since_utc=min(began_utc, state.since_utc or began_utc),
        doubt_since_utc=began_utc,
        doubted_demand=value,
    )


def _believe(state: Plausibility) -> Plausibility:
    return replace(state, doubt=None, since_utc=None, doubt_since_utc=None, doubted_demand=None)


def _doubt_of(state: Plausibility, history: History, interval: int) -> tuple[Doubt | None, datetime]:
    """Return why the interval is doubted, if it is, and the start of the first interval that the doubt is about."""
    start_utc = history.instant(interval)
    values = history.demand[: interval + 1]
    believed_until = state.since_utc or start_utc
    believed = values[: max(0, (believed_until - history.start_utc) // history.step)]
    believed = believed[np.isfinite(believed)]
    if values[-1] == 0 and len(believed) and not (believed == 0).any():
        return Doubt.ZERO, start_utc
    equal, longest_before = _equal_values(values)
    if max(MAX_EQUAL_VALUES, 2 * longest_before) < equal < len(values):
        return Doubt.FROZEN, history.instant(interval - equal + 1)
    low = _low_at(state.expected, start_utc)
    return (Doubt.BELOW_FORECAST if low is not None and values[-1] < low else None), start_utc


def _equal_values(values: NDArray[np.float64]) -> tuple[int, int]:
    """Return how many of the last known values are equal, and the longest run of equal values before them."""
    known = values[np.isfinite(values)]
    ends = np.flatnonzero(np.diff(known) != 0)
    runs = np.diff(np.concatenate([[-1], ends, [len(known) - 1]]))
    return int(runs[-1]), int(runs[:-1].max()) if len(runs) > 1 else 0


def _low_at(expected: tuple[ExpectedInterval, ...], start_utc: datetime) -> float | None:
    reached = [one for one in expected if one.start_utc <= start_utc]
    return reached[-1].low if reached else None


def _floor(history: History) -> float:
    known = history.last(max(1, int(RECENT / history.step))).demand
    known = known[np.isfinite(known)]
    return max(FLOOR_SHARE * float(known.mean()) if len(known) else 0.0, float(np.finfo(float).tiny))
