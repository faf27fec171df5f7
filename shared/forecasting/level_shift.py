"""Level shifts: when the errors of the last hour are such as hardly ever came before, the forecast follows at once.

A model refreshed at midnight learns a new level a day late, and a budget spent in one day is repaid for weeks. Most
series never come here: the median of an hour's errors ignores a spike, and the bound is beyond what is typical of the
series, so that wild ones are left alone (measured 2026-11-22, docs/decisions/0002).
"""

from datetime import timedelta

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from shared.forecasting.features import FeatureSpec, Floats

WINDOW = timedelta(hours=1)
MIN_INTERVALS = 4
"""Intervals that the median is taken over at least, however coarse the grid."""
TYPICAL_LEVEL = 0.995
"""Quantile of the recent error's size up to which it is typical; what exceeds it is a level shift."""


def window_intervals(spec: FeatureSpec) -> int:
    """Return the intervals whose errors are looked at."""
    return max(MIN_INTERVALS, spec.intervals(WINDOW))


def recent_error(errors: Floats, width: int) -> Floats:
    """Return the median of the known among the last ``width`` errors; 0 where more than half are unknown."""
    windows = sliding_window_view(np.concatenate([np.full(width - 1, np.nan), errors]), width)
    known = 2 * np.isfinite(windows).sum(axis=1) >= width
    medians = np.zeros(len(errors))
    medians[known] = np.nanmedian(windows[known], axis=1)
    return medians


def typical_bound(errors: Floats, width: int) -> float:
    """Return how large the recent error typically gets."""
    return float(np.quantile(np.abs(recent_error(errors, width)), TYPICAL_LEVEL))


def level_shift(errors: Floats, width: int, *, bound: float) -> Floats:
    """Return by how much each interval's forecast is to be moved: the recent error as far as it exceeds the bound.

    Soft at the bound, so that a hair's difference in the demand never makes a jump in the nodes.
    """
    recent = recent_error(errors, width)
    shift: Floats = np.sign(recent) * np.maximum(np.abs(recent) - bound, 0.0)
    return shift
