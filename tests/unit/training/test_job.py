"""The job: better models serve, others do not, garbage makes none, and each says why."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from shared.demand.csv_format import write_demand_csv
from shared.demand.history import History
from shared.errors import CloudError
from shared.forecasting.store import ModelStore
from shared.local.directory_blobs import DirectoryBlobs
from shared.pools import Pool
from tests.builders import NOW, history, pool
from tests.fakes.clock import FakeClock
from training.job import TrainingJob, is_failed
from training.results import PoolStage, Results
from training.selection import TrainOptions

DAY = 24
HOUR = timedelta(hours=1)


@dataclass
class FakeTracker:
    numbers: dict[str, float] = field(default_factory=dict)
    models: list[str] = field(default_factory=list)
    fails: bool = False

    def log(self, name: str, value: float) -> None:
        if self.fails:
            message = "503"
            raise CloudError(message)
        self.numbers[name] = value

    def register(self, name: str, data: bytes, tags: object) -> None:
        assert data
        assert tags
        self.models.append(name)


@dataclass(kw_only=True)
class Bench:
    blobs: DirectoryBlobs
    clock: FakeClock
    tracker: FakeTracker = field(default_factory=FakeTracker)
    pool: Pool = field(default_factory=pool)

    @property
    def store(self) -> ModelStore:
        return ModelStore(self.blobs)

    def feed(self, demand: History) -> None:
        try:
            held = self.blobs.read("demand.csv")
        except Exception:  # noqa: BLE001
            held = None
        self.blobs.write("demand.csv", write_demand_csv(demand).encode(), if_etag=held.etag if held else None)

    def train(self, run_id: str = "one", *, force: bool = False) -> tuple[PoolStage, str]:
        job = TrainingJob(
            blobs=self.blobs,
            store=self.store,
            results=Results(self.blobs),
            tracker=self.tracker,
            clock=self.clock,
        )
        result = job.run([self.pool], run_id=run_id, options=TrainOptions(force=force))
        assert Results(self.blobs).read(run_id) == result
        assert is_failed(result) is (result.pools["web"].stage is PoolStage.FAILED)
        return result.pools["web"].stage, result.pools["web"].why


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(blobs=DirectoryBlobs(tmp_path), clock=FakeClock(NOW))


def daily(days: float, *, peak_h: int = 0) -> list[float]:
    beat = np.arange(int(days * DAY))
    noise = np.random.default_rng(1).normal(0, 20, len(beat))
    return list(400 * (1 + 0.8 * np.cos((beat - peak_h) * 2 * np.pi / DAY)) + noise.clip(-60, 60))


def test_the_first_model_that_can_forecast_serves(bench: Bench) -> None:
    bench.feed(history(daily(25), step=HOUR))

    stage, why = bench.train()

    assert (stage, why.startswith("the first model")) == (PoolStage.PROMOTED, True)
    card = bench.store.latest("web").card
    assert 0 < card.scores["pinball_share"] < 0.2
    assert bench.tracker.numbers["web.pinball_share"] == card.scores["pinball_share"]
    assert bench.tracker.models == ["forescale-web"]


def test_a_model_made_again_at_once_does_not_replace_its_like(bench: Bench) -> None:
    bench.feed(history(daily(10), step=HOUR))
    bench.train()
    serving = bench.store.latest("web").card.version
    bench.clock.advance(minutes=5)

    stage, why = bench.train("two")

    assert stage is PoolStage.NOT_PROMOTED
    assert "the champion stays" in why
    assert bench.store.latest("web").card.version == serving
    assert len(bench.store.versions("web")) == 2


def test_two_models_of_one_second_have_versions_of_their_own(bench: Bench) -> None:
    bench.feed(history(daily(10), step=HOUR))

    stages = [bench.train(run_id, force=True)[0] for run_id in ("one", "two", "three")]

    assert stages == [PoolStage.PROMOTED] * 3
    assert bench.store.versions("web") == ["20261123T120000Z", "20261123T120001Z", "20261123T120002Z"]
    assert bench.store.latest("web").card.version == "20261123T120002Z"


def test_a_model_that_has_seen_a_new_rhythm_replaces_one_that_has_not(bench: Bench) -> None:
    old, new = daily(8), daily(16, peak_h=12)
    bench.clock.now = NOW - timedelta(days=16)
    bench.feed(history(old, end_utc=bench.clock.now, step=HOUR))
    bench.train()
    bench.clock.now = NOW
    bench.feed(history(old + new, step=HOUR))

    stage, why = bench.train("two")

    assert stage is PoolStage.PROMOTED, why
    assert "cheaper" in why


def test_force_lets_a_model_serve_that_is_not_better(bench: Bench) -> None:
    bench.feed(history(daily(10), step=HOUR))
    bench.train()
    bench.clock.advance(minutes=5)

    stage, why = bench.train("two", force=True)

    assert stage is PoolStage.PROMOTED
    assert why.startswith("forced, although ")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param([math.nan] * 600, "demand", id="all unknown"),
        pytest.param([7.0] * 600, "7 in all 600 intervals", id="constant"),
        pytest.param([1.0, 2.0, 3.0], "3 intervals of demand are known", id="three points"),
        pytest.param([0.0] * 600, "0 in all 600 intervals", id="nothing but zero"),
        pytest.param([math.nan] * 590 + [1.0, 2.0] * 5, "10 intervals of demand are known", id="mostly unknown"),
    ],
)
def test_garbage_promotes_nothing_and_says_why(bench: Bench, values: list[float], expected: str) -> None:
    bench.feed(history(values))

    stage, why = bench.train()

    assert stage is PoolStage.REFUSED
    assert expected in why
    assert bench.store.pointer("web") is None


def test_garbage_leaves_the_serving_model_in_its_place(bench: Bench) -> None:
    bench.feed(history(daily(10), step=HOUR))
    bench.train()
    serving = bench.store.latest("web").card.version
    bench.feed(history([5.0] * 3000))
    bench.clock.advance(minutes=5)

    assert bench.train("two")[0] is PoolStage.REFUSED
    assert bench.store.latest("web").card.version == serving


def test_a_pool_without_demand_says_so(bench: Bench) -> None:
    stage, why = bench.train()

    assert stage is PoolStage.REFUSED
    assert "demand.csv" in why


def test_that_azure_ml_does_not_listen_keeps_no_model_from_serving(bench: Bench) -> None:
    bench.feed(history(daily(10), step=HOUR))
    bench.tracker.fails = True

    assert bench.train()[0] is PoolStage.PROMOTED


def _corrupt(blobs: DirectoryBlobs) -> None:
    name = next(name for name in blobs.names("models/web/") if name.endswith("model.npz"))
    held = blobs.read(name)
    assert held is not None
    blobs.write(name, b"damaged", if_etag=held.etag)


def _misplace(blobs: DirectoryBlobs) -> None:
    held = blobs.read("models/web/latest.json")
    assert held is not None
    blobs.write("models/web/latest.json", b"{}", if_etag=held.etag)


@pytest.mark.parametrize("damage", [_corrupt, _misplace])
def test_a_serving_model_that_is_refused_is_replaced(bench: Bench, damage: Callable[[DirectoryBlobs], None]) -> None:
    bench.feed(history(daily(10), step=HOUR))
    bench.train()
    damage(bench.blobs)
    bench.clock.advance(minutes=5)

    stage, why = bench.train("two")

    assert "the champion cannot be loaded" in why
    assert stage in {PoolStage.PROMOTED, PoolStage.FAILED}
