"""A demand that looks like a web shop's: seeded, so that everybody's first run shows the same days.

Working days rise from a quiet night to two humps, late morning and evening; weekends are two thirds of that; the whole
grows one per cent a week. On top: noise that stays with a value for a while, and a burst on about one day in three.
"""

from datetime import datetime, timedelta

import numpy as np

from shared.demand.history import History

STEP = timedelta(minutes=5)
SEED = 20_201_122
PEAK = 1000.0
"""Requests per second at the top of a working day."""


def synthetic_demand(start_utc: datetime, *, days: int, seed: int = SEED) -> History:
    """Return ``days`` of demand in requests per second on a 5-minute grid, starting at a midnight."""
    random = np.random.default_rng(seed)
    per_day = timedelta(days=1) // STEP
    index = np.arange(days * per_day)
    hour = (index % per_day) * 24 / per_day
    weekday = (start_utc.weekday() + index // per_day) % 7
    shape = 0.16 + 0.55 * _hump(hour, at=11.0, width=2.6) + 0.65 * _hump(hour, at=19.5, width=2.2)
    weekend = np.where(weekday >= 5, 0.66, 1.0)  # noqa: PLR2004 - Saturday and Sunday
    growth = 1.01 ** (index / (7 * per_day))
    noise = _lingering(random.normal(0.0, 0.02, len(index)), keep=0.8)
    demand = PEAK * shape * weekend * growth * np.exp(noise) + _bursts(random, days, per_day)
    return History(start_utc=start_utc, step=STEP, values=demand.round(2)[:, np.newaxis], unit="requests/s")


def _hump(hour: np.ndarray, *, at: float, width: float) -> np.ndarray:
    """Return a bell around an hour of the day, shape as ``hour``."""
    return np.asarray(np.exp(-0.5 * ((hour - at) / width) ** 2))


def _lingering(noise: np.ndarray, *, keep: float) -> np.ndarray:
    """Return an autoregression of order one driven by ``noise``."""
    lingering = np.empty_like(noise)
    level = 0.0
    for index, value in enumerate(noise):
        level = keep * level + value
        lingering[index] = level
    return lingering


def _bursts(random: np.random.Generator, days: int, per_day: int) -> np.ndarray:
    """Return bursts of up to half the peak that ebb away within an hour, on about one day in three."""
    total = np.zeros(days * per_day)
    for day in np.flatnonzero(random.random(days) < 1 / 3):
        start = day * per_day + int(random.integers(per_day // 3, per_day - 24))
        height = PEAK * random.uniform(0.2, 0.5)
        total[start : start + 12] += height * np.exp(-np.arange(12) / 4)
    return total
