"""Writes small logs in the format of ``log_data.pkl``: joblib's wrapper of 2020, each array's bytes behind it."""

import pickle  # noqa: TID251 - to write, never to read
from typing import Any

import numpy as np


def log_bytes(x: np.ndarray, y: np.ndarray, *, claimed_shape: tuple[int, ...] | None = None) -> bytes:
    """Return a log of two arrays; ``claimed_shape`` is what the first one says of itself, if not the truth."""
    return b"\x80\x03" + _wrapped(x, claimed_shape or x.shape) + _wrapped(y, y.shape) + b"\x86."


def _wrapped(array: np.ndarray, shape: tuple[int, ...]) -> bytes:
    ordered = np.ascontiguousarray(array)
    state = b"}(" + b"".join(
        [
            _text("subclass") + b"cnumpy\nndarray\n",
            _text("shape") + _plain(shape),
            _text("order") + _text("C"),
            _text("dtype") + _dtype(ordered.dtype),
            _text("allow_mmap") + b"\x88",
        ]
    )
    named = b"csklearn.externals.joblib.numpy_pickle\nNumpyArrayWrapper\n"
    return named + b")\x81" + state + b"ub" + ordered.tobytes()


def _dtype(dtype: "np.dtype[Any]") -> bytes:
    state = b"(K\x03" + _text(dtype.byteorder.replace("=", "<")) + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    return b"cnumpy\ndtype\n" + _text(f"{dtype.kind}{dtype.itemsize}") + b"K\x00K\x01\x87R" + state


def _text(text: str) -> bytes:
    return b"X" + len(text).to_bytes(4, "little") + text.encode()


def _plain(value: object) -> bytes:
    """Return a plain value's pickle without its head and its end."""
    return pickle.dumps(value, protocol=2)[2:-1]
