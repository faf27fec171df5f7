"""Seeded demand with the habits of real demand: for tests that learn from it."""

from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from shared.demand.history import History

START = datetime(2026, 10, 5, tzinfo=UTC)
"""A Monday."""
HALF_HOUR = timedelta(minutes=30)


def daily(
    days: int, *, noise: float = 0.1, seed: int = 1, step: timedelta = HALF_HOUR, weekend: float = 0.7
) -> NDArray[np.float64]:
    """A course of the day around 1,000, at weekends ``weekend`` of that, with multiplicative noise."""
    per_day = round(timedelta(days=1) / step)
    t = np.arange(days * per_day)
    hours = 24 * t / per_day
    course = 1000 * (1 + 0.5 * np.sin(2 * np.pi * (hours - 8) / 24)) * np.where((t // per_day) % 7 >= 5, weekend, 1.0)
    return course * np.exp(noise * np.random.default_rng(seed).standard_normal(len(t)))


def history_of(values: NDArray[np.float64], *, step: timedelta = HALF_HOUR) -> History:
    """The values as a history from ``START``."""
    return History(start_utc=START, step=step, values=np.asarray(values, dtype=np.float64)[:, np.newaxis])
