import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from shared.demand.history import History
from shared.demand.workshop_log import read_workshop_log
from shared.errors import BlobNotFound, TrainingRefused
from shared.forecasting.card import ModelCard
from shared.forecasting.store import ModelStore
from shared.local.directory_blobs import DirectoryBlobs
from shared.pools import read_pools
from tests.builders import pool, pool_json, pools_file, workshop_json
from tests.demand import daily, history_of
from tests.fakes.workshop_logs import workshop_log
from training.__main__ import main
from training.publish import fit_candidate, publish
from training.selection import TrainOptions, compete, train
from training.verdict import Rule

pytestmark = pytest.mark.slow

SIZING = {"kind": "capacity", "units_per_node": 50, "slo": 0.95}
POOL = pool(lead_time_min=60, max_nodes=1000, sizing=SIZING)
HISTORY = history_of(daily(12, noise=0.05))
NOW = HISTORY.end_utc


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(DirectoryBlobs(tmp_path))


def publish_and_promote(store: ModelStore, family: str, *, known_days: int) -> ModelCard:
    past = HISTORY.first(48 * known_days)
    card = publish(store, POOL, past, fit_candidate(POOL, past, family=family), now_utc=past.end_utc)
    store.promote("web", card.version, now_utc=past.end_utc, reason="test")
    return card


def test_the_first_model_is_the_best_family_and_its_card_tells_all(store: ModelStore) -> None:
    trained = train(store, POOL, HISTORY, TrainOptions(), now_utc=NOW)

    assert (trained.verdict.promoted, trained.verdict.rule) == (True, Rule.FIRST_MODEL)
    assert store.latest("web").card == trained.card
    assert {trial.name for trial in trained.card.trials} >= {"seasonal_naive", "ridge"}
    assert trained.card.scores == trained.verdict.challenger
    assert trained.card.prices is not None
    assert trained.card.training.end_utc == HISTORY.end_utc
    assert "without having seen them, then fitted on all" in trained.card.reason
    assert "boosting needs" in trained.card.reason


def test_a_champion_that_is_not_beaten_stays_and_the_challenger_is_kept_beside_it(store: ModelStore) -> None:
    first = train(store, POOL, HISTORY, TrainOptions(), now_utc=NOW)

    second = train(store, POOL, HISTORY, TrainOptions(), now_utc=NOW + timedelta(hours=1))

    assert (second.verdict.promoted, second.verdict.rule) == (False, Rule.NOT_BETTER)
    assert second.verdict.champion_version == first.card.version
    assert "stood in" in second.verdict.reason
    assert store.latest("web").card.version == first.card.version
    assert store.card("web", second.card.version).reason.startswith("not better")


def test_force_promotes_whatever_the_verdict(store: ModelStore) -> None:
    train(store, POOL, HISTORY, TrainOptions(), now_utc=NOW)

    forced = train(store, POOL, HISTORY, TrainOptions(force=True), now_utc=NOW + timedelta(hours=1))

    assert (forced.verdict.promoted, forced.verdict.rule) == (True, Rule.FORCED)
    assert store.latest("web").card.version == forced.card.version


def test_a_champion_is_judged_on_what_it_has_not_seen(store: ModelStore) -> None:
    champion = publish_and_promote(store, "seasonal_naive", known_days=9)

    trained = train(store, POOL, HISTORY, TrainOptions(), now_utc=NOW)

    assert trained.verdict.champion_version == champion.version
    assert trained.verdict.champion["scored_intervals"] == trained.verdict.challenger["scored_intervals"] == 3 * 48


def test_a_champion_of_another_lead_time_gives_way(store: ModelStore) -> None:
    publish_and_promote(store, "ridge", known_days=9)
    slower = POOL.model_copy(update={"lead_time_min": 120.0})

    trained = train(store, slower, HISTORY, TrainOptions(), now_utc=NOW)

    assert (trained.verdict.promoted, trained.verdict.rule) == (True, Rule.CHAMPION_UNFIT)
    assert "the pool needs 5" in trained.verdict.reason


def test_too_short_a_history_gets_the_naive_but_never_in_place_of_a_champion(store: ModelStore) -> None:
    first = train(store, POOL, HISTORY.first(300), TrainOptions(), now_utc=NOW)
    second = train(store, POOL, HISTORY.first(300), TrainOptions(), now_utc=NOW + timedelta(hours=1))

    assert (first.card.family, first.verdict.promoted) == ("seasonal_naive", True)
    assert "300 intervals are too few to judge models on" in first.card.reason
    assert (second.verdict.promoted, second.verdict.rule) == (False, Rule.NOT_JUDGED)


