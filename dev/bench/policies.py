"""How each method turns a series into scores: the one way from decisions, or a command, to the scorecard."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from dev.bench.rolling import Uppers, seasonal_naive, wanted
from dev.bench.trace import LEAD_TIME, Trace, nodes_for
from scaler.replay.baselines import (
    POD_AUTOSCALER_WINDOWS_MIN,
    least_headroom,
    reactive_70,
    reactive_hindsight,
)
from scaler.replay.scorecard import Scorecard, scored

ANY_WINDOW_MIN = (*POD_AUTOSCALER_WINDOWS_MIN, 120.0, 240.0, 480.0, 720.0, 1440.0, 2880.0)
UNSAVED = "no headroom up to 1000 meets the SLO"
SHOWN_ERROR = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a method is asked for: the SLO, and the nodes that the mean demand fills."""

    slo: float
    nodes: float


class MethodFailed(Exception):
    """A method gave no decisions; the message is shown in the table's notes."""


def at_70(trace: Trace, setting: Setting) -> dict[str, Any]:
    """Score scaling on the present demand at 70 % utilisation."""
    return _scores(reactive_70(trace.workload(setting.nodes), step_min=trace.step_min))


def with_hindsight(trace: Trace, setting: Setting, *, windows_min: tuple[float, ...]) -> dict[str, Any]:
    """Score the cheapest reactive policy that met the SLO, looking back."""
    workload = trace.workload(setting.nodes)
    best = reactive_hindsight(workload, step_min=trace.step_min, slo=setting.slo, windows_min=windows_min)
    if best is None:
        raise MethodFailed(UNSAVED)
    return {**_scores(best.score), "headroom": best.headroom, "stabilisation_min": best.stabilisation_min}


def as_yesterday(trace: Trace, setting: Setting) -> dict[str, Any]:
    """Score yesterday's values under the cheapest constant headroom that met the SLO, looking back."""
    workload = trace.workload(setting.nodes)
    highest = seasonal_naive(trace)

    def score_of(headroom: float) -> Scorecard:
        return scored(workload, nodes_for(highest * headroom, units_per_node=workload.units_per_node))

    headroom = least_headroom(lambda headroom: score_of(headroom).attained >= setting.slo)
    if headroom is None:
        raise MethodFailed(UNSAVED)
    return {**_scores(score_of(headroom)), "headroom": headroom}


def by_forecast(
    trace: Trace, setting: Setting, *, uppers: Callable[..., Any], needs_trace: bool = False
) -> dict[str, Any]:
    """Score a forecasting peer by its own upper quantile at the SLO."""
    workload = trace.workload(setting.nodes)
    bound: Uppers = partial(uppers, trace, slo=setting.slo) if needs_trace else partial(uppers, slo=setting.slo)
    desired = nodes_for(wanted(trace, bound), units_per_node=workload.units_per_node)
    return _scores(scored(workload, desired))


def by_forescale(trace: Trace, setting: Setting) -> dict[str, Any]:
    """Ask the same command that a user has."""
    workload = trace.workload(setting.nodes)
    options = {
        "--units-per-node": repr(workload.units_per_node),
        "--lead-time-min": f"{LEAD_TIME.total_seconds() / 60:g}",
        "--slo": repr(setting.slo),
        "--evaluate-from": "0.5",
    }
    arguments = [part for option in options.items() for part in option]
    command = [sys.executable, "-m", "scaler", "replay", str(trace.path), *arguments, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own command
    if done.returncode != 0:
        raise MethodFailed(done.stderr[-SHOWN_ERROR:].strip())
    card = json.loads(done.stdout)
    return {**_scores(Scorecard(**card["forescale"])), "families": card["families"], "refits": card["refits"]}


def _scores(score: Scorecard) -> dict[str, Any]:
    return dict(score.as_dict())
