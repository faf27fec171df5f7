"""Which families of models a history is long enough for: a short one gets a simpler model, and is told why."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from shared.demand.history import History
from shared.errors import TrainingRefused
from shared.forecasting.card import Family
from shared.forecasting.seasonal_naive import LEAST_KNOWN
from shared.forecasting.training_set import FEWEST_ROWS

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What a family needs to learn from: known intervals, and how much time they cover in all."""

    known: int
    span: timedelta


NEEDS: Mapping[Family, Need] = {
    Family.SEASONAL_NAIVE: Need(known=LEAST_KNOWN, span=timedelta()),
    Family.RIDGE: Need(known=2 * FEWEST_ROWS, span=DAY),
    Family.FOREST: Need(known=3 * FEWEST_ROWS, span=2 * DAY),
    Family.BOOSTING: Need(known=2000, span=7 * DAY),
}
"""Simplest first.

A day is the least that shows a day's course, two that it repeats. Boosting learns its 0.99 from single rows: with 2,000
of them twenty lie beyond it, and a week holds each weekday once.
"""
PREFERRED = (Family.FOREST, Family.RIDGE, Family.SEASONAL_NAIVE)
"""What is fitted where nothing is judged; docs/decisions/0002 has what speaks for the forests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Eligible:
    """The families that may compete, simplest first, and why the others may not."""

    families: tuple[Family, ...]
    left_out: Mapping[Family, str]

    @property
    def preferred(self) -> Family:
        """The family to fit where nothing is judged."""
        return next(family for family in PREFERRED if family in self.families)

    @property
    def told(self) -> str:
        """Why families were left out, for the card; empty if none was."""
        return "; ".join(self.left_out.values())


def eligible(history: History, *, pool: str) -> Eligible:
    """Return which families the history is enough for.

    Raises :class:`TrainingRefused` if it is enough for none, or has nothing to learn: unknown, or always the same.
    """
    demand = history.demand[np.isfinite(history.demand)]
    if len(demand) < LEAST_KNOWN:
        msg = f"{pool}: {len(demand)} intervals of demand are known, a forecast needs {LEAST_KNOWN}"
        raise TrainingRefused(msg)
    if demand.min() == demand.max():
        msg = f"{pool}: the demand is {demand[0]:g} in all of {len(demand)} intervals: nothing to learn from"
        raise TrainingRefused(msg)
    span = len(demand) * history.step
    left_out = {
        family: f"{family.value} needs {need.known} known intervals over {need.span / DAY:g} days, "
        f"there are {len(demand)} over {span / DAY:.1f}"
        for family, need in NEEDS.items()
        if len(demand) < need.known or span < need.span
    }
    return Eligible(families=tuple(family for family in NEEDS if family not in left_out), left_out=left_out)
