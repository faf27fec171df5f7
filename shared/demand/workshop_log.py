"""Reads the workshop's ``log_data.pkl`` without running anything that it says.

The file is a joblib pickle of 2020: the tuple ``(x, y)``, ``x`` of shape (days, 3) with the counts of admin, config and
end users, ``y`` of shape (days,) with the average completion time in seconds; one row a day, no dates. joblib writes a
small wrapper object for each array and the array's raw bytes right behind it. Its wrapper's module no longer exists
and a pickle runs what it names, so the stream is read by an unpickler for which only three names mean anything,
and each of the three means inert data of ours.
"""

import io
import math
import pickle  # noqa: TID251 - the one place; find_class below admits three inert names
import struct
from datetime import datetime, timedelta
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from shared.demand.history import History
from shared.errors import DemandError

SIGNALS = ("completion_time_s", "admin_users", "config_users", "end_users")
COUNTS = SIGNALS[1:]
DAY = timedelta(days=1)
DAMAGED = (
    EOFError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    OverflowError,
    AssertionError,
    RecursionError,
    MemoryError,
    struct.error,
)
"""What an unpickler raises when the bytes make no sense."""
ITEM_SIZES = {"i1": 1, "i2": 2, "i4": 4, "i8": 8, "u1": 1, "u2": 2, "u4": 4, "u8": 8, "f4": 4, "f8": 8}


def read_workshop_log(data: bytes, *, end_utc: datetime, name: str = "log_data.pkl") -> History:
    """Return the log as a daily history that ends at ``end_utc``: the log stores no dates, its last day is the latest.

    Signals are ``completion_time_s`` (the demand of a ``response_time`` pool) and the three counts.
    Raises :class:`DemandError` naming what the file holds that a log may not, or where it is cut off.
    """
    try:
        x, y = _tuple_of_arrays(data)
    except (_Refused, pickle.UnpicklingError) as exc:
        msg = f"{name} is refused: {exc}"
        raise DemandError(msg) from exc
    except DAMAGED as exc:
        msg = f"{name} is cut off or damaged ({type(exc).__name__}: {exc}): upload it again"
        raise DemandError(msg) from exc
    if x.ndim != 2 or x.shape[1] != len(COUNTS) or y.shape != x.shape[:1] or not len(y):  # noqa: PLR2004
        msg = f"{name} must hold x of shape (days, {len(COUNTS)}) and y of shape (days,), got {x.shape} and {y.shape}"
        raise DemandError(msg)
    values = np.column_stack([y, x]).astype(np.float64)
    if not np.isfinite(values).all():
        row = int(np.argwhere(~np.isfinite(values))[0][0])
        msg = f"{name}: row {row} holds a value that is not finite"
        raise DemandError(msg)
    return History(start_utc=end_utc - len(y) * DAY, step=DAY, values=values, signals=SIGNALS, unit="s")


class _Refused(Exception):
    """The stream names something that has no business in a log of numbers."""


class _NdarrayName:
    """Stands where the stream says ``numpy.ndarray``; it cannot be made into anything."""

    def __init__(self, *_: object) -> None:
        msg = "it builds a numpy.ndarray by itself"
        raise _Refused(msg)


class _Dtype:
    """Stands where the stream says ``numpy.dtype``: remembers which, if it is a plain number."""

    def __init__(self, code: object, *_: object) -> None:
        if code not in ITEM_SIZES:
            msg = f"it holds an array of {code!r}, not of plain numbers"
            raise _Refused(msg)
        self.code = str(code)
        self.order = "<"

    def build(self, state: object) -> None:
        """Take the byte order of a pickled dtype and nothing else."""
        order = state[1] if isinstance(state, tuple) and len(state) > 1 else None
        if order not in {"<", ">", "|"}:
            msg = f"it holds a dtype with the state {state!r}"
            raise _Refused(msg)
        self.order = str(order)


class _Wrapper:
    """Stands where the stream says ``NumpyArrayWrapper``: the description of the array behind it."""

    def __init__(self, *args: object) -> None:
        if args:
            msg = f"it builds an array wrapper from {args!r}"
            raise _Refused(msg)

    def array(self, state: object, stream: io.BytesIO) -> NDArray[Any]:
        """Read the raw bytes that follow the wrapper."""
        if not isinstance(state, dict) or not isinstance(state.get("dtype"), _Dtype):
            msg = "an array wrapper does not say what it holds"
            raise _Refused(msg)
        shape, dtype = state["shape"], state["dtype"]
        if state.get("subclass") is not _NdarrayName or state.get("order") not in {"C", "F"}:
            msg = f"an array wrapper is for {state.get('subclass')!r} in order {state.get('order')!r}"
            raise _Refused(msg)
        if not isinstance(shape, tuple) or any(not isinstance(side, int) or side < 0 for side in shape):
            msg = f"an array has the shape {shape!r}"
            raise _Refused(msg)
        if state.get("numpy_array_alignment_bytes") is not None:
            stream.read(stream.read(1)[0])
        size = math.prod(shape) * ITEM_SIZES[dtype.code]
        raw = stream.read(min(size, len(stream.getbuffer())))
        if len(raw) != size:
            msg = f"an array of shape {shape} needs {size} bytes, {len(raw)} are left"
            raise EOFError(msg)
        return np.frombuffer(raw, dtype=dtype.order + dtype.code).reshape(shape, order=state["order"])


ADMITTED = {
    ("sklearn.externals.joblib.numpy_pickle", "NumpyArrayWrapper"): _Wrapper,
    ("joblib.numpy_pickle", "NumpyArrayWrapper"): _Wrapper,
    ("numpy", "ndarray"): _NdarrayName,
    ("numpy", "dtype"): _Dtype,
}


class _LogUnpickler(pickle._Unpickler):  # noqa: SLF001
    """The pure-Python unpickler, because raw array bytes stand between its opcodes and BUILD must read them."""

    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)  # noqa: SLF001

    stack: list[Any]

    def __init__(self, stream: io.BytesIO) -> None:
        super().__init__(stream)
        self._stream = stream

    def find_class(self, module: str, name: str) -> type:
        """Admit the wrapper, ``ndarray`` and ``dtype``, as data of ours; refuse every other name before it is used."""
        admitted = ADMITTED.get((module, name))
        if admitted is None:
            msg = f"it names {module}.{name}, and only NumPy arrays of numbers are admitted"
            raise _Refused(msg)
        return admitted

    def load_build(self) -> None:
        """Give a wrapper or dtype its state; nothing else may have one."""
        state = self.stack.pop()
        target = self.stack[-1]
        if isinstance(target, _Wrapper):
            self.stack[-1] = target.array(state, self._stream)
        elif isinstance(target, _Dtype):
            target.build(state)
        else:
            msg = f"it sets the state of a {type(target).__name__}"
            raise _Refused(msg)

    dispatch[pickle.BUILD[0]] = load_build


def _tuple_of_arrays(data: bytes) -> tuple[NDArray[Any], NDArray[Any]]:
    content = _LogUnpickler(io.BytesIO(data)).load()
    match content:
        case (np.ndarray() as x, np.ndarray() as y):
            return x, y
        case _:
            msg = f"it holds a {type(content).__name__}, not the tuple (x, y)"
            raise _Refused(msg)
