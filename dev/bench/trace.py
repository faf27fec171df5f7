"""A demand series under the benchmark's protocol."""

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scaler.core.sizing import ROUNDING
from scaler.replay.scorecard import Nodes, Workload
from shared.demand.csv_format import read_demand_csv
from shared.demand.history import History

LEAD_TIME = timedelta(minutes=10)
TRAINING_SHARE = 0.5
CARRIED = timedelta(hours=1)
"""How long a last known value stands for unknown ones; after that the same time of the day before does."""
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """A series from a file; the first half is for training, the second half is scored."""

    name: str
    path: Path
    digest: str
    history: History

    @property
    def step_min(self) -> float:
        """Minutes of an interval."""
        return self.history.step.total_seconds() / 60

    @property
    def lead(self) -> int:
        """Intervals until an ordered node serves."""
        return -(-LEAD_TIME // self.history.step)

    @property
    def first(self) -> int:
        """The first scored interval."""
        return int(len(self.history) * TRAINING_SHARE)

    @property
    def per_day(self) -> int:
        """Intervals of a day."""
        return max(1, round(DAY / self.history.step))

    def workload(self, nodes_on_average: float) -> Workload:
        """Return the demand to be served by nodes of such a size that the mean demand fills that many."""
        return Workload(
            demand=self.history.demand,
            units_per_node=float(np.nanmean(self.history.demand)) / nodes_on_average,
            lead_intervals=self.lead,
            first=self.first,
        )


def read_trace(path: Path) -> Trace:
    """Read one ``timestamp,demand`` file; raises :class:`shared.errors.DemandError` for anything else."""
    content = path.read_bytes()
    history = read_demand_csv(content.decode(), name=path.name)
    return Trace(name=path.stem, path=path, digest=hashlib.sha256(content).hexdigest(), history=history)


def filled(demand: NDArray[np.float64], *, per_day: int, carried: int) -> NDArray[np.float64]:
    """Return the demand without unknown values, each replaced by what was known before it.

    That is the last known value for up to ``carried`` intervals, then the value one day before; 0 before the first
    known value. Peers get it where their package takes no unknown values; what is scored are known intervals only.
    """
    whole = demand.copy()
    last, age = 0.0, 0
    for interval, value in enumerate(demand.tolist()):
        age = 0 if value == value else age + 1  # noqa: PLR0124 - NaN is what differs from itself
        if not age:
            last = value
        elif age <= carried or interval < per_day:
            whole[interval] = last
        else:
            whole[interval] = whole[interval - per_day]
    return whole


def nodes_for(wanted: NDArray[np.float64], *, units_per_node: float) -> Nodes:
    """Return the nodes that serve a demand, at least 1; raises :class:`ValueError` for demand that is not a number."""
    if not np.isfinite(wanted).all():
        msg = f"{int((~np.isfinite(wanted)).sum())} of {len(wanted)} forecasts are not finite"
        raise ValueError(msg)
    nodes: Nodes = np.maximum(1.0, np.ceil(wanted / units_per_node - ROUNDING))
    return nodes
