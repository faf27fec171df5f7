"""What a replay reports: a scorecard against what one would have otherwise, and a row an interval."""

import csv
import math
from pathlib import Path
from typing import Any

from scaler.replay.baselines import reactive_70, reactive_hindsight
from scaler.replay.replay import ReplayResult
from scaler.replay.scorecard import Scorecard, clairvoyant_billed, scored
from shared.demand.history import History


def scorecard(replayed: ReplayResult, history: History, *, slo: float) -> dict[str, Any]:
    """Return the scores of Forescale, of reactive scaling and of the clairvoyant, as plain values."""
    workload = replayed.workload
    step_min = history.step.total_seconds() / 60
    hindsight = reactive_hindsight(workload, step_min=step_min, slo=slo)
    ours = scored(workload, replayed.desired)
    return {
        "slo": slo,
        "slo_met": ours.attained >= slo,
        "units_per_node": workload.units_per_node,
        "lead_intervals": workload.lead_intervals,
        "refits": replayed.refits,
        "families": list(replayed.families),
        "forescale": ours.as_dict(),
        "reactive_70": reactive_70(workload, step_min=step_min).as_dict(),
        "reactive_hindsight": None
        if hindsight is None
        else {
            **hindsight.score.as_dict(),
            "headroom": hindsight.headroom,
            "stabilisation_min": hindsight.stabilisation_min,
        },
        "clairvoyant": _clairvoyant(ours, replayed).as_dict(),
    }


def rows(card: dict[str, Any]) -> list[dict[str, object]]:
    """Return the scorecard as the rows of a table for people."""
    named = {
        "Forescale": card["forescale"],
        "reactive, 70 %": card["reactive_70"],
        "reactive, hindsight": card["reactive_hindsight"],
        "clairvoyant": card["clairvoyant"],
    }
    return [
        {
            "policy": policy,
            "attained": f"{score['attained']:.3%}",
            "misses": score["misses"],
            "unserved": f"{score['unserved']:.3%}",
            "node-intervals": f"{score['node_intervals']:,.0f}",
            "cost": f"{score['cost']:.3f}",
        }
        for policy, score in named.items()
        if score is not None
    ]


def write_steps(path: Path, replayed: ReplayResult, history: History) -> None:
    """Write ``timestamp,demand,desired_nodes,forecast_median,forecast_upper``, one row a scored interval.

    ``desired_nodes`` was decided after the row's demand was known; the forecasts are *for* the row's interval, made
    one lead time before it, when nodes had to be ordered.
    """
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["timestamp", "demand", "desired_nodes", "forecast_median", "forecast_upper"])
        for interval in range(replayed.workload.first, len(history)):
            values = (history.demand[interval], replayed.median[interval], replayed.upper[interval])
            demand, median, upper = ("" if math.isnan(value) else f"{value:.10g}" for value in values)
            stamp = f"{history.instant(interval):%Y-%m-%dT%H:%M:%SZ}"
            writer.writerow([stamp, demand, int(replayed.desired[interval]), median, upper])


def _clairvoyant(ours: Scorecard, replayed: ReplayResult) -> Scorecard:
    billed = float(clairvoyant_billed(replayed.workload)[replayed.workload.first :].sum())
    return Scorecard(intervals=ours.intervals, misses=0, attained=1.0, unserved=0.0, node_intervals=billed, cost=1.0)
