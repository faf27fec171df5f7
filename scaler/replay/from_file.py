"""A pool for a demand file, as the benchmark has it: no limits, no guards, only capacity and an SLO."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shared.demand.csv_format import read_demand_csv
from shared.demand.history import History
from shared.errors import ConfigurationError, DemandError
from shared.pools import Pool
from shared.validation import validated

UNLIMITED = 10**9
AVERAGE_NODES = 20
"""Where nobody says what a node serves, so many nodes serve the mean demand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a command line says of a pool that is not in the pools file."""

    units_per_node: float | None
    lead_time_min: float
    slo: float


def demand_file(path: Path) -> History:
    """Read a CSV file; raises :class:`ConfigurationError` if it cannot be, and what ``read_demand_csv`` raises."""
    try:
        return read_demand_csv(path.read_text(), name=str(path))
    except (OSError, UnicodeDecodeError) as exc:
        msg = f"{path} cannot be read as a CSV file: {exc}"
        raise ConfigurationError(msg) from exc


def pool_for(history: History, figures: Figures, *, path: Path) -> Pool:
    """Return a pool for a file's demand; raises :class:`ConfigurationError` naming the figure that is wrong."""
    known = history.demand[np.isfinite(history.demand)]
    if not len(known):
        msg = f"{path}: no interval has a known demand"
        raise DemandError(msg)
    default = float(known.mean()) / AVERAGE_NODES
    pool = {
        "name": "replay",
        "max_nodes": 1000,
        "lead_time_min": figures.lead_time_min,
        "demand": {"source": "blob", "path": str(path)},
        "sizing": {
            "kind": "capacity",
            "units_per_node": default if figures.units_per_node is None else figures.units_per_node,
            "slo": figures.slo,
        },
    }
    return validated(Pool, pool, name="replay").model_copy(update={"max_nodes": UNLIMITED})
