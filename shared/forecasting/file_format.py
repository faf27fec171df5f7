"""The model file: plain arrays by name in one ``.npz``, which ``numpy.load`` can open; read here trusting nothing.

Whoever can write to the container can put anything there. So every size is checked against a cap before a byte is
unpacked or an array allocated: the file's, the number of its members, what each says that it unpacks to, and what its
header's shape and type come to. Only numbers and booleans are read: no objects, no pickles, no text.
"""

import io
import math
import re
import struct
import zipfile
import zlib
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from shared.errors import ModelRefused, TrainingRefused
from shared.forecasting.forecaster import Parameters

MAX_FILE_BYTES = 64 * 1024 * 1024
MAX_ARRAY_BYTES = 64 * 1024 * 1024
MAX_TOTAL_BYTES = 96 * 1024 * 1024
"""Of all arrays together. The demo's forests have 1 MB; those of a pool that is forecast every minute of the next four
hours have 53 MB."""
MAX_MEMBERS = 128
MAX_DIRECTORY_BYTES = MAX_MEMBERS * 128
"""Of the archive's directory: 46 bytes and a name for each member."""

_TYPES = {"<f8": np.float64, "<f2": np.float16, "<i4": np.int32, "|b1": np.bool_}
"""What an array may be made of, as its header has it."""
_NAME = re.compile(r"[a-z0-9_]{1,40}(\.[a-z0-9_]{1,40}){0,3}\.npy")
_HEADER = re.compile(
    rb"\{'descr': '([<|][a-z][0-9])', 'fortran_order': False, 'shape': \(((?:[0-9]{1,9}, ?)*(?:[0-9]{1,9})?)\), \} *\n"
)
_MAGIC = b"\x93NUMPY\x01\x00"
_HEADER_AT = len(_MAGIC) + 2
_MAX_HEADER_BYTES = 256
_END = b"PK\x05\x06"
_END_BYTES = 22
_LOCATOR_64 = b"PK\x06\x07"
_LOCATOR_64_BYTES = 20
_ENCRYPTED = 0x1
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
"""The oldest date that an archive can hold; with it the same model always makes the same bytes."""


def write_model(parameters: Parameters) -> bytes:
    """Return the bytes of a model file, the same for the same parameters.

    Raises :class:`TrainingRefused` for a model that :func:`read_model` would refuse for its size.
    """
    total = sum(array.nbytes for array in parameters.values())
    largest = max((array.nbytes for array in parameters.values()), default=0)
    if total > MAX_TOTAL_BYTES or largest > MAX_ARRAY_BYTES:
        msg = (
            f"the model has {total:,} bytes and a file may hold {MAX_TOTAL_BYTES:,}, {MAX_ARRAY_BYTES:,} an array: "
            f"forecast fewer intervals ahead (a shorter lead time, or demand in longer steps)"
        )
        raise TrainingRefused(msg)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in sorted(parameters.items()):
            member = zipfile.ZipInfo(f"{name}.npy", date_time=_LONG_AGO)
            member.compress_type = zipfile.ZIP_DEFLATED
            member.create_system = 3
            content = io.BytesIO()
            np.lib.format.write_array(content, np.ascontiguousarray(array).reshape(array.shape), allow_pickle=False)
            archive.writestr(member, content.getvalue())
    return file.getvalue()


def read_model(data: bytes, *, name: str) -> Parameters:
    """Return the arrays of a model file, read-only; ``name`` is the file's, for the error.

    Raises :class:`ModelRefused` for anything that :func:`write_model` does not write.
    """
    try:
        return _read(data)
    except _BadFile as exc:
        fault = str(exc)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, struct.error, ValueError, OSError) as exc:
        fault = f"{type(exc).__name__}: {exc}"
    msg = f"{name} is not a readable model file ({fault}): train and publish it again"
    raise ModelRefused(msg)


class _BadFile(Exception):
    """Something in the file is not as we write it."""


def _read(data: bytes) -> Parameters:
    _check_directory(data)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
        _check_members(members)
        return {member.filename.removesuffix(".npy"): _array(archive, member) for member in members}


def _check_directory(data: bytes) -> None:
    """Look at the archive's last record before ``zipfile`` builds an object for each entry of its directory."""
    if len(data) > MAX_FILE_BYTES:
        _refuse(f"it has {len(data):,} bytes, {MAX_FILE_BYTES:,} are allowed")
    end = data[-_END_BYTES:]
    if len(end) < _END_BYTES or not end.startswith(_END) or end[-2:] != b"\0\0":
        _refuse("it does not end as an archive without a comment does")
    if data[-_END_BYTES - _LOCATOR_64_BYTES :].startswith(_LOCATOR_64):
        _refuse("it is an archive of the large kind")
    entries, directory_bytes = struct.unpack("<HI", end[10:16])
    if entries > MAX_MEMBERS or directory_bytes > MAX_DIRECTORY_BYTES:
        _refuse(f"it lists {entries} members in {directory_bytes:,} bytes, {MAX_MEMBERS} are allowed")


def _check_members(members: list[zipfile.ZipInfo]) -> None:
    names = [member.filename for member in members]
    if len(set(names)) < len(names):
        _refuse("it has two members of one name")
    for member in members:
        if not _NAME.fullmatch(member.filename):
            _refuse(f"it has a member named {member.filename[:80]!r}")
        if member.flag_bits & _ENCRYPTED:
            _refuse(f"{member.filename} is encrypted")
        if member.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            _refuse(f"{member.filename} is compressed by method {member.compress_type}")
        if member.file_size > MAX_ARRAY_BYTES + _MAX_HEADER_BYTES:
            _refuse(f"{member.filename} unpacks to {member.file_size:,} bytes, {MAX_ARRAY_BYTES:,} are allowed")
    total = sum(member.file_size for member in members)
    if total > MAX_TOTAL_BYTES + MAX_MEMBERS * _MAX_HEADER_BYTES:
        _refuse(f"it unpacks to {total:,} bytes, {MAX_TOTAL_BYTES:,} are allowed")


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    """Read one array: its header first, and its data only if the header agrees with the size that was checked."""
    with archive.open(member) as content:
        start = content.read(_HEADER_AT)
        if len(start) < _HEADER_AT or not start.startswith(_MAGIC):
            _refuse(f"{member.filename} does not begin as an array does")
        header = content.read(min(int.from_bytes(start[-2:], "little"), _MAX_HEADER_BYTES))
        parts = _HEADER.fullmatch(header)
        descr = parts.group(1).decode() if parts else ""
        if parts is None or descr not in _TYPES:
            _refuse(f"{member.filename} is not an array of plain numbers in rows: {header[:100]!r}")
        shape = tuple(int(length) for length in parts.group(2).decode().replace(" ", "").split(",") if length)
        dtype = np.dtype(_TYPES[descr])
        expected_bytes = math.prod(shape) * dtype.itemsize
        declared_bytes = member.file_size - _HEADER_AT - len(header)
        if expected_bytes != declared_bytes:
            _refuse(
                f"{member.filename} has room for {declared_bytes:,} bytes, its shape {shape} needs {expected_bytes:,}"
            )
        values = content.read(expected_bytes)
        if len(values) != expected_bytes or content.read(1):
            _refuse(f"{member.filename} is not as long as it says")
    array = np.frombuffer(values, dtype=dtype).reshape(shape)
    if dtype == np.bool_ and array.size and array.view(np.uint8).max() > 1:
        _refuse(f"{member.filename} holds bytes that are neither true nor false")
    return array


def _refuse(fault: str) -> NoReturn:
    raise _BadFile(fault)
