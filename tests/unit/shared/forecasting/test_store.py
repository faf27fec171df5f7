import hashlib
import io
import json
import pickle  # noqa: TID251 - to write what must be refused
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.linear_model import LinearRegression

from shared.errors import BlobChanged, BlobNotFound, CloudError, ModelRefused
from shared.forecasting.card import Family, version_at
from shared.forecasting.model import loaded, pack, unpack
from shared.forecasting.store import ModelStore
from shared.local.directory_blobs import DirectoryBlobs
from tests.builders import NOW, draft_card, flat
from tests.fakes.hostile_pickles import Running


@pytest.fixture
def blobs(tmp_path: Path) -> DirectoryBlobs:
    return DirectoryBlobs(tmp_path)


@pytest.fixture
def store(blobs: DirectoryBlobs) -> ModelStore:
    return ModelStore(blobs)


class Own:
    """A type that nobody trusts."""

    def __init__(self) -> None:
        self.value = 1


def overwrite(blobs: DirectoryBlobs, name: str, data: bytes) -> None:
    blobs.write(name, data, if_etag=blobs.read(name).etag)


def published(store: ModelStore, version: str = "1", **changes: Any) -> None:
    store.publish(draft_card(version=version, **changes), {})
    store.promote("web", version, now_utc=NOW, reason="")


# what a model file may hold


def test_what_is_packed_is_unpacked() -> None:
    model = LinearRegression().fit(np.array([[0.0], [1.0]]), np.array([1.0, 3.0]))

    content = unpack(pack({"model": model, "levels": np.array([0.5]), "names": ["a"]}), name="m")

    assert content["model"].predict(np.array([[2.0]])) == pytest.approx([5.0])
    assert (content["levels"].tolist(), content["names"]) == ([0.5], ["a"])


def test_a_type_that_is_not_trusted_is_refused_by_name() -> None:
    with pytest.raises(ModelRefused, match=r"models/web/1 holds the untrusted type .*Own"):
        unpack(pack({"model": Own()}), name="models/web/1")


def test_an_untrusted_type_deep_inside_runs_nothing(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    schema = {
        "__class__": "system",
        "__module__": "os",
        "__loader__": "FunctionNode",
        "__id__": 1,
        "content": {"module_path": "os", "function": "system"},
        "protocol": 2,
        "_skops_version": "0.16",
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("schema.json", json.dumps(schema))

    with pytest.raises(ModelRefused, match="os.system|no readable model file"):
        unpack(file.getvalue(), name="m")

    assert not trap.exists()


def test_a_pickle_in_place_of_a_model_runs_nothing(tmp_path: Path) -> None:
    trap = tmp_path / "trap"

    with pytest.raises(ModelRefused, match="m is no readable model file"):
        unpack(pickle.dumps(Running(exec, f"open({str(trap)!r}, 'w')")), name="m")

    assert not trap.exists()


def test_a_model_file_cut_off_anywhere_is_refused() -> None:
    whole = pack({"levels": np.array([0.5, 0.9])})
    told = [refusal_of(whole[:length]) for length in range(0, len(whole), 13)]

    assert all("is no readable model file" in message for message in told)


def refusal_of(data: bytes) -> str:
    with pytest.raises(ModelRefused) as told:
        unpack(data, name="m")
    return str(told.value)


@pytest.mark.parametrize("content", [[1, 2], "text", np.ones(2), None])
def test_what_is_no_models_content_is_refused(content: object) -> None:
    with pytest.raises(ModelRefused, match="not a model's content"):
        unpack(skops.io.dumps(content), name="m")


@pytest.mark.parametrize(
    ("libraries", "told"),
    [
        pytest.param({"scikit-learn": "1.2.3"}, "made with scikit-learn 1.2.3, here is", id="another minor version"),
        pytest.param({}, "made with scikit-learn unknown", id="none named"),
    ],
)
def test_a_model_of_another_scikit_learn_is_refused(libraries: dict[str, str], told: str) -> None:
    with pytest.raises(ModelRefused, match=told):
        loaded(draft_card(libraries=libraries), pack({}), name="m")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"avg_completion_time": "x", "admin_users": 1, "config_users": 2, "end_users": 3}, id="no models"),
    ],
)
def test_a_model_whose_content_is_not_its_familys_is_refused_when_it_forecasts(content: dict[str, Any]) -> None:
    signals = ("completion_time_s", "admin_users", "config_users", "end_users")
    card = draft_card(family=Family.RESPONSE_TIME, signals=signals, step_s=300.0)
    days = flat(1.0)
    log = type(days)(start_utc=days.start_utc, step=days.step, values=np.ones((30, 4)), signals=signals)

    with pytest.raises(ModelRefused, match="answered with no forecast"):
        loaded(card, pack(content), name="m").forecast(log, now_utc=NOW)


def test_a_model_fitted_on_another_step_is_refused() -> None:
    with pytest.raises(ModelRefused, match=r"every 1:00:00, the history has demand every 0:05:00: train again"):
        loaded(draft_card(step_s=3600.0), pack({}), name="m").forecast(flat(1.0), now_utc=NOW)


# the store


def test_a_model_serves_once_it_is_promoted(store: ModelStore) -> None:
    store.publish(draft_card(version="1"), {})

    with pytest.raises(BlobNotFound):
        store.latest("web")

    store.promote("web", "1", now_utc=NOW, reason="first")

    assert store.latest("web").card.version == "1"
    assert store.versions("web") == ["1"]


