"""What one would have without Forescale: scaling on the present demand, as most clusters do today."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from scaler.core.sizing import ROUNDING
from scaler.replay.scorecard import Nodes, Scorecard, Workload, scored

UTILISATION = 0.7
STABILISATION_MIN = 5.0
LEAST_HEADROOM, MOST_HEADROOM = 0.2, 1000.0
HEADROOM_PRECISION = 1e-4
POD_AUTOSCALER_WINDOWS_MIN = (0.0, 5.0, 10.0, 15.0, 30.0, 45.0, 60.0)
"""An HPA's ``stabilizationWindowSeconds`` is at most 3600 (Kubernetes API, autoscaling/v2, HPAScalingRules)."""


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


def reactive_hindsight(
    workload: Workload,
    *,
    step_min: float,
    slo: float,
    windows_min: Sequence[float] = POD_AUTOSCALER_WINDOWS_MIN,
) -> Hindsight | None:
    """Return the cheapest reactive policy that met the SLO in hindsight, or None if no headroom up to 1000 did."""
    best: Hindsight | None = None
    for stabilisation_min in windows_min:

        def score_of(headroom: float, window_min: float = stabilisation_min) -> Scorecard:
            return scored(
                workload, reactive(workload, step_min=step_min, headroom=headroom, stabilisation_min=window_min)
            )

        headroom = least_headroom(lambda headroom: score_of(headroom).attained >= slo)
        if headroom is None:
            continue
        score = score_of(headroom)
        if best is None or score.cost < best.score.cost:
            best = Hindsight(headroom=headroom, stabilisation_min=stabilisation_min, score=score)
    return best


def least_headroom(meets: Callable[[float], bool]) -> float | None:
    """Return the least headroom that meets the SLO, to a ten-thousandth, or None if even 1000 does not.

    More headroom never misses more, so halving the range finds it.
    """
    low, high = LEAST_HEADROOM, MOST_HEADROOM
    if not meets(high):
        return None
    while high / low > 1 + HEADROOM_PRECISION:
        middle = (low * high) ** 0.5
        low, high = (low, middle) if meets(middle) else (middle, high)
    return high


def _carried(demand: Nodes) -> Nodes:
    """Return the demand with each unknown value replaced by the last known one (0 before the first)."""
    known = np.where(np.isnan(demand), 0, np.arange(len(demand)))
    carried: Nodes = np.nan_to_num(demand[np.maximum.accumulate(known)])
    return carried