def test_quick_fits_and_serves_without_a_judgement(store: ModelStore) -> None:
    quick = train(store, POOL, HISTORY, TrainOptions(quick=True), now_utc=NOW)

    assert (quick.card.family, quick.verdict.rule) == ("forest", Rule.NOT_JUDGED)
    assert quick.card.trials == ()


def workshop_history(days: int = 365) -> History:
    return read_workshop_log(workshop_log(), end_utc=NOW).first(days)


def test_the_workshops_champion_stays_where_nothing_is_better(store: ModelStore) -> None:
    workshop, log = read_pools(pools_file(workshop_json()))[0], workshop_history()
    first = train(store, workshop, log, TrainOptions(), now_utc=NOW)

    again = train(store, workshop, log, TrainOptions(), now_utc=NOW + timedelta(hours=1))

    assert first.verdict.promoted
    assert (again.verdict.promoted, again.verdict.rule) == (False, Rule.NOT_BETTER)
    assert again.verdict.champion_version == first.card.version


def test_the_workshops_champion_gives_way_to_one_as_good_that_has_seen_more(store: ModelStore) -> None:
    workshop = read_pools(pools_file(workshop_json()))[0]
    train(store, workshop, workshop_history(days=340), TrainOptions(), now_utc=NOW)

    later = train(store, workshop, workshop_history(), TrainOptions(), now_utc=NOW + timedelta(hours=1))

    assert later.verdict.promoted
    assert later.verdict.rule in {Rule.RENEWED, Rule.BETTER_FORECASTS}


@pytest.mark.parametrize("values", [[np.nan] * 900, [7.0] * 900, [1.0, 2.0, 3.0]])
def test_garbage_publishes_nothing(store: ModelStore, values: list[float]) -> None:
    with pytest.raises(TrainingRefused):
        train(store, POOL, history_of(np.array(values)), TrainOptions(), now_utc=NOW)

    assert store.versions("web") == []
    with pytest.raises(BlobNotFound):
        store.latest("web")


def test_progress_is_told_family_by_family() -> None:
    reported: list[str] = []

    competition = compete(
        POOL, HISTORY, progress=lambda done, total, doing: reported.append(f"{done <= total} {doing}")
    )

    assert competition is not None
    assert reported[0] == "True seasonal_naive: fitting"
    assert {line.split()[1] for line in reported} == {"seasonal_naive:", "ridge:"}


def write_csv(path: Path, values: list[float]) -> Path:
    rows = [f"{HISTORY.instant(i):%Y-%m-%dT%H:%M:%SZ},{'' if np.isnan(v) else v}" for i, v in enumerate(values)]
    path.write_text("\n".join(["timestamp,demand", *rows]))
    return path


def test_evaluate_shows_every_family_of_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_csv(tmp_path / "demand.csv", HISTORY.demand.tolist())

    code = main(["evaluate", str(path), "--slo", "0.95", "--json"])
    rows = json.loads(capsys.readouterr().out)

    assert code == 0
    assert [row["family"] for row in rows] == ["seasonal_naive", "ridge"]
    assert sum(row["best"] for row in rows) == 1


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([float("nan")] * 500, "no interval has a known demand"),
        ([4.0] * 500, "nothing to learn from"),
        ([1.0, 2.0] * 40, "too few to judge on"),
    ],
)
def test_evaluate_of_a_bad_file_is_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], values: list[float], expected: str
) -> None:
    code = main(["evaluate", str(write_csv(tmp_path / "demand.csv", values))])
    error = capsys.readouterr().err.strip().splitlines()[-1]

    assert code == 1
    assert error.startswith("error: ")
    assert expected in error


def test_fit_publishes_a_pool_and_tells_the_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    good = pool_json(name="web", lead_time_min=60, max_nodes=1000, sizing=SIZING)
    bad = replace_path(good, name="flat", path="flat.csv")
    (tmp_path / "config").mkdir()
    (tmp_path / "config/pools.json").write_bytes(pools_file(good, bad))
    write_csv(tmp_path / "demand.csv", HISTORY.demand.tolist())
    write_csv(tmp_path / "flat.csv", [4.0] * 500)
    monkeypatch.setenv("FORESCALE_BACKEND", "local")
    monkeypatch.setenv("FORESCALE_LOCAL_DIR", str(tmp_path))

    main(["fit", "--quick", "--json", "--pool", "flat", "--pool", "web"])
    results = json.loads(capsys.readouterr().out)["pools"]

    assert (results["web"]["stage"], results["flat"]["stage"]) == ("promoted", "refused")
    assert "flat: the demand is 4" in results["flat"]["why"]


def replace_path(pool_: dict[str, object], *, name: str, path: str) -> dict[str, object]:
    return {**pool_, "name": name, "demand": {"source": "blob", "path": path}}
