"""Small demand in, decision timeline out: a change here is a change of what Forescale does, to be read and explained.

``GOLDEN_REFRESH=1`` writes the files anew.
"""

import os
from pathlib import Path

import numpy as np
import pytest

from scaler.replay.from_file import Figures, demand_file, pool_for
from scaler.replay.replay import replay
from scaler.replay.scorecard import scored
from shared.demand.csv_format import write_demand_csv
from shared.forecasting.eligibility import fit_preferred
from tests.demand import daily, history_of

HERE = Path(__file__).parent
DEMAND, DECISIONS = HERE / "demand.csv", HERE / "decisions.csv"
NODES_APART = 2
"""Forests may differ by a node between processors; a change of method differs by more, and for longer."""

pytestmark = pytest.mark.slow


def test_the_timeline_of_decisions_is_the_one_on_file() -> None:
    history = demand_file(DEMAND)
    pool = pool_for(history, Figures(units_per_node=None, lead_time_min=60, slo=0.95), path=DEMAND)

    replayed = replay(history, pool, fit=lambda p, h: fit_preferred(p, h).model)
    first = replayed.workload.first
    score = scored(replayed.workload, replayed.desired)
    _refresh(replayed.desired[first:])
    on_file = np.loadtxt(DECISIONS, skiprows=1)

    assert np.mean(np.abs(replayed.desired[first:] - on_file) <= NODES_APART) >= 0.95
    assert replayed.desired[first:].sum() == pytest.approx(on_file.sum(), rel=0.02)
    assert score.attained == pytest.approx(0.95, abs=0.03)
    assert score.cost < 1.5


def _refresh(desired: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]") -> None:
    if os.environ.get("GOLDEN_REFRESH") == "1":
        DECISIONS.write_text("\n".join(["desired_nodes", *(f"{nodes:.0f}" for nodes in desired)]) + "\n")


def test_the_demand_on_file_is_the_seeded_one() -> None:
    values = np.round(daily(14, noise=0.08, seed=29), 1)
    if os.environ.get("GOLDEN_REFRESH") == "1":
        DEMAND.write_text(write_demand_csv(history_of(values)))

    np.testing.assert_allclose(demand_file(DEMAND).demand, values)
