"""When a model is due: pure rules over what was measured, and how often they may start a retraining."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from training.runs import Run, RunState

OLDEST = timedelta(days=7)
"""Demand has a weekly rhythm: an older model has not seen the present week at all."""
LOSS_RATIO = 1.5
"""Realised loss over the promised one; in the traces of shared/traces a good day and a bad one differ by less."""
COVERAGE_BAND = 0.1
"""How far the share below the 90 % quantile may be from 0.9: over a day of 5-minute data chance stays within 0.03."""
FALLBACK_SHARE = 0.25
FEWEST_TICKS = 12
FEWEST_INTERVALS = 24
SHORTEST_INTERVAL = timedelta(hours=6)
MOST_A_DAY = 3
LONGEST_BACKOFF = timedelta(days=4)
MOST_DOUBLINGS = 10
WATCH = "watch_models"


class Drift(StrEnum):
    """Why a model is due; a name, once released, never changes its meaning."""

    NO_MODEL = "no_model"
    OLD = "old"
    LOSS = "loss"
    CALIBRATION = "calibration"
    FALLBACK = "fallback"
    SIGNALS = "signals"


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What was measured of one pool's model; None where it could not be measured, which is no reason for anything."""

    has_model: bool = True
    age: timedelta = timedelta(0)
    since_training: timedelta | None = None
    """Time since a retraining of the pool last ran to its end, whether or not its model was promoted."""
    promised_loss: float | None = None
    realised_loss: float | None = None
    coverage: float | None = None
    scored_intervals: int = 0
    ticks: int = 0
    fallback_ticks: int = 0
    signals_changed: bool = False


def drifts(health: Health) -> dict[Drift, str]:
    """Return why the model is due, each reason with its numbers; empty if it is not."""
    if not health.has_model:
        return {Drift.NO_MODEL: "no model serves"}
    found: dict[Drift, str] = {}
    if health.signals_changed:
        found[Drift.SIGNALS] = "the demand has other signals or another step than the model was fitted on"
    if health.age > OLDEST and (health.since_training is None or health.since_training > OLDEST):
        found[Drift.OLD] = f"its history ended {health.age / timedelta(days=1):.1f} days ago"
    enough = health.scored_intervals >= FEWEST_INTERVALS
    promised, realised = health.promised_loss, health.realised_loss
    if enough and promised is not None and realised is not None and realised > LOSS_RATIO * promised:
        found[Drift.LOSS] = f"its loss is {realised:.4%} of the mean demand, its card promised {promised:.4%}"
    if enough and health.coverage is not None and abs(health.coverage - 0.9) > COVERAGE_BAND:
        found[Drift.CALIBRATION] = f"{health.coverage:.0%} of the demand was below its 90 % quantile"
    if health.ticks >= FEWEST_TICKS and health.fallback_ticks / health.ticks > FALLBACK_SHARE:
        found[Drift.FALLBACK] = f"{health.fallback_ticks} of {health.ticks} ticks went without it"
    return found


def since_training(pool: str, runs: Sequence[Run], now_utc: datetime) -> timedelta | None:
    """Return how long ago a retraining of the pool ran to its end; None if none of the runs did."""
    ended = [run.ended_at for run in runs if run.state is RunState.COMPLETED and pool in run.pools and run.ended_at]
    return now_utc - max(ended) if ended else None


def not_before(pool: str, runs: Sequence[Run], now_utc: datetime) -> datetime:
    """Return when the watch may start the pool's next retraining, from the runs that it started itself.

    At most one in ``SHORTEST_INTERVAL`` and ``MOST_A_DAY`` in a day; each failure in a row doubles the interval.
    """
    ours = sorted(
        (run for run in runs if run.asked_by == WATCH and pool in run.pools), key=lambda run: run.requested_at
    )
    if not ours:
        return now_utc
    failures = 0
    for run in reversed(ours):
        if run.state not in {RunState.FAILED, RunState.REFUSED}:
            break
        failures += 1
    interval = min(SHORTEST_INTERVAL * (1 << min(failures, MOST_DOUBLINGS)), LONGEST_BACKOFF)
    earliest = ours[-1].requested_at + interval
    if len(ours) >= MOST_A_DAY:
        earliest = max(earliest, ours[-MOST_A_DAY].requested_at + timedelta(days=1))
    return earliest
