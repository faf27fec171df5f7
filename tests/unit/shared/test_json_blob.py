"""A typed document in a blob: read, written and changed under its etag."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict

from scaler.core.memory import Memory, ResponseTimeStep
from shared.errors import BlobChanged, BlobNotFound, ConfigurationError, ModelRefused
from shared.json_blob import TRIES, JsonBlob, Unreadable
from shared.local.directory_blobs import DirectoryBlobs
from tests.builders import NOW


class Count(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    count: int = 0
    at: datetime = NOW


class Overtaken(DirectoryBlobs):
    """Before each of the next ``losses`` writes another writer is first."""

    def __init__(self, directory: Path, losses: int) -> None:
        super().__init__(directory)
        self.losses = losses

    def write(self, name: str, data: bytes, *, if_etag: str | None) -> str:
        if self.losses:
            self.losses -= 1
            super().write(name, Count(count=100 + self.losses).model_dump_json().encode(), if_etag=if_etag)
        return super().write(name, data, if_etag=if_etag)


def document(blobs: DirectoryBlobs) -> JsonBlob[Count]:
    return JsonBlob(blobs=blobs, name="state/count.json", kind=Count, remedy="delete it")


def one_more(known: Count | None) -> Count:
    return Count(count=known.count + 1 if known else 1)


@pytest.fixture
def blobs(tmp_path: Path) -> DirectoryBlobs:
    return DirectoryBlobs(tmp_path)


@pytest.fixture
def counted(blobs: DirectoryBlobs) -> JsonBlob[Count]:
    return document(blobs)


def test_a_document_that_was_never_written_is_none(counted: JsonBlob[Count]) -> None:
    assert counted.read() is None
    with pytest.raises(BlobNotFound):
        counted.read_if_changed("any")


def test_what_was_written_is_read_under_its_tag(counted: JsonBlob[Count]) -> None:
    etag = counted.write(Count(count=3), if_etag=None)

    stored = counted.read()

    assert stored is not None
    assert (stored.value, stored.etag) == (Count(count=3), etag)


def test_a_write_upon_an_older_read_loses(counted: JsonBlob[Count]) -> None:
    etag = counted.write(Count(count=1), if_etag=None)
    counted.write(Count(count=2), if_etag=etag)

    with pytest.raises(BlobChanged):
        counted.write(Count(count=3), if_etag=etag)


def test_an_unchanged_document_is_not_read_again(counted: JsonBlob[Count]) -> None:
    first = counted.write(Count(count=1), if_etag=None)

    assert counted.read_if_changed(first) is None

    counted.write(Count(count=2), if_etag=first)
    changed = counted.read_if_changed(first)
    assert changed is not None
    assert changed.value == Count(count=2)


def test_a_dataclass_of_plain_values_is_a_document_too(blobs: DirectoryBlobs) -> None:
    memory = Memory(response_time_step=ResponseTimeStep(interval_utc=NOW, to_nodes=2))
    stored_memory = JsonBlob(blobs=blobs, name="state/web.json", kind=Memory, remedy="")

    stored_memory.write(memory, if_etag=None)

    stored = stored_memory.read()
    assert stored is not None
    assert stored.value == memory


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        pytest.param(b"", "Invalid JSON", id="empty"),
        pytest.param(b'{"count": 1', "Invalid JSON", id="cut off"),
        pytest.param(b"[" * 100_000, "Invalid JSON", id="deep"),
        pytest.param(b"\xff", "Invalid JSON", id="no UTF-8"),
        pytest.param(b'{"count": "x"}', "count: Input should be a valid integer", id="a wrong type"),
        pytest.param(b'{"surprise": 1}', "surprise: Extra inputs", id="an unknown key"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_fault_and_the_way_out(
    blobs: DirectoryBlobs, counted: JsonBlob[Count], data: bytes, fault: str
) -> None:
    blobs.write("state/count.json", data, if_etag=None)

    with pytest.raises(ConfigurationError, match=rf"state/count\.json cannot be read \({fault}.*: delete it"):
        counted.read()
    with pytest.raises(ConfigurationError):
        counted.change(one_more)


def test_the_error_of_an_unreadable_document_is_its_owners(blobs: DirectoryBlobs) -> None:
    blobs.write("pointer", b"{", if_etag=None)

    with pytest.raises(ModelRefused):
        JsonBlob(blobs=blobs, name="pointer", kind=Count, remedy="", error=ModelRefused).read()


def test_a_stand_in_may_replace_what_cannot_be_read_and_keep_it_aside(
    blobs: DirectoryBlobs, counted: JsonBlob[Count]
) -> None:
    blobs.write("state/count.json", b"damaged", if_etag=None)

    def set_aside(unreadable: Unreadable) -> Count:
        blobs.write("aside", unreadable.blob.data, if_etag=None)
        blobs.write("why", unreadable.message.encode(), if_etag=None)
        return Count()

    stored = counted.read_or(set_aside)

    assert stored is not None
    counted.write(stored.value, if_etag=stored.etag)
    assert counted.read_or(set_aside) == counted.read()
    assert blobs.read("aside").data == b"damaged"
    assert b"state/count.json cannot be read" in blobs.read("why").data


def test_changes_at_once_are_all_made(blobs: DirectoryBlobs) -> None:
    with ThreadPoolExecutor(4) as callers:
        list(callers.map(lambda _: document(blobs).change(one_more), range(12)))

    stored = document(blobs).read()
    assert stored is not None
    assert stored.value.count == 12


def test_a_change_that_lost_a_race_is_made_upon_what_won(tmp_path: Path) -> None:
    assert document(Overtaken(tmp_path, losses=1)).change(one_more).count == 101


def test_a_change_that_always_loses_gives_up_and_says_so(tmp_path: Path) -> None:
    with pytest.raises(BlobChanged, match=f"changed by {TRIES} other writers"):
        document(Overtaken(tmp_path, losses=TRIES)).change(one_more)


def test_a_change_that_changes_nothing_is_not_written(blobs: DirectoryBlobs, counted: JsonBlob[Count]) -> None:
    counted.write(Count(count=1), if_etag=None)
    before = blobs.read("state/count.json").modified_at

    counted.change(lambda known: known or Count())

    assert blobs.read("state/count.json").modified_at == before


def nothing_there(_: DirectoryBlobs) -> None:
    """The first write of the document."""


def damaged(blobs: DirectoryBlobs) -> None:
    blobs.write("state/count.json", b"damaged", if_etag=None)


def another(blobs: DirectoryBlobs) -> None:
    document(blobs).write(Count(count=7), if_etag=None)


@pytest.mark.parametrize("arrange", [nothing_there, damaged, another])
def test_a_document_is_put_in_place_of_whatever_there_is(
    blobs: DirectoryBlobs, counted: JsonBlob[Count], arrange: Callable[[DirectoryBlobs], None]
) -> None:
    arrange(blobs)

    counted.replace(Count(count=1))

    stored = counted.read()
    assert stored is not None
    assert stored.value == Count(count=1)
