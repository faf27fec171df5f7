"""A forecast: quantiles of a signal for the next intervals, valid once built."""

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Quantiles for the intervals that start at ``first_utc``, each ``step`` long.

    ``quantile_levels`` (increasing, within 0 and 1) has shape ``(levels,)``, ``quantiles`` shape
    ``(intervals, levels)`` in ``unit``. Raises ``ValueError`` for NaN, infinity, negatives and quantiles that cross.
    """

    quantile_levels: NDArray[np.float64]
    quantiles: NDArray[np.float64]
    first_utc: datetime
    step: timedelta
    made_at_utc: datetime
    model_version: str
    unit: str = ""

    def __post_init__(self) -> None:
        """Check everything once, so that a bad forecast can never size a pool."""
        levels, quantiles = self.quantile_levels, self.quantiles
        if levels.ndim != 1 or not len(levels) or quantiles.shape[1:] != levels.shape:
            msg = f"a forecast of {levels.shape} levels cannot have quantiles of shape {quantiles.shape}"
            raise ValueError(msg)
        if not ((levels > 0) & (levels < 1)).all() or (np.diff(levels) <= 0).any():
            msg = f"quantile levels must increase within 0 and 1, got {levels.tolist()}"
            raise ValueError(msg)
        if not len(quantiles):
            msg = "a forecast must cover at least one interval"
            raise ValueError(msg)
        if not np.isfinite(quantiles).all() or (quantiles < 0).any():
            msg = f"forecast quantiles must be finite and >= 0, got {quantiles.tolist()}"
            raise ValueError(msg)
        if (np.diff(quantiles, axis=1) < 0).any():
            msg = f"forecast quantiles cross: {quantiles.tolist()}"
            raise ValueError(msg)

    def __len__(self) -> int:
        """Return the number of intervals."""
        return len(self.quantiles)

    @property
    def median(self) -> NDArray[np.float64]:
        """The middle of each interval's distribution, shape ``(intervals,)``; between levels it is interpolated."""
        return self.quantile(0.5)

    def quantile(self, level: float) -> NDArray[np.float64]:
        """Return the quantile of each interval, linear between levels, the outermost level beyond them."""
        return np.array([np.interp(level, self.quantile_levels, row) for row in self.quantiles])

    def extended_to(self, until_utc: datetime) -> "Forecast":
        """Return the forecast, its last interval repeated until it covers ``until_utc``: for demand that came late."""
        missing = math.ceil((until_utc - self.start_of(len(self))) / self.step)
        if missing <= 0:
            return self
        return replace(self, quantiles=np.vstack([self.quantiles, np.repeat(self.quantiles[-1:], missing, axis=0)]))

    def start_of(self, interval: int) -> datetime:
        """Return when the interval with that index starts."""
        return self.first_utc + interval * self.step


def repair_quantiles(raw: NDArray[np.float64]) -> NDArray[np.float64]:
    """Make raw model output a legal set of quantiles: negatives to zero, crossings sorted; NaN stays for refusal."""
    return np.sort(np.maximum(raw, 0.0), axis=1)
