import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.errors import BlobChanged, BlobNotFound, CloudError, ModelRefused, TrainingRefused
from shared.forecasting.card import version_at
from shared.forecasting.file_format import MAX_ARRAY_BYTES, write_model
from shared.forecasting.model_cache import ModelCache, Slot
from shared.forecasting.store import ModelStore
from shared.local.directory_blobs import DirectoryBlobs
from tests.builders import NOW, draft_card


@pytest.fixture
def blobs(tmp_path: Path) -> DirectoryBlobs:
    return DirectoryBlobs(tmp_path)


@pytest.fixture
def store(blobs: DirectoryBlobs) -> ModelStore:
    return ModelStore(blobs)


def overwrite(blobs: DirectoryBlobs, name: str, data: bytes) -> None:
    blobs.write(name, data, if_etag=blobs.read(name).etag)


def published(store: ModelStore, version: str = "1", **changes: Any) -> None:
    store.publish(draft_card(version=version, **changes), {})
    store.promote("web", version, now_utc=NOW, reason="")


def test_a_model_serves_once_it_is_promoted(store: ModelStore) -> None:
    store.publish(draft_card(version="1"), {})

    with pytest.raises(BlobNotFound):
        store.latest("web")

    store.promote("web", "1", now_utc=NOW, reason="first")

    assert store.latest("web").card.version == "1"
    assert store.versions("web") == ["1"]


def test_a_version_is_never_overwritten(store: ModelStore) -> None:
    card = store.publish(draft_card(version="1"), {"a": np.array(1.0)})

    with pytest.raises(BlobChanged):
        store.publish(draft_card(version="1"), {"b": np.array(2.0)})

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
    overwrite(blobs, "models/web/2/model.npz", b"damaged")

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
    overwrite(blobs, "models/web/2/model.npz", write_model({"swapped": np.array(1.0)}))

    with pytest.raises(ModelRefused, match="models/web/2/model.npz has SHA-256 .*, its card says") as raised:
        store.latest("web")

    assert "publish the model again" in str(raised.value)
    good = store.last_good("web")
    assert good is not None
    assert good.card.version == "1"


def test_a_card_from_before_the_plain_arrays_is_refused(store: ModelStore, blobs: DirectoryBlobs) -> None:
    card = store.publish(draft_card(version="1"), {})
    earlier = json.loads(card.model_dump_json())
    del earlier["timezone"], earlier["holidays"]
    overwrite(blobs, "models/web/1/card.json", json.dumps(earlier).encode())

    with pytest.raises(ModelRefused, match="timezone: Field required.*: train and publish again"):
        store.load("web", "1")


def test_a_model_too_large_to_be_loaded_again_is_not_published(store: ModelStore) -> None:
    with pytest.raises(TrainingRefused, match="a file may hold"):
        store.publish(draft_card(version="1"), {"a": np.zeros(MAX_ARRAY_BYTES // 8 + 1)})

    assert store.versions("web") == []


def test_two_stores_may_share_what_they_loaded(blobs: DirectoryBlobs) -> None:
    cache = ModelCache()
    one, other = ModelStore(blobs, cache), ModelStore(blobs, cache)
    published(one, "1")

    model = one.latest("web")

    assert other.latest("web") is model
    assert other.last_good("web") is model


def test_a_model_that_the_cache_had_no_room_for_is_loaded_again(blobs: DirectoryBlobs) -> None:
    store = ModelStore(blobs, ModelCache(limit_bytes=-1))
    published(store, "1")

    assert store.latest("web").card.version == store.latest("web").card.version == "1"
    assert store.last_good("web") is None
    assert store.cache.get(Slot.SERVING, "web") is None


def test_a_pool_without_a_model_has_no_last_good_one(store: ModelStore) -> None:
    assert store.last_good("web") is None
    assert store.pointer("web") is None
    assert store.versions("web") == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"format_version": 2}, "format version 2, this app reads 1", id="another format"),
        pytest.param({"family": "oracle"}, "models/web/1/model.npz is of the family 'oracle'", id="another family"),
        pytest.param({"family": ""}, r"not a card of format 1 \(family", id="no family"),
        pytest.param({"pool": "other"}, "says it is of pool 'other'", id="another pool's"),
        pytest.param({"version": "7"}, "version '7'", id="another version's"),
        pytest.param({"colour": 1}, r"not a card of format 1 \(colour", id="an unknown key"),
        pytest.param({"horizon": 0}, r"not a card of format 1 \(horizon", id="no horizon"),
        pytest.param({"horizon": 10**9}, r"not a card of format 1 \(horizon", id="a horizon without end"),
        pytest.param({"step_s": 1e300}, r"not a card of format 1 \(step_s", id="a step of ages"),
        pytest.param({"step_s": 1e-9}, r"not a card of format 1 \(step_s", id="a step of nothing"),
    ],
)
def test_a_card_that_is_not_ours_is_refused(
    store: ModelStore, blobs: DirectoryBlobs, changes: dict[str, Any], expected: str
) -> None:
    card = store.publish(draft_card(version="1"), {})
    overwrite(blobs, "models/web/1/card.json", json.dumps({**json.loads(card.model_dump_json()), **changes}).encode())

    with pytest.raises(ModelRefused, match=expected):
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
