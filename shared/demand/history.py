"""Demand as a regular grid in time: the one shape in which history travels."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from shared.errors import DemandError

MOST_DEMAND = 1e18
"""Above this the arithmetic of forecasts could overflow, and no pool has such demand."""
MAX_GAP_INTERVALS = 200_000  # two years of 5-minute data; a stray year in a timestamp must not fill the memory


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Signals on one regular UTC grid; interval ``i`` covers ``[start_utc + i·step, start_utc + (i+1)·step)``.

    ``values`` is float64 of shape ``(intervals, signals)``; NaN means unknown, never zero. The first signal is the
    demand. Raises :class:`DemandError` when built from anything else.
    """

    start_utc: datetime
    step: timedelta
    values: NDArray[np.float64]
    signals: tuple[str, ...] = ("demand",)
    unit: str = ""

    def __post_init__(self) -> None:
        """Check everything once, so that nobody has to check again."""
        if self.start_utc.utcoffset() != timedelta(0):
            msg = f"history must start at an aware UTC instant, got {self.start_utc!r}"
            raise DemandError(msg)
        if self.step <= timedelta(0):
            msg = f"history step must be positive, got {self.step}"
            raise DemandError(msg)
        if self.values.ndim != 2 or self.values.shape[1] != len(self.signals):  # noqa: PLR2004 - two axes
            msg = f"history of signals {self.signals} cannot have values of shape {self.values.shape}"
            raise DemandError(msg)
        wrong = np.argwhere((self.values > MOST_DEMAND) | (self.values < 0))
        if len(wrong):
            row, column = (int(k) for k in wrong[0])
            msg = (
                f"{self.signals[column]} at {self.instant(row).isoformat()} is {self.values[row, column]}: "
                f"demand must lie within 0 and {MOST_DEMAND:g} (leave the value empty where it is unknown)"
            )
            raise DemandError(msg)

    def __len__(self) -> int:
        """Return the number of intervals."""
        return len(self.values)

    @property
    def end_utc(self) -> datetime:
        """The end of the last interval: what is known is known up to here."""
        return self.start_utc + len(self) * self.step

    @property
    def demand(self) -> NDArray[np.float64]:
        """The first signal, shape ``(intervals,)``."""
        return self.values[:, 0]

    def instant(self, interval: int) -> datetime:
        """Return the start of the interval with that index (which may lie beyond the end)."""
        return self.start_utc + interval * self.step

    def first(self, intervals: int) -> "History":
        """Return the earliest ``intervals`` intervals: the past as it looked then."""
        return self._slice(0, min(intervals, len(self)))

    def last(self, intervals: int) -> "History":
        """Return the most recent ``intervals`` intervals, or all if there are fewer."""
        return self._slice(max(0, len(self) - intervals), len(self))

    def until(self, now_utc: datetime) -> "History":
        """Return the intervals that are complete at ``now_utc``."""
        return self.first(max(0, (now_utc - self.start_utc) // self.step))

    def trimmed(self) -> "History":
        """Return the history without the unknown intervals at its end, where a source has nothing yet."""
        known = np.flatnonzero(~np.isnan(self.demand))
        return self.first(int(known[-1]) + 1 if len(known) else 0)

    def _slice(self, start: int, stop: int) -> "History":
        return History(
            start_utc=self.instant(start),
            step=self.step,
            values=self.values[start:stop],
            signals=self.signals,
            unit=self.unit,
        )


def history_from_rows(
    rows: Iterable[tuple[datetime, Sequence[float]]],
    *,
    signals: tuple[str, ...] = ("demand",),
    step: timedelta | None = None,
    unit: str = "",
) -> History:
    """Lay dated rows on a grid; intervals without a row become NaN.

    The step is the smallest distance between neighbours unless it is given. Raises :class:`DemandError` naming the
    first row that is naive, duplicate, out of order or off the grid, and when there is nothing to tell the step from.
    """
    dated = list(rows)
    if not dated:
        msg = "the demand history is empty: at least one dated value is needed"
        raise DemandError(msg)
    for instant, _ in dated:
        if instant.tzinfo is None:
            msg = f"timestamp {instant.isoformat()} has no time zone: write it in UTC, as {instant.isoformat()}Z"
            raise DemandError(msg)
    instants = [instant.astimezone(UTC) for instant, _ in dated]
    grid_step = step or _smallest_step(instants)
    for before, after in pairwise(instants):
        _check_neighbours(before, after, step=grid_step)
    span = (instants[-1] - instants[0]) // grid_step + 1
    if span > MAX_GAP_INTERVALS + len(dated):
        msg = f"the demand history jumps from {instants[0].isoformat()} to {instants[-1].isoformat()}: is a year wrong?"
        raise DemandError(msg)
    values = np.full((span, len(signals)), math.nan)
    for instant, (_, row) in zip(instants, dated, strict=True):
        values[(instant - instants[0]) // grid_step] = row
    return History(start_utc=instants[0], step=grid_step, values=values, signals=signals, unit=unit)


def _smallest_step(instants: Sequence[datetime]) -> timedelta:
    if len(instants) < 2:  # noqa: PLR2004 - a step needs two ends
        msg = f"a single timestamp ({instants[0].isoformat()}) does not tell the step of the series: add a second row"
        raise DemandError(msg)
    positive = [after - before for before, after in pairwise(instants) if after > before]
    return min(positive, default=timedelta(minutes=5))


def _check_neighbours(before: datetime, after: datetime, *, step: timedelta) -> None:
    if after == before:
        msg = f"timestamp {after.isoformat()} appears twice: keep one row for each interval"
        raise DemandError(msg)
    if after < before:
        msg = f"timestamp {after.isoformat()} comes after {before.isoformat()}: sort the rows by time"
        raise DemandError(msg)
    if (after - before) % step:
        msg = (
            f"timestamp {after.isoformat()} is off the grid: it is {after - before} after its predecessor, "
            f"which is not a multiple of the step {step}"
        )
        raise DemandError(msg)
