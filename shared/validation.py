"""Turns what pydantic finds wrong into one error an operator can act on: each fault with its path, value, way out."""

import re
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from shared.errors import ConfigurationError

SHOWN_CHARACTERS = 80
SECRET = re.compile(r"accountkey=|sharedaccess|sig=|password|://[^/@]*:[^/@]*@", re.IGNORECASE)
"""What betrays a secret in a value that landed under the wrong name; such a value is not shown."""


class Part(BaseModel):
    """A part of a file that operators write: frozen, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


Model = TypeVar("Model", bound=BaseModel)


def validated(model: type[Model], data: object, *, name: str, spelled: Callable[[str], str] = str) -> Model:
    """Build ``model`` from ``data``, or raise :class:`ConfigurationError` that lists all faults.

    ``name`` is what the message calls the input; ``spelled`` turns a key into the operator's spelling of it.
    """
    try:
        return model.model_validate(data)
    except ValidationError as exc:
        faults = "; ".join(_describe(fault, _keys_of(model), spelled) for fault in exc.errors())
        msg = f"{name}: {faults}"
        raise ConfigurationError(msg) from exc


def _describe(fault: Mapping[str, Any], known: frozenset[str], spelled: Callable[[str], str]) -> str:
    path = _path(fault["loc"], known, spelled)
    if fault["type"] == "extra_forbidden":
        key = str(fault["loc"][-1])
        near = get_close_matches(key, known, n=1)
        hint = f", did you mean {spelled(near[0])!r}?" if near else ""
        return f"{path} is not known{hint}"
    message = str(fault["msg"]).removeprefix("Value error, ")
    if fault["type"] == "missing" or not path:
        return f"{path}: {message}".removeprefix(": ")
    shown = repr(fault["input"])
    if SECRET.search(shown):
        shown = "(not shown, it looks like a secret)"
    if len(shown) > SHOWN_CHARACTERS:
        shown = shown[:SHOWN_CHARACTERS] + "…"
    return f"{path} is {shown}: {message}"


def _path(steps: Sequence[int | str], known: frozenset[str], spelled: Callable[[str], str]) -> str:
    """Write a path as the file has it: pydantic puts the tag of a union's chosen member in, the file does not."""
    last = len(steps) - 1
    written = [
        f"[{step}]" if isinstance(step, int) else f".{spelled(step)}"
        for index, step in enumerate(steps)
        if isinstance(step, int) or step in known or index == last
    ]
    return "".join(written).removeprefix(".")


def _keys_of(model: type[BaseModel]) -> frozenset[str]:
    """Every key that may stand anywhere in the model: near misses are looked for among them."""
    keys: set[str] = set()
    waiting: list[Any] = [model]
    while waiting:
        kind = waiting.pop()
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            keys.update(kind.model_fields)
            waiting.extend(field.annotation for field in kind.model_fields.values())
        else:
            waiting.extend(get_args(kind))
    return frozenset(keys)
