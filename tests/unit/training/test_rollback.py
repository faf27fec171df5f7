"""Back to the model before: once, however often it is asked, and never over somebody else's decision."""

from pathlib import Path

import pytest

from shared.errors import BlobChanged, NoPreviousModel
from shared.forecasting.store import ModelStore
from shared.local.directory_blobs import DirectoryBlobs
from tests.builders import NOW, draft_card
from training.rollback import roll_back


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    models = ModelStore(DirectoryBlobs(tmp_path))
    [models.publish(draft_card(version=version), {}) for version in "123"]
    return models


def serving(store: ModelStore) -> tuple[str, str | None]:
    pointed = store.pointer("web")
    assert pointed is not None
    return pointed[0].version, pointed[0].previous


def promote(store: ModelStore, *versions: str) -> None:
    [store.promote("web", version, now_utc=NOW, reason="a test") for version in versions]


def back_from(store: ModelStore, version: str) -> str:
    return roll_back(store, "web", from_version=version, now_utc=NOW, reason="a test").version


def test_the_version_before_serves_again_and_a_repeat_changes_nothing(store: ModelStore) -> None:
    promote(store, "1", "2")

    assert [back_from(store, "2"), back_from(store, "2")] == ["1", "1"]
    assert serving(store) == ("1", "2")


def test_there_is_nothing_before_the_first_model(store: ModelStore) -> None:
    with pytest.raises(NoPreviousModel, match="no model of pool 'web' serves"):
        back_from(store, "1")
    promote(store, "1")
    with pytest.raises(NoPreviousModel, match="before version '1'"):
        back_from(store, "1")


def test_a_version_that_somebody_replaced_is_not_rolled_back_again(store: ModelStore) -> None:
    promote(store, "1", "2", "3")

    assert back_from(store, "2") == "3"
    with pytest.raises(BlobChanged, match="'3' serves"):
        back_from(store, "1")
    assert serving(store) == ("3", "2")


def test_a_promotion_in_place_of_a_version_that_no_longer_serves_loses(store: ModelStore) -> None:
    promote(store, "1", "2")

    with pytest.raises(BlobChanged, match="version '1' of pool 'web' does not serve, '2' does"):
        store.promote("web", "3", now_utc=NOW, reason="a test", instead_of="1")
    assert serving(store) == ("2", "1")


def test_promoting_the_version_that_serves_changes_nothing(store: ModelStore) -> None:
    promote(store, "1", "2")
    before = store.pointer("web")

    promote(store, "2")

    assert store.pointer("web") == before
