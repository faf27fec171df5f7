"""What a run of decisions cost and what it missed, by the benchmark's protocol.

A decision after interval ``i`` names ``desired[i]``. Scale-in takes effect in interval ``i+1``; a node ordered at ``i``
first serves interval ``i+1+lead``; nodes are paid for from ``i+1`` on. Hence, in interval ``t``,
``ready[t] = min(desired[t-1-lead .. t-1])`` and ``billed[t] = desired[t-1]``.
"""

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from scaler.core.sizing import ROUNDING

Nodes = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A demand to be served: shape ``(intervals,)``, NaN where unknown; intervals from ``first`` on are scored."""

    demand: NDArray[np.float64]
    units_per_node: float
    lead_intervals: int
    first: int

    @property
    def needed(self) -> Nodes:
        """Nodes each interval needs, at least 1; unknown demand needs 1."""
        return np.maximum(1.0, np.ceil(np.nan_to_num(self.demand) / self.units_per_node - ROUNDING))

    def ready(self, desired: Nodes) -> Nodes:
        """Nodes ready in each interval; before the first decision has had time to act, whatever was asked first."""
        before = np.full(self.lead_intervals + 1, desired[0])
        asked = np.concatenate([before, desired[:-1]])
        fewest: Nodes = np.lib.stride_tricks.sliding_window_view(asked, self.lead_intervals + 1).min(axis=1)
        return fewest


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorecard:
    """The outcome of a policy on a workload.

    ``attained`` is the share of scored intervals without a miss, ``unserved`` the share of demand beyond the ready
    nodes, ``cost`` the billed node-intervals relative to the clairvoyant's.
    """

    intervals: int
    misses: int
    attained: float
    unserved: float
    node_intervals: float
    cost: float

    def as_dict(self) -> dict[str, float]:
        """Return the fields as plain numbers."""
        return asdict(self)


def scored(workload: Workload, desired: Nodes) -> Scorecard:
    """Score decisions, shape ``(intervals,)``, against the clairvoyant who knows the future and never misses."""
    first = workload.first
    demand = workload.demand[first:]
    capacity = workload.ready(desired)[first:] * workload.units_per_node
    known = ~np.isnan(demand)
    excess = np.maximum(0.0, demand[known] - capacity[known])
    misses = int((excess > ROUNDING * workload.units_per_node).sum())
    billed = float(desired[first - 1 : -1].sum())
    return Scorecard(
        intervals=int(known.sum()),
        misses=misses,
        attained=1 - misses / max(1, int(known.sum())),
        unserved=float(excess.sum() / max(demand[known].sum(), np.finfo(float).tiny)),
        node_intervals=billed,
        cost=billed / float(clairvoyant_billed(workload)[first:].sum()),
    )


def clairvoyant_billed(workload: Workload) -> Nodes:
    """Return the fewest nodes that must be paid for in each interval to miss nothing: ``max(need[t .. t+lead])``."""
    lead = workload.lead_intervals
    padded = np.concatenate([workload.needed, np.ones(lead)])
    fewest: Nodes = np.lib.stride_tricks.sliding_window_view(padded, lead + 1).max(axis=1)
    return fewest
