"""How often errors exceeded each edge, counted in each leaf of each tree, and the distribution that follows from it."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from shared.forecasting.features import Floats
from shared.forecasting.forecaster import Parameters
from shared.forecasting.parameter_reader import LOG_RATIOS, ParameterReader
from shared.forecasting.parameters import QUANTILE_LEVELS
from shared.forecasting.trees import ROWS_AT_ONCE

EDGE_LEVELS = np.concatenate([[0.05, 0.1, 0.2, 0.3, 0.4, 0.45], 1 - np.geomspace(0.5, 0.002, 16)])
"""Levels of the errors at which is counted how often they are exceeded."""
TAIL_FROM = 8
"""Index of the edge from which the slope of the tail is read."""
RAREST = 2e-5
"""No edge counts as exceeded less often than this, or the tail's depth would be infinite."""
SMALLEST_SLOPE = 0.01
"""Least slope of the tail, in log-ratio for each e-fold of rareness."""
BODY_DEPTH, TAIL_DEPTH = 8.0, 6.0
"""The largest error ever seen stands at least so deep; beyond it the tail goes on for so many e-folds."""
TIE = 1e-9
"""Keeps edges apart that were exceeded equally often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeafTables:
    """``edges`` of the errors, ``(horizon, edges)``; ``top``, the largest error, ``(horizon,)``.

    ``exceedance`` has a row for each leaf that was reached, and before them one for all others; its columns are the
    edges of the first horizon, then of the second, and so on: ``(slots, horizon · edges)``. ``slot`` is the row of each
    node, shape ``(nodes,)``.
    """

    edges: Floats
    top: Floats
    exceedance: NDArray[np.float16]
    slot: NDArray[np.int32]

    @classmethod
    def count(cls, errors: Floats, leaves: NDArray[np.intp], *, edges: Floats, weights: Floats, nodes: int) -> Self:
        """Count how often the errors, ``(rows, horizon)``, of the rows in each leaf exceeded each edge.

        ``leaves`` are each row's nodes, ``(rows, trees)``; a leaf that no row reached says what all rows say.
        """
        reached = np.zeros(nodes, dtype=np.bool_)
        reached[leaves] = True
        slot = np.where(reached, np.cumsum(reached), 0).astype(np.int32)
        place, weight = slot[leaves].ravel(), np.repeat(weights, leaves.shape[1])
        mass = np.bincount(place, weights=weight)
        mass[0] = weights.sum()
        columns = []
        for ahead, bounds in enumerate(edges):
            exceeded = np.searchsorted(bounds, errors[:, ahead])  # so many edges lie below each error
            bins = len(bounds) + 1
            spread = place * bins + np.repeat(exceeded, leaves.shape[1])
            counts = np.bincount(spread, weights=weight, minlength=len(mass) * bins).reshape(len(mass), bins)
            counts[0] = np.bincount(exceeded, weights=weights, minlength=bins)
            columns.append(counts[:, ::-1].cumsum(axis=1)[:, -2::-1] / mass[:, np.newaxis])
        exceedance = np.concatenate(columns, axis=1).astype(np.float16)
        return cls(edges=edges, top=errors.max(axis=0), exceedance=exceedance, slot=slot)

    def error_quantiles(self, leaves: NDArray[np.intp]) -> Floats:
        """Return the quantiles of the error of rows in these leaves, ``(rows, horizon, levels)``.

        Between the edges they are interpolated over the logarithm of the exceedance; beyond the last edge the tail is
        exponential in the log of the demand, which is a Pareto tail in the demand.
        """
        horizon, bins = self.edges.shape
        exceedance = self._mean_exceedance(leaves)
        depth = -np.log1p(-QUANTILE_LEVELS)
        tie = np.arange(bins) * TIE
        errors = np.empty((len(leaves), horizon, len(QUANTILE_LEVELS)))
        for ahead, edges in enumerate(self.edges):
            part = np.clip(exceedance[:, ahead * bins : (ahead + 1) * bins], RAREST, 1.0)
            depths = -np.log(np.minimum.accumulate(part, axis=1))
            span = np.log((1 - EDGE_LEVELS[TAIL_FROM]) / (1 - EDGE_LEVELS[-1]))
            slope = max((edges[-1] - edges[TAIL_FROM]) / span, SMALLEST_SLOPE)
            values = np.concatenate([edges, [self.top[ahead], self.top[ahead] + TAIL_DEPTH * slope]])
            end = np.maximum(depths[:, -1] + 1.0, BODY_DEPTH)
            knots = np.column_stack([depths + tie, end, end + TAIL_DEPTH])
            errors[:, ahead] = [np.interp(depth, row, values) for row in knots]
        return errors

    def to_parameters(self, prefix: str) -> Parameters:
        """Return the arrays, their names beginning with ``prefix``."""
        return {
            f"{prefix}edges": self.edges,
            f"{prefix}top": self.top,
            f"{prefix}exceedance": self.exceedance,
            f"{prefix}slot": self.slot,
        }

    @classmethod
    def from_parameters(cls, reader: ParameterReader, prefix: str, *, horizon: int, nodes: int) -> Self:
        """Take the arrays; raises :class:`~shared.errors.ModelRefused`."""
        width = horizon * len(EDGE_LEVELS)
        exceedance = reader.take(f"{prefix}exceedance", np.float16, (None, width), within=(0.0, 1.0))
        if not len(exceedance):
            reader.refuse(f"{prefix}exceedance", "is empty")
        return cls(
            edges=reader.increasing(f"{prefix}edges", (horizon, len(EDGE_LEVELS)), within=LOG_RATIOS),
            top=reader.take(f"{prefix}top", np.float64, (horizon,), within=LOG_RATIOS),
            exceedance=exceedance,
            slot=reader.take(f"{prefix}slot", np.int32, (nodes,), within=(0, len(exceedance) - 1)),
        )

    def _mean_exceedance(self, leaves: NDArray[np.intp]) -> Floats:
        """Return how often each edge was exceeded in a row's leaves, averaged over the trees."""
        mean = np.empty((len(leaves), self.exceedance.shape[1]))
        for first in range(0, len(leaves), ROWS_AT_ONCE):
            rows = slice(first, first + ROWS_AT_ONCE)
            mean[rows] = self.exceedance[self.slot[leaves[rows]]].sum(axis=1, dtype=np.float64)
        mean /= leaves.shape[1]
        return mean


def edges_of(errors: Floats) -> Floats:
    """Return the quantiles of each horizon's errors at ``EDGE_LEVELS``, shape ``(horizon, edges)``."""
    edges: Floats = np.array([np.quantile(column, EDGE_LEVELS) for column in errors.T])
    return edges
