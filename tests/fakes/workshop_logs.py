"""Writes logs in the format of ``log_data.pkl``: joblib's wrapper of 2020, each array's bytes behind it."""

import pickle  # noqa: TID251 - to write, never to read
from typing import Any

import numpy as np

RANGES = ((1, 10), (1, 50), (1000, 10_000))
"""The least and the most admin, config and end users of a day in the workshop's log."""
SECONDS_PER_USER = (2.0, 0.5, 0.02)


def workshop_log(*, days: int = 365, noise_s: float = 3.0, seed: int = 8) -> bytes:
    """Return a log like the workshop's: counts that remember the day before, and a completion time linear in them.

    A day takes ``SECONDS_PER_USER`` for each user, give or take ``noise_s``: most days are far above the workshop's SLA
    of 50 s, so its pool wants a second node.
    """
    random = np.random.default_rng(seed)
    counts = np.array([(low + high) // 2 for low, high in RANGES], dtype=np.float64)
    lowest, highest = (np.array(side, dtype=np.float64) for side in zip(*RANGES, strict=True))
    middle, swing = counts.copy(), (highest - lowest) / 10
    rows = []
    for _ in range(days):
        counts = np.clip(middle + 0.8 * (counts - middle) + random.normal(0, swing), lowest, highest)
        rows.append(np.round(counts))
    x = np.array(rows)
    y = np.clip(x @ np.array(SECONDS_PER_USER) + random.normal(0, noise_s, days), 1, 240)
    return log_bytes(x.astype(np.int32), y)


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
