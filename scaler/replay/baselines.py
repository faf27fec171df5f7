"""What one would have without Forescale: scaling on the present demand, as most clusters do today."""

from dataclasses import dataclass

import numpy as np

from scaler.core.sizing import ROUNDING
from scaler.replay.scorecard import Nodes, Scorecard, Workload, scored

UTILISATION = 0.7
STABILISATION_MIN = 5.0
HEADROOMS = np.geomspace(1.0, 20.0, 60)
STABILISATIONS_MIN = (5.0, 15.0, 30.0, 60.0, 120.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hindsight:
    """The cheapest constant headroom and stabilisation that met the SLO, seen afterwards: nobody can have this."""

    headroom: float
    stabilisation_min: float
    score: Scorecard


def reactive(workload: Workload, *, step_min: float, headroom: float, stabilisation_min: float) -> Nodes:
    """Return ``ceil(demand · headroom / units_per_node)``, scaling in only after the stabilisation window.

    While demand is unknown the last known value stands.
    """
    demand = _carried(workload.demand)
    wanted = np.maximum(1.0, np.ceil(demand * headroom / workload.units_per_node - ROUNDING))
    window = int(stabilisation_min // step_min) + 1
    padded = np.concatenate([np.full(window - 1, wanted[0]), wanted])
    calm: Nodes = np.lib.stride_tricks.sliding_window_view(padded, window).max(axis=1)
    return calm


def reactive_70(workload: Workload, *, step_min: float) -> Scorecard:
    """Score scaling at 70 % utilisation with 5 minutes of stabilisation."""
    desired = reactive(workload, step_min=step_min, headroom=1 / UTILISATION, stabilisation_min=STABILISATION_MIN)
    return scored(workload, desired)


def reactive_hindsight(workload: Workload, *, step_min: float, slo: float) -> Hindsight | None:
    """Return the cheapest reactive policy that met the SLO in hindsight, or None if no headroom up to 20 did."""
    best: Hindsight | None = None
    for stabilisation_min in STABILISATIONS_MIN:
        for headroom in HEADROOMS.tolist():
            desired = reactive(workload, step_min=step_min, headroom=headroom, stabilisation_min=stabilisation_min)
            score = scored(workload, desired)
            if score.attained >= slo:
                if best is None or score.cost < best.score.cost:
                    best = Hindsight(headroom=headroom, stabilisation_min=stabilisation_min, score=score)
                break
    return best


def _carried(demand: Nodes) -> Nodes:
    """Return the demand with each unknown value replaced by the last known one (0 before the first)."""
    known = np.where(np.isnan(demand), 0, np.arange(len(demand)))
    carried: Nodes = np.nan_to_num(demand[np.maximum.accumulate(known)])
    return carried
