"""Pickles that would run something if they were unpickled: each would create the file it is given."""

import pickle  # noqa: TID251 - to write what must be refused
from collections.abc import Callable
from typing import Any

import numpy as np


class Running:
    """Pickles as a call of ``function`` with ``arguments``."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self._call = (function, arguments)

    def __reduce__(self) -> tuple[Any, ...]:
        return self._call


def _by_opcodes(module: str, name: str, argument: str) -> dict[str, bytes]:
    """Every opcode that names or calls something, by hand: what ``pickle.dumps`` would not write."""
    text = argument.encode()
    named = f"c{module}\n{name}\n".encode()
    quoted = b"V" + text + b"\n"
    short = bytes([len(module)]) + module.encode() + b"\x8c" + bytes([len(name)]) + name.encode()
    return {
        "REDUCE": named + b"(" + quoted + b"tR.",
        "INST": b"(" + quoted + f"i{module}\n{name}\n".encode() + b".",
        "OBJ": b"(" + named + quoted + b"o.",
        "NEWOBJ": named + quoted + b"\x85\x81.",
        "NEWOBJ_EX": b"\x80\x04" + named + quoted + b"\x85}\x92.",
        "STACK_GLOBAL": b"\x80\x04\x8c" + short + b"\x93(" + quoted + b"tR.",
        "BUILD": b"(i" + b"builtins\nobject\n}" + quoted + quoted + b"sb.",
        "PERSID": b"P" + text + b"\n.",
        "BINPERSID": quoted + b"Q.",
        "EXT1": b"\x82\x01.",
        "NEXT_BUFFER": b"\x80\x05\x97.",
    }


def hostile_pickles(trap: str) -> dict[str, bytes]:
    """Return pickles by what they try; any that succeeded would create the file ``trap``."""
    code = f"open({trap!r}, 'w').close()"
    nested = np.array([[Running(exec, code)], [Running(exec, code)]], dtype=object)
    return {
        **{f"os.system by {how}": data for how, data in _by_opcodes("os", "system", f"touch {trap}").items()},
        **{f"eval by {how}": data for how, data in _by_opcodes("builtins", "eval", code).items()},
        "exec in a tuple": pickle.dumps((Running(exec, code), 1)),
        "exec in an array of objects": pickle.dumps((nested, nested)),
        "an array by NumPy's own reconstruction": pickle.dumps((np.ones((2, 3)), np.ones(2))),
        "numpy.load with pickles": b"cnumpy\nload\n(V" + trap.encode() + b"\ntR.",
        "a dotted name": b"\x80\x04\x8c\x05numpy\x8c\x0fndarray.__class__\x93.",
        "ndarray called": b"cnumpy\nndarray\n(K\x03tR.",
        "a wrapper with arguments": b"cjoblib.numpy_pickle\nNumpyArrayWrapper\n(K\x03tR.",
        "an object dtype": b"cnumpy\ndtype\n(VO8\nI00\nI01\ntR.",
        "a subclass of the wrapper's module": b"cjoblib.numpy_pickle\nZNDArrayWrapper\n(tR.",
        "a recursive list": b"(lp0\ng0\na.",
    }
