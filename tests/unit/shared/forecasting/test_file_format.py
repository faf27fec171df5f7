"""The model file: what is written is read back, everything else is refused before it takes memory."""

import hashlib
import io
import pickle  # noqa: TID251 - to write what must be refused
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.errors import ModelRefused, TrainingRefused
from shared.forecasting.file_format import (
    MAX_ARRAY_BYTES,
    MAX_FILE_BYTES,
    MAX_MEMBERS,
    MAX_TOTAL_BYTES,
    read_model,
    write_model,
)
from shared.forecasting.forecaster import Parameters
from tests.fakes.hostile_pickles import Running

PARAMETERS: Parameters = {
    "floor": np.array(3.5),
    "0.trees.feature": np.arange(7, dtype=np.int32),
    "0.leaves.exceedance": np.linspace(0, 1, 6, dtype=np.float16).reshape(2, 3),
    "linear": np.array([True, False]),
    "empty": np.empty((0, 4)),
}


def refusal(data: bytes) -> str:
    with pytest.raises(ModelRefused) as raised:
        read_model(data, name="models/web/1/model.npz")
    message = str(raised.value)
    assert message.startswith("models/web/1/model.npz is not a readable model file (")
    assert message.endswith("train and publish it again")
    return message


def archive(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as written:
        for name, content in members:
            written.writestr(name, content)
    return file.getvalue()


def npy(header: str, data: bytes = b"", *, version: bytes = b"\x01\x00") -> bytes:
    """An array file with any header."""
    text = header.encode().ljust(53) + b"\n"
    return b"\x93NUMPY" + version + struct.pack("<H", len(text)) + text + data


def npy_of(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def header_of(shape: str, descr: str = "'<f8'") -> str:
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}"


# what is written


def test_what_is_written_is_read_back() -> None:
    again = read_model(write_model(PARAMETERS), name="m")

    assert again.keys() == PARAMETERS.keys()
    assert {name: array.dtype for name, array in again.items()} == {n: a.dtype for n, a in PARAMETERS.items()}
    assert {name: array.shape for name, array in again.items()} == {n: a.shape for n, a in PARAMETERS.items()}
    assert all(np.array_equal(again[name], PARAMETERS[name]) for name in PARAMETERS)


def test_a_model_without_arrays_has_a_file_too() -> None:
    assert read_model(write_model({}), name="m") == {}


def test_the_same_model_makes_the_same_bytes_in_whatever_order_its_arrays_come() -> None:
    turned = {name: array.copy(order="F") for name, array in reversed(list(PARAMETERS.items()))}

    digests = {hashlib.sha256(write_model(parameters)).hexdigest() for parameters in (PARAMETERS, turned)}

    assert len(digests) == 1


def test_numpy_opens_the_file_without_us() -> None:
    with np.load(io.BytesIO(write_model(PARAMETERS)), allow_pickle=False) as opened:
        assert opened["0.trees.feature"].tolist() == list(range(7))


def test_arrays_that_were_read_cannot_be_changed() -> None:
    again = read_model(write_model(PARAMETERS), name="m")

    with pytest.raises(ValueError, match="read-only"):
        again["linear"][0] = False


@pytest.mark.parametrize(
    "parameters",
    [
        pytest.param({"a": np.zeros(MAX_ARRAY_BYTES // 8 + 1)}, id="one array"),
        pytest.param({name: np.zeros(MAX_TOTAL_BYTES // 16 + 1) for name in "ab"}, id="all together"),
    ],
)
def test_a_model_too_large_to_be_read_is_not_written(parameters: Parameters) -> None:
    with pytest.raises(TrainingRefused, match=r"a file may hold 100,663,296.*forecast fewer intervals ahead"):
        write_model(parameters)


# what is refused


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        pytest.param(b"", "does not end as an archive", id="empty"),
        pytest.param(b"damaged", "does not end as an archive", id="text"),
        pytest.param(write_model(PARAMETERS) + b"\0", "does not end as an archive", id="something behind it"),
        pytest.param(archive(("a.npy", npy_of(np.array([1, {}], dtype=object)))), "plain numbers", id="objects"),
        pytest.param(archive(("a.npy", npy_of(np.array(["a"])))), "plain numbers", id="text in an array"),
        pytest.param(archive(("a.npy", npy_of(np.zeros(2, dtype="f8,i4")))), "plain numbers", id="structures"),
        pytest.param(archive(("a.npy", npy_of(np.zeros(2, dtype="c16")))), "plain numbers", id="complex"),
        pytest.param(archive(("a.npy", npy_of(np.zeros(2, dtype=">f8")))), "plain numbers", id="the other byte order"),
        pytest.param(archive(("a.npy", npy_of(np.zeros(2, dtype="M8[s]")))), "plain numbers", id="dates"),
        pytest.param(archive(("a.npy", npy_of(np.asfortranarray(np.zeros((2, 3)))))), "in rows", id="in columns"),
        pytest.param(archive(("a.npy", npy(header_of("(2,)"), b"\0" * 15))), "needs 16", id="too few bytes"),
        pytest.param(archive(("a.npy", npy(header_of("(2,)"), b"\0" * 17))), "needs 16", id="too many bytes"),
        pytest.param(archive(("a.npy", npy(header_of("(-1,)"), b""))), "plain numbers", id="a negative shape"),
        pytest.param(archive(("a.npy", npy(header_of("((((", "'<f8'")))), "plain numbers", id="brackets"),
        pytest.param(archive(("a.npy", npy("__import__('os')"))), "plain numbers", id="an expression"),
        pytest.param(
            archive(("a.npy", npy(header_of("(1,)"), b"\0" * 8, version=b"\x03\x00"))), "begin as", id="version"
        ),
        pytest.param(archive(("a.npy", b"\x93NUM")), "does not begin as an array", id="half a beginning"),
        pytest.param(archive(("a.npy", npy(header_of("(1,)", "'|b1'"), b"\x02"))), "neither true nor false", id="bool"),
        pytest.param(archive(("a.txt", b"")), "member named 'a.txt'", id="another name"),
        pytest.param(archive(("../a.npy", npy_of(np.zeros(1)))), r"member named '\.\./a.npy'", id="a way out"),
        pytest.param(archive(("a.npy", npy_of(np.zeros(9))), method=zipfile.ZIP_BZIP2), "method 12", id="bzip2"),
        pytest.param(archive(("a.npy", npy_of(np.zeros(9))), method=zipfile.ZIP_LZMA), "method 14", id="lzma"),
        pytest.param(archive(*((f"a{k}.npy", b"") for k in range(MAX_MEMBERS + 1))), "lists 129 members", id="many"),
        pytest.param(archive((f"{'a' * 41}.npy", b"")), "member named", id="a long name"),
    ],
)
def test_what_we_do_not_write_is_refused(data: bytes, fault: str) -> None:
    with pytest.raises(ModelRefused, match=fault):
        read_model(data, name="m")
    refusal(data)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_refused() -> None:
    assert "two members of one name" in refusal(archive(("a.npy", b""), ("a.npy", b"")))


def test_an_encrypted_member_is_refused() -> None:
    data = bytearray(archive(("a.npy", npy_of(np.zeros(9)))))
    data[data.index(b"PK\x01\x02") + 8] |= 1

    assert "a.npy is encrypted" in refusal(bytes(data))


def test_a_member_whose_sum_is_wrong_is_refused() -> None:
    data = bytearray(archive(("a.npy", npy_of(np.zeros(9))), method=zipfile.ZIP_STORED))
    data[data.index(b"PK\x01\x02") - 3] ^= 1

    assert "BadZipFile" in refusal(bytes(data))


def test_a_member_that_ends_before_it_says_is_refused() -> None:
    shorter = npy(header_of("(9,)"), bytes(40))
    data = bytearray(archive(("a.npy", shorter)))
    at = data.index(b"PK\x01\x02") + 24
    data[at : at + 4] = struct.pack("<I", len(shorter) + 32)

    assert "a.npy is not as long as it says" in refusal(bytes(data))


def test_an_archive_of_the_large_kind_is_refused() -> None:
    plain = archive(("a.npy", npy_of(np.zeros(9))))
    locator = b"PK\x06\x07" + bytes(16)

    assert "the large kind" in refusal(plain[:-22] + locator + plain[-22:])


def test_a_file_cut_off_anywhere_is_refused() -> None:
    whole = write_model(PARAMETERS)

    assert all("not a readable model file" in refusal(whole[:length]) for length in range(0, len(whole), 7))


def test_a_pickle_in_place_of_a_model_runs_nothing(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    harm = pickle.dumps(Running(exec, f"open({str(trap)!r}, 'w')"))

    refusal(harm)
    refusal(archive(("a.npy", npy_of(np.array([0], dtype=object)) + harm)))

    assert not trap.exists()


def peak_bytes(act: Callable[[], object]) -> int:
    """The most memory that the action takes at a time."""
    tracemalloc.start()
    act()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def claiming(shape: str) -> bytes:
    """A file of a few hundred bytes whose one array says that it is much larger."""
    return archive(("a.npy", npy(header_of(shape))))


def unpacking_to(size: int) -> bytes:
    """A small file whose directory says that its member unpacks to so many bytes."""
    data = bytearray(archive(("a.npy", npy_of(np.zeros(9)))))
    at = data.index(b"PK\x01\x02") + 24
    data[at : at + 4] = struct.pack("<I", size)
    return bytes(data)


def listing(entries: int) -> bytes:
    """An archive of nothing but a directory, as long as that."""
    entry = b"PK\x01\x02" + bytes(42)
    directory = entry * entries
    return directory + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(directory), 0, 0)


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        pytest.param(claiming("(40000000,)"), "its shape (40000000,) needs 320,000,000", id="320 MB in a header"),
        pytest.param(claiming("(999999999, 999999999)"), "needs 7,999,999", id="more than there is"),
        pytest.param(unpacking_to(2**31), "unpacks to 2,147,483,648 bytes", id="2 GB in the directory"),
        pytest.param(unpacking_to(60_000_000), "", id="60 MB in the directory, as much as is allowed"),
        pytest.param(
            archive(*((f"a{k}.npy", bytes(40_000_000)) for k in range(3))),
            "unpacks to 120,000,000",
            id="120 MB of zeros",
        ),
        pytest.param(listing(200_000), "lists 1 members in 9,200,000 bytes", id="a directory of 200,000 entries"),
        pytest.param(bytes(MAX_FILE_BYTES + 1), "67,108,865 bytes, 67,108,864 are allowed", id="a file too large"),
    ],
)
def test_no_file_takes_more_memory_than_it_has(data: bytes, fault: str) -> None:
    messages: list[str] = []

    peak = peak_bytes(lambda: messages.append(refusal(data)))

    assert fault in messages[0]
    assert peak < 1_000_000
