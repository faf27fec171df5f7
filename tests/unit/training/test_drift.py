"""When a model is due, and how often the watch may act on it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.builders import NOW, retrain_request
from training.drift import (
    LONGEST_BACKOFF,
    MOST_A_DAY,
    OLDEST,
    SHORTEST_INTERVAL,
    WATCH,
    Drift,
    Health,
    drifts,
    not_before,
)
from training.runs import Run, RunState

FINE = Health(promised_loss=0.1, realised_loss=0.1, coverage=0.9, scored_intervals=288, ticks=288)


def run(hours_ago: float, state: RunState = RunState.COMPLETED, *, pool: str = "web", asked_by: str = WATCH) -> Run:
    at = NOW - timedelta(hours=hours_ago)
    request = retrain_request(pool)
    return Run(run_id=f"{hours_ago}", request=request, asked_by=asked_by, state=state, requested_at=at, touched_at=at)


@pytest.mark.parametrize(
    ("health", "expected"),
    [
        pytest.param(FINE, [], id="a model that keeps its promise stays"),
        pytest.param(replace(FINE, has_model=False), [Drift.NO_MODEL], id="none serves"),
        pytest.param(replace(FINE, age=OLDEST + timedelta(seconds=1)), [Drift.OLD], id="too old"),
        pytest.param(replace(FINE, age=OLDEST), [], id="just not too old"),
        pytest.param(replace(FINE, realised_loss=0.16), [Drift.LOSS], id="worse than its card promised"),
        pytest.param(replace(FINE, realised_loss=0.16, scored_intervals=10), [], id="too little to tell"),
        pytest.param(replace(FINE, realised_loss=None), [], id="what was not measured is no reason"),
        pytest.param(replace(FINE, promised_loss=None, realised_loss=9.0), [], id="a card without a promise"),
        pytest.param(replace(FINE, coverage=0.7), [Drift.CALIBRATION], id="its quantiles are too low"),
        pytest.param(replace(FINE, coverage=1.0), [], id="a little too cautious is no reason"),
        pytest.param(replace(FINE, fallback_ticks=100), [Drift.FALLBACK], id="ticks do without it"),
        pytest.param(replace(FINE, ticks=4, fallback_ticks=4), [], id="too few ticks to tell"),
        pytest.param(replace(FINE, signals_changed=True), [Drift.SIGNALS], id="the demand has other signals"),
        pytest.param(
            replace(FINE, age=timedelta(days=30), coverage=0.5), [Drift.OLD, Drift.CALIBRATION], id="several at once"
        ),
    ],
)
def test_a_model_is_due_for_its_reasons(health: Health, expected: list[Drift]) -> None:
    assert list(drifts(health)) == expected


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        pytest.param([], NOW, id="nothing yet"),
        pytest.param([run(1, asked_by="http")], NOW, id="what people ask for does not count"),
        pytest.param([run(1, pool="batch")], NOW, id="another pool does not count"),
        pytest.param([run(1)], NOW + SHORTEST_INTERVAL - timedelta(hours=1), id="not so soon again"),
        pytest.param(
            [run(8, RunState.FAILED), run(1, RunState.REFUSED)],
            NOW + 4 * SHORTEST_INTERVAL - timedelta(hours=1),
            id="each failure in a row doubles the wait",
        ),
        pytest.param(
            [run(50, RunState.FAILED), run(7)], NOW - timedelta(hours=1), id="a success ends the back-off"
        ),
        pytest.param([run(h, RunState.FAILED) for h in range(50, 0, -1)], NOW + LONGEST_BACKOFF - timedelta(hours=1),
                     id="the back-off has an end"),
        pytest.param([run(20 - index) for index in range(MOST_A_DAY)], NOW + timedelta(hours=4), id="the day is full"),
    ],
)  # fmt: skip
def test_the_watch_may_start_again_at(runs: list[Run], expected: object) -> None:
    assert not_before("web", runs, NOW) == expected