def test_a_version_is_never_overwritten(store: ModelStore) -> None:
    card = store.publish(draft_card(version="1"), {"a": 1})

    with pytest.raises(BlobChanged):
        store.publish(draft_card(version="1"), {"b": 2})

    assert store.card("web", "1") == card


def test_a_promotion_remembers_what_served_before(store: ModelStore) -> None:
    published(store, "1")
    published(store, "2")

    pointed = store.pointer("web")

    assert pointed is not None
    assert (pointed[0].version, pointed[0].previous) == ("2", "1")


def test_naming_an_older_version_is_the_rollback(store: ModelStore) -> None:
    published(store, "1")
    published(store, "2")

    store.promote("web", "1", now_utc=NOW, reason="rollback")

    assert store.latest("web").card.version == "1"


def test_a_version_that_does_not_load_is_not_promoted(store: ModelStore, blobs: DirectoryBlobs) -> None:
    published(store, "1")
    store.publish(draft_card(version="2"), {})
    overwrite(blobs, "models/web/2/model.skops", b"damaged")

    with pytest.raises(ModelRefused):
        store.promote("web", "2", now_utc=NOW, reason="")

    assert store.latest("web").card.version == "1"


def test_a_version_that_is_not_there_is_not_promoted(store: ModelStore) -> None:
    published(store, "1")

    with pytest.raises(BlobNotFound, match="models/web/9/card.json"):
        store.promote("web", "9", now_utc=NOW, reason="")


def test_a_wrong_hash_is_refused_and_the_last_good_model_stays(store: ModelStore, blobs: DirectoryBlobs) -> None:
    published(store, "1")
    store.latest("web")
    published(store, "2")
    overwrite(blobs, "models/web/2/model.skops", pack({"swapped": 1}))
    digest = hashlib.sha256(pack({})).hexdigest()

    with pytest.raises(ModelRefused, match="models/web/2/model.skops has SHA-256 .*, its card says") as told:
        store.latest("web")

    assert len(digest) == 64
    assert "publish the model again" in str(told.value)
    good = store.last_good("web")
    assert good is not None
    assert good.card.version == "1"


def test_a_pool_without_a_model_has_no_last_good_one(store: ModelStore) -> None:
    assert store.last_good("web") is None
    assert store.pointer("web") is None
    assert store.versions("web") == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        pytest.param({"format_version": 2}, "format version 2, this app reads 1", id="another format"),
        pytest.param({"family": "oracle"}, r"no card of format 1 \(family", id="another family"),
        pytest.param({"pool": "other"}, "says it is of pool 'other'", id="another pool's"),
        pytest.param({"version": "7"}, "version '7'", id="another version's"),
        pytest.param({"surprise": 1}, r"no card of format 1 \(surprise", id="an unknown key"),
        pytest.param({"horizon": 0}, r"no card of format 1 \(horizon", id="no horizon"),
    ],
)
def test_a_card_that_is_not_ours_is_refused(
    store: ModelStore, blobs: DirectoryBlobs, changes: dict[str, Any], told: str
) -> None:
    card = store.publish(draft_card(version="1"), {})
    overwrite(blobs, "models/web/1/card.json", json.dumps({**json.loads(card.model_dump_json()), **changes}).encode())

    with pytest.raises(ModelRefused, match=told):
        store.load("web", "1")


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff", b'{"version": 1}', b"[" * 100_000])
def test_a_pointer_that_names_no_version_is_refused(store: ModelStore, blobs: DirectoryBlobs, data: bytes) -> None:
    published(store, "1")
    overwrite(blobs, "models/web/latest.json", data)

    with pytest.raises(ModelRefused, match="models/web/latest.json cannot be read"):
        store.latest("web")

    assert blobs.read("models/web/latest.json").data == data


def test_a_pointer_cannot_lead_out_of_the_models(store: ModelStore, blobs: DirectoryBlobs) -> None:
    pointer = json.dumps({"version": "../../../../etc", "since": NOW.isoformat()}).encode()
    blobs.write("models/web/latest.json", pointer, if_etag=None)

    with pytest.raises(CloudError, match="is not a blob name"):
        store.latest("web")


def test_versions_sort_by_time() -> None:
    later = [version_at(NOW + timedelta(seconds=step)) for step in (0, 1, 60, 3600, 86_400, 40_000_000)]

    assert later == sorted(later)


def test_a_promotion_that_another_overtook_changes_nothing(blobs: DirectoryBlobs) -> None:
    store = ModelStore(blobs)
    published(store, "1")
    store.publish(draft_card(version="2"), {})
    store.publish(draft_card(version="3"), {})

    class Overtaken(DirectoryBlobs):
        """Another operator promotes version 3 between our read of the pointer and our write."""

        def write(self, name: str, data: bytes, *, if_etag: str | None) -> str:
            store.promote("web", "3", now_utc=NOW, reason="the other operator")
            return super().write(name, data, if_etag=if_etag)

    with pytest.raises(BlobChanged):
        ModelStore(Overtaken(blobs._directory)).promote("web", "2", now_utc=NOW, reason="")  # noqa: SLF001

    assert store.latest("web").card.version == "3"
