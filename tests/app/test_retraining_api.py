"""Retraining and models over HTTP, through the app's real handlers in a local world: what a caller is answered."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.forecasting.store import ModelStore
from shared.local.directory_blobs import DirectoryBlobs
from shared.pools import POOLS_FILE
from shared.settings import load_settings
from tests.builders import NOW, draft_card, pool_json, pools_file
from tests.fakes.http_calls import call, ended
from training import wiring


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DirectoryBlobs]:
    """A local world without a pools file."""
    monkeypatch.setenv("FORESCALE_BACKEND", "local")
    monkeypatch.setenv("FORESCALE_LOCAL_DIR", str(tmp_path))
    yield DirectoryBlobs(tmp_path)
    wiring.jobs_of.cache_clear()


@pytest.fixture
def blobs(bare: DirectoryBlobs) -> DirectoryBlobs:
    """A local world with one pool."""
    bare.write(POOLS_FILE, pools_file(pool_json()), if_etag=None)
    return bare


@pytest.fixture
def store(blobs: DirectoryBlobs) -> ModelStore:
    """The models of the one pool, three of them published."""
    models = ModelStore(blobs)
    models.publish(draft_card(version="1"), {})
    models.publish(draft_card(version="2"), {})
    models.publish(draft_card(version="3"), {})
    return models


def promote(store: ModelStore, *versions: str) -> None:
    [store.promote("web", version, now_utc=NOW, reason="a test") for version in versions]


def serving() -> tuple[str, str | None]:
    pointer = call("models", pool="web").body["serving"]
    return pointer["version"], pointer["previous"]


# the pools file


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("function", "body"),
    [
        ("retrain", {}),
        ("models", None),
        ("model_promote", {"version": "1"}),
        ("model_rollback", {"from_version": "1"}),
    ],
)
def test_without_a_pools_file_every_call_that_needs_it_names_it(function: str, body: object) -> None:
    answered = call(function, body=body, pool="web")

    assert (answered.status, answered.problem) == (503, "not-configured")
    assert POOLS_FILE in answered.body["detail"]
    assert "upload" in answered.body["detail"]


@pytest.mark.usefixtures("blobs")
@pytest.mark.parametrize("name", ["nope", "x" * 5000, "../web", "web\0"])
def test_a_pool_that_is_not_in_the_file_is_named_with_those_that_are(name: str) -> None:
    answered = call("models", pool=name)

    assert (answered.status, answered.problem) == (404, "pool-unknown")
    assert "it has web" in answered.body["detail"]
    assert len(answered.body["detail"]) < 300


# promotion and rollback


@pytest.mark.usefixtures("store")
def test_a_rollback_where_no_model_serves_is_a_conflict_that_names_the_pool() -> None:
    answered = call("model_rollback", pool="web", body={"from_version": "1"})

    assert (answered.status, answered.problem) == (409, "no-previous-model")
    assert "'web'" in answered.body["detail"]


def test_a_rollback_with_nothing_before_is_a_conflict_that_names_the_version(store: ModelStore) -> None:
    promote(store, "1")

    answered = call("model_rollback", pool="web", body={"from_version": "1"})

    assert (answered.status, answered.problem) == (409, "no-previous-model")
    assert "version '1'" in answered.body["detail"]
    assert serving() == ("1", None)


def test_a_rollback_lets_the_version_before_serve(store: ModelStore) -> None:
    promote(store, "1", "2")

    answered = call("model_rollback", pool="web", body={"from_version": "2", "reason": "it was worse"})

    assert answered.status == 200
    assert answered.body["serving"]["reason"] == "it was worse"
    assert serving() == ("1", "2")


def test_a_repeated_rollback_is_answered_as_done_and_does_not_bring_the_bad_model_back(store: ModelStore) -> None:
    promote(store, "1", "2")
    body = {"from_version": "2"}

    first = call("model_rollback", pool="web", body=body)
    again = call("model_rollback", pool="web", body=body)

    assert (first.status, again.status) == (200, 200)
    assert again.body == first.body
    assert serving() == ("1", "2")


def test_a_rollback_from_a_version_that_does_not_serve_changes_nothing(store: ModelStore) -> None:
    promote(store, "1", "2")

    answered = call("model_rollback", pool="web", body={"from_version": "3"})

    assert (answered.status, answered.problem) == (409, "changed")
    assert "'2' serves" in answered.body["detail"]
    assert serving() == ("2", "1")


@pytest.mark.usefixtures("store")
def test_a_rollback_says_from_which_version() -> None:
    answered = call("model_rollback", pool="web", body={})

    assert (answered.status, answered.problem) == (400, "bad-request")
    assert "from_version" in answered.body["detail"]


def test_promoting_the_version_that_serves_changes_nothing(store: ModelStore) -> None:
    promote(store, "1", "2")

    answered = call("model_promote", pool="web", body={"version": "2"})

    assert answered.status == 200
    assert serving() == ("2", "1")
    call("model_rollback", pool="web", body={"from_version": "2"})
    assert serving() == ("1", "2")


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("version", ["../1", "a/b", "/1", "1\0", "1" * 5000, "", ".", "..", ".1", " 1", "1\n", "é", 1])
def test_what_is_no_version_is_a_bad_request(version: object) -> None:
    promoted = call("model_promote", pool="web", body={"version": version})
    rolled_back = call("model_rollback", pool="web", body={"from_version": version})

    assert (promoted.status, promoted.problem) == (400, "bad-request")
    assert (rolled_back.status, rolled_back.problem) == (400, "bad-request")
    assert len(promoted.body["detail"]) < 300


@pytest.mark.usefixtures("store")
def test_a_version_that_was_never_published_is_not_found() -> None:
    answered = call("model_promote", pool="web", body={"version": "19990101T000000Z"})

    assert (answered.status, answered.problem) == (404, "not-found")


def test_a_pointer_that_cannot_be_read_hides_no_versions(store: ModelStore, blobs: DirectoryBlobs) -> None:
    promote(store, "1")
    blobs.write("models/web/latest.json", b"damaged", if_etag=blobs.read("models/web/latest.json").etag)

    listed = call("models", pool="web")

    assert listed.status == 200
    assert "cannot be read" in listed.body["serving"]["refused"]
    assert [version["version"] for version in listed.body["versions"]] == ["3", "2", "1"]
    assert call("model_promote", pool="web", body={"version": "1"}).status == 200


# runs, and the service that runs them


BACKENDS = [
    ("none", "is none"),
    ("azureml_jobs", "cannot reach the local backend"),
]


@pytest.mark.usefixtures("blobs")
@pytest.mark.parametrize(("backend", "words"), BACKENDS)
def test_runs_are_listed_and_looked_up_without_a_service_that_runs_them(
    backend: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORESCALE_RETRAINING_BACKEND", backend)

    started = call("retrain", body={})
    listed = call("retrain_list")

    assert (started.status, started.problem) == (503, "not-configured")
    assert words in started.body["detail"]
    assert (listed.status, listed.body) == (200, {"runs": []})
    assert call("retrain_status", run_id="nobody").status == 404
    assert call("retrain_cancel", run_id="nobody").status == 404


@pytest.mark.usefixtures("blobs")
def test_a_run_that_is_over_is_looked_up_without_a_service_and_one_that_is_not_says_why_it_may_be_old(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    over = call("retrain", body={}).body["run_id"]
    call("retrain_cancel", run_id=over)
    ended(over)
    active = call("retrain", body={}).body["run_id"]
    monkeypatch.setenv("FORESCALE_RETRAINING_BACKEND", "none")

    assert call("retrain_status", run_id=over).body["state"] == "canceled"
    assert call("retrain_cancel", run_id=over).body["state"] == "canceled"
    stale = call("retrain_status", run_id=active)
    assert (stale.status, stale.body["state"]) == (200, "queued")
    assert "retraining is not set up" in stale.body["note"]
    assert call("retrain_cancel", run_id=active).status == 503
    assert [run["run_id"] for run in call("retrain_list").body["runs"]] == [active, over]
    monkeypatch.delenv("FORESCALE_RETRAINING_BACKEND")
    ended(active)


@pytest.mark.usefixtures("blobs")
def test_a_canceled_run_says_how_far_it_came_and_leaves_no_pool_waiting() -> None:
    run_id = call("retrain", body={}).body["run_id"]

    call("retrain_cancel", run_id=run_id)
    canceled = ended(run_id)

    assert (canceled["state"], canceled["progress"]) == ("canceled", 0.0)
    assert canceled["results"]["web"]["stage"] == "unfinished"
    assert "canceled" in canceled["results"]["web"]["why"]


@pytest.mark.usefixtures("blobs")
def test_a_key_that_was_answered_with_a_run_that_was_going_is_answered_with_it_again() -> None:
    key = {"idempotency-key": "once"}
    first = call("retrain", body={}).body
    joined = call("retrain", body={}, headers=key).body
    call("retrain_cancel", run_id=first["run_id"])
    ended(first["run_id"])

    again = call("retrain", body={}, headers=key).body
    other = call("retrain", body={"force": True}, headers=key)

    assert (joined["run_id"], joined["started"]) == (first["run_id"], False)
    assert (again["run_id"], again["started"], again["state"]) == (first["run_id"], False, "canceled")
    assert (other.status, other.problem) == (422, "key-reused")


@pytest.mark.usefixtures("blobs")
@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"pool": "web"}, "did you mean 'pools'"),
        ({"pools": []}, "pools"),
        ({"pools": ["web"], "reason": ""}, "reason"),
        ({"reason": "x" * 501}, "reason"),
        (["web"], "the body"),
        (b"{", "is not JSON"),
        (b"\xff", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
    ],
)
def test_a_request_that_is_not_understood_says_what_is_wrong(body: object, words: str) -> None:
    answered = call("retrain", body=body)

    assert (answered.status, answered.problem) == (400, "bad-request")
    assert words in answered.body["detail"]
    assert answered.body["remedy"]


@pytest.mark.usefixtures("blobs")
def test_a_key_that_is_too_long_is_a_bad_request() -> None:
    answered = call("retrain", body={}, headers={"idempotency-key": "k" * 256})

    assert (answered.status, answered.problem) == (400, "bad-request")
    assert call("retrain_list").body["runs"] == []


@pytest.mark.usefixtures("blobs")
def test_listing_runs_reads_no_source_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(wiring, "ROOT", tmp_path / "no-app-here")

    assert call("retrain_list").status == 200
    assert load_settings().local_dir == tmp_path
