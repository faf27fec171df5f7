"""``watch_models``: retraining where a model is due, at a bearable pace, and one way back from a bad promotion."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from scaler.stores import DecisionLog
from shared.demand.csv_format import write_demand_csv
from shared.demand.history import History
from shared.errors import Forbidden, TickFailed
from shared.forecasting.store import ModelStore
from shared.local.directory_blobs import DirectoryBlobs
from tests.builders import NOW, history, pool
from tests.fakes.clock import FakeClock
from tests.fakes.retraining_jobs import FakeRetrainingJobs
from training.drift import OLDEST, SHORTEST_INTERVAL
from training.ports import JobPhase
from training.publish import fit_candidate, publish
from training.results import Results
from training.retraining import Retraining
from training.runs import Runs
from training.watch import Watch, WatchResult

HOUR = timedelta(hours=1)


class Scene:
    """A pool whose demand is known to the end of time, models, and a watch over them."""

    def __init__(self, folder: Path) -> None:
        self.blobs = DirectoryBlobs(folder)
        self.clock = FakeClock(NOW)
        self.jobs = FakeRetrainingJobs()
        self.store = ModelStore(self.blobs)
        self.pool = pool()
        self.retraining = Retraining(
            jobs=lambda: self.jobs, runs=Runs(self.blobs), results=Results(self.blobs), clock=self.clock
        )

    def feed(self, *peaks_h: float) -> History:
        """Write six weeks of demand, half of it to come; its daily peak moves through the hours given."""
        beat = np.arange(42 * 24)
        peak_h = np.repeat(peaks_h or (12,), len(beat) // len(peaks_h or (12,)))
        daily = 1 + 0.8 * np.cos((beat - peak_h) * 2 * np.pi / 24)
        values = 100 * daily * np.random.default_rng(1).normal(1, 0.02, len(beat))
        demand = history(list(values), end_utc=NOW + timedelta(days=21), step=HOUR)
        self.blobs.write("demand.csv", write_demand_csv(demand).encode(), if_etag=None)
        return demand

    def serve(self, demand: History, *, until: datetime, days: int = 14) -> str:
        """Fit a model on the days before ``until`` and let it serve from then."""
        seen = demand.until(until).last(days * 24)
        card = publish(self.store, self.pool, seen, fit_candidate(self.pool, seen), now_utc=until)
        self.store.promote("web", card.version, now_utc=until, reason="test")
        return card.version

    def watch(self) -> WatchResult:
        decisions = DecisionLog(self.blobs)
        watch = Watch(
            blobs=self.blobs, store=self.store, decisions=decisions, retraining=self.retraining, clock=self.clock
        )
        return watch.run([self.pool])[0]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_a_pool_without_a_model_gets_one(scene: Scene) -> None:
    scene.feed()

    watched = scene.watch()

    assert watched.why == ("no_model: no model serves",)
    assert scene.jobs.jobs[watched.run_id].request.reason == "no_model: no model serves"


def test_a_fresh_model_that_forecasts_well_is_left_alone(scene: Scene) -> None:
    scene.serve(scene.feed(), until=NOW)
    scene.clock.now = NOW + timedelta(days=2)

    assert scene.watch().run_id == ""
    assert scene.jobs.jobs == {}


def test_an_old_model_is_made_again_but_not_at_every_tick(scene: Scene) -> None:
    scene.serve(scene.feed(), until=NOW)
    scene.clock.now = NOW + OLDEST + HOUR

    first = scene.watch()
    scene.jobs.end(first.run_id, JobPhase.COMPLETED)
    scene.clock.now += HOUR
    second = scene.watch()

    assert first.run_id
    assert (second.run_id, second.why) == ("", ())
    assert list(scene.jobs.jobs) == [first.run_id]


def test_an_old_model_that_no_newer_one_could_beat_is_left_alone_for_a_week(scene: Scene) -> None:
    scene.serve(scene.feed(), until=NOW)
    scene.clock.now = NOW + OLDEST + HOUR
    first = scene.watch()
    scene.jobs.end(first.run_id, JobPhase.COMPLETED)
    scene.clock.now += HOUR
    scene.watch()
    scene.clock.now += timedelta(days=2)

    assert scene.watch().why == ()
    assert list(scene.jobs.jobs) == [first.run_id]


def test_failures_make_the_watch_wait_longer(scene: Scene) -> None:
    scene.feed()
    first = scene.watch()
    scene.jobs.end(first.run_id, JobPhase.FAILED)
    scene.clock.now += SHORTEST_INTERVAL

    assert scene.watch().waits_until == NOW + 2 * SHORTEST_INTERVAL


def test_a_refused_start_is_reported_and_counts_as_a_failure(scene: Scene) -> None:
    scene.feed()
    scene.jobs.fail_next = Forbidden("grant the role")

    watched = scene.watch()

    assert (watched.run_id, watched.note) == ("", "grant the role")
    scene.clock.now += SHORTEST_INTERVAL
    assert scene.watch().waits_until == NOW + 2 * SHORTEST_INTERVAL


def test_ticks_that_do_without_the_model_are_a_reason(scene: Scene) -> None:
    scene.serve(scene.feed(), until=NOW)
    scene.clock.now = NOW + timedelta(days=1)
    log = DecisionLog(scene.blobs)
    for minutes in range(0, 120, 5):
        at = (scene.clock.now - timedelta(minutes=minutes)).isoformat()
        log.add({"pool": "web", "at": at, "reasons": ["naive_forecast"]})

    assert [why.partition(":")[0] for why in scene.watch().why] == ["fallback"]


def test_a_promotion_that_does_worse_than_its_predecessor_is_rolled_back_once(scene: Scene) -> None:
    demand = scene.feed(0, 12)
    good = scene.serve(demand, until=NOW + timedelta(days=10))
    promoted_at = NOW + timedelta(days=10, hours=1)
    stale = demand.until(NOW)
    card = publish(scene.store, scene.pool, stale, fit_candidate(scene.pool, stale), now_utc=promoted_at)
    scene.store.promote("web", card.version, now_utc=promoted_at, reason="a mistake")
    scene.clock.now = promoted_at + timedelta(hours=23)
    early = scene.watch()
    scene.clock.now = promoted_at + timedelta(hours=25)

    watched = scene.watch()

    assert early.rollback_reason == ""
    assert watched.rollback_reason.startswith("rolled back by itself: in its first day")
    pointed = scene.store.pointer("web")
    assert pointed is not None
    assert (pointed[0].version, pointed[0].previous) == (good, card.version)
    scene.clock.now += timedelta(days=2)
    assert scene.watch().rollback_reason == ""


def test_a_promotion_that_does_well_stays(scene: Scene) -> None:
    demand = scene.feed()
    scene.serve(demand, until=NOW - timedelta(days=3))
    better = scene.serve(demand, until=NOW)
    scene.clock.now = NOW + timedelta(hours=25)

    assert scene.watch().rollback_reason == ""
    assert scene.store.latest("web").card.version == better


def _no_csv(scene: Scene) -> None:
    scene.blobs.write("demand.csv", b"nonsense", if_etag=None)


def _nothing(scene: Scene) -> None:
    del scene


@pytest.mark.parametrize("make", [_no_csv, _nothing])
def test_demand_that_cannot_be_used_starts_nothing_and_is_noted(scene: Scene, make: Callable[[Scene], None]) -> None:
    make(scene)

    assert scene.watch().note
    assert scene.jobs.jobs == {}


def test_a_watch_that_meets_a_bug_ends_red(scene: Scene) -> None:
    scene.serve(scene.feed(), until=NOW)
    scene.blobs.write("decisions/web/2026-11-23.jsonl", b"{broken", if_etag=None)

    with pytest.raises(TickFailed, match="web"):
        scene.watch()
