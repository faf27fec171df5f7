"""What ``shared.ports.Blobs`` promises, kept by a directory and by Azure Storage (the emulator)."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier

import pytest

from scaler.core.memory import Memory, ResponseTimeStep
from scaler.stores import DecisionLog, MemoryStore
from shared.cloud.azure_blobs import azure_blobs_from_connection_string
from shared.errors import BlobChanged, BlobNotFound, CloudError
from shared.forecasting.store import ModelStore
from shared.local.directory_blobs import DirectoryBlobs
from shared.ports import Blobs
from tests.builders import NOW, draft_card

WRITERS = 8
LINES_EACH = 25


@pytest.fixture(params=["directory", pytest.param("azure", marks=pytest.mark.azurite)])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    if request.param == "directory":
        return DirectoryBlobs(tmp_path)
    connection = request.getfixturevalue("azurite_connection")
    return azure_blobs_from_connection_string(connection, request.getfixturevalue("container"))


def at_once(calls: list[Callable[[], object]]) -> list[str]:
    """Make all calls at the same moment; return what each came to: ``done`` or the name of our error."""
    barrier = Barrier(len(calls))

    def make(call: Callable[[], object]) -> str:
        barrier.wait()
        try:
            call()
        except (BlobChanged, CloudError) as exc:
            return type(exc).__name__
        return "done"

    with ThreadPoolExecutor(len(calls)) as threads:
        return sorted(threads.map(make, calls))


def test_what_was_written_is_read(blobs: Blobs) -> None:
    etag = blobs.write("models/web/latest.json", b"\x00\xff", if_etag=None)

    blob = blobs.read("models/web/latest.json")

    assert (blob.data, blob.etag) == (b"\x00\xff", etag)
    assert abs(datetime.now(tz=UTC) - blob.modified_at) < timedelta(minutes=1)


def test_an_empty_blob_is_no_missing_blob(blobs: Blobs) -> None:
    blobs.write("empty", b"", if_etag=None)

    assert blobs.read("empty").data == b""


def test_a_missing_blob_is_told_by_name(blobs: Blobs) -> None:
    with pytest.raises(BlobNotFound, match=r"config/pools\.json"):
        blobs.read("config/pools.json")


def test_a_missing_blob_is_told_to_a_conditional_read_too(blobs: Blobs) -> None:
    with pytest.raises(BlobNotFound):
        blobs.read_if_changed("gone", "0x8D")


def test_a_folder_is_no_blob(blobs: Blobs) -> None:
    blobs.write("models/web/latest.json", b"1", if_etag=None)

    with pytest.raises(BlobNotFound):
        blobs.read("models/web")


def test_an_unchanged_blob_is_not_read_again(blobs: Blobs) -> None:
    etag = blobs.write("a", b"1", if_etag=None)

    assert blobs.read_if_changed("a", etag) is None


def test_a_changed_blob_is_read_again(blobs: Blobs) -> None:
    before = blobs.write("a", b"1", if_etag=None)
    after = blobs.write("a", b"2", if_etag=before)

    blob = blobs.read_if_changed("a", before)

    assert blob is not None
    assert (blob.data, blob.etag) == (b"2", after)


def test_a_write_for_none_yet_loses_to_what_is_there(blobs: Blobs) -> None:
    blobs.write("a", b"first", if_etag=None)

    with pytest.raises(BlobChanged, match="'a'"):
        blobs.write("a", b"second", if_etag=None)

    assert blobs.read("a").data == b"first"


def test_a_write_upon_an_older_read_loses(blobs: Blobs) -> None:
    read = blobs.write("a", b"1", if_etag=None)
    blobs.write("a", b"2", if_etag=read)

    with pytest.raises(BlobChanged):
        blobs.write("a", b"3", if_etag=read)

    assert blobs.read("a").data == b"2"


def test_a_write_upon_a_blob_that_is_gone_loses(blobs: Blobs) -> None:
    with pytest.raises(BlobChanged):
        blobs.write("never-there", b"1", if_etag='"0x8DBEEF"')

    assert blobs.names("") == []


def test_of_two_writers_at_once_one_wins(blobs: Blobs) -> None:
    read = blobs.write("a", b"0", if_etag=None)

    came_to = at_once(
        [lambda: blobs.write("a", b"left", if_etag=read), lambda: blobs.write("a", b"right", if_etag=read)]
    )

    assert came_to == ["BlobChanged", "done"]
    assert blobs.read("a").data in {b"left", b"right"}


def test_of_two_first_writers_at_once_one_wins(blobs: Blobs) -> None:
    came_to = at_once(
        [lambda: blobs.write("a", b"left", if_etag=None), lambda: blobs.write("a", b"right", if_etag=None)]
    )

    assert came_to == ["BlobChanged", "done"]


def test_appends_follow_each_other(blobs: Blobs) -> None:
    blobs.append("decisions/web/2026-11-22.jsonl", b"one\n")
    blobs.append("decisions/web/2026-11-22.jsonl", b"two\n")

    assert blobs.read("decisions/web/2026-11-22.jsonl").data == b"one\ntwo\n"


def test_appends_of_many_writers_neither_mix_nor_get_lost(blobs: Blobs) -> None:
    def append_as(writer: int) -> None:
        for number in range(LINES_EACH):
            blobs.append("log", f"{writer}:{number}:{'x' * 500}\n".encode())

    came_to = at_once([lambda writer=writer: append_as(writer) for writer in range(WRITERS)])  # type: ignore[misc]

    lines = blobs.read("log").data.decode().splitlines()
    expected = [f"{writer}:{number}:{'x' * 500}" for writer in range(WRITERS) for number in range(LINES_EACH)]
    assert came_to == ["done"] * WRITERS
    assert sorted(lines) == sorted(expected)


def test_names_are_sorted_and_start_with_the_prefix(blobs: Blobs) -> None:
    for name in ("history/web/2026-11-22.csv", "history/web/2026-11-21.csv", "history/web2/x.csv", "models/web"):
        blobs.write(name, b"", if_etag=None)

    assert blobs.names("history/web/") == ["history/web/2026-11-21.csv", "history/web/2026-11-22.csv"]
    assert blobs.names("history/web") == [
        "history/web/2026-11-21.csv",
        "history/web/2026-11-22.csv",
        "history/web2/x.csv",
    ]
    assert blobs.names("none/") == []


def test_names_of_an_unused_container_are_none(blobs: Blobs) -> None:
    assert blobs.names("") == []


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("with space and +plus", id="space and plus"),
        pytest.param("percent%20sign%2F", id="percent signs are not decoded"),
        pytest.param("día/日本/ß.csv", id="beyond ASCII"),
        pytest.param("question?mark#hash", id="what a URL gives a meaning"),
        pytest.param("UPPER/lower", id="case is kept"),
        pytest.param("a" * 200, id="a long name"),
        pytest.param("quote'\"&<>", id="what XML gives a meaning"),
    ],
)
def test_an_odd_name_is_a_name(blobs: Blobs, name: str) -> None:
    etag = blobs.write(name, b"1", if_etag=None)
    blobs.append(f"{name}.log", b"2")

    assert blobs.read(name).data == b"1"
    assert blobs.read_if_changed(name, etag) is None
    assert blobs.names(name[:4]) == [name, f"{name}.log"]


def test_of_two_promotions_at_once_none_is_lost_unseen(blobs: Blobs) -> None:
    store = ModelStore(blobs)
    store.publish(draft_card(version="1"), {})
    store.publish(draft_card(version="2"), {})

    came_to = at_once(
        [
            lambda: ModelStore(blobs).promote("web", "1", now_utc=NOW, reason="left"),
            lambda: ModelStore(blobs).promote("web", "2", now_utc=NOW, reason="right"),
        ]
    )

    pointed = store.pointer("web")
    assert pointed is not None
    assert came_to == ["BlobChanged", "done"] or pointed[0].previous is not None


def test_of_two_memories_saved_upon_the_same_read_one_loses(blobs: Blobs) -> None:
    first, second = MemoryStore(blobs), MemoryStore(blobs)
    _, etag = first.load("web")
    first.save("web", Memory(response_time_step=ResponseTimeStep(interval_utc=NOW, to_nodes=1)), etag)

    with pytest.raises(BlobChanged):
        second.save("web", Memory(response_time_step=ResponseTimeStep(interval_utc=NOW, to_nodes=2)), etag)

    assert first.load("web")[0] == Memory(response_time_step=ResponseTimeStep(interval_utc=NOW, to_nodes=1))


def test_decisions_logged_at_once_are_all_kept_whole(blobs: Blobs) -> None:
    at = NOW.isoformat()

    at_once(
        [
            lambda writer=writer: DecisionLog(blobs).add({"pool": "web", "at": at, "writer": writer})  # type: ignore[misc]
            for writer in range(WRITERS)
        ]
    )

    records = DecisionLog(blobs).of_day("web", at[:10])
    assert sorted(record["writer"] for record in records) == list(range(WRITERS))
    assert DecisionLog(blobs).days("web") == [at[:10]]
