"""Writes ``settings.md`` and ``pools.schema.json`` from the models that read them: ``python -m docs.generate``."""

import enum
import json
import typing
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from shared.pools import PoolsFile
from shared.settings import PREFIX, Settings

FOLDER = Path(__file__).parent
PAGE = FOLDER / "settings.md"
SCHEMA = FOLDER / "pools.schema.json"

INTRODUCTION = """# Settings

This page is written by `python -m docs.generate` from the models that read the settings; a test compares them.

## App settings

In Azure these are the app settings of the function app, here environment variables. A name that starts with
`FORESCALE_` and is not in this table is an error. An empty value counts as not set. All faults are reported at once.

"""

POOLS_INTRODUCTION = """
## The pools file

`config/pools.json` in the container. It is read anew at each tick, so a change takes effect at the next one. An unknown
key is an error that names its path and the nearest key. For completion while you write it, let your editor use
[pools.schema.json](pools.schema.json). The smallest file:

```json
{
  "pools": [
    {
      "name": "web",
      "max_nodes": 20,
      "cluster": {"subscription_id": "…", "resource_group": "…", "name": "…"},
      "demand": {"source": "blob"},
      "sizing": {"kind": "capacity", "units_per_node": 120}
    }
  ]
}
```
"""


def page() -> str:
    """Return the text of ``settings.md``."""
    rows = [("name", "default", "meaning"), ("---", "---", "---")]
    rows += [
        (f"`{PREFIX}{name.upper()}`", _default(field), _one_line(field.description))
        for name, field in Settings.model_fields.items()
    ]
    parts = "".join(_section(part) for part in _parts(PoolsFile))
    return INTRODUCTION + _table(rows) + POOLS_INTRODUCTION + parts


def schema() -> str:
    """Return the JSON Schema of the pools file."""
    return json.dumps(PoolsFile.model_json_schema(), indent=2, ensure_ascii=False) + "\n"


def _section(part: type[BaseModel]) -> str:
    rows = [("key", "default", "meaning"), ("---", "---", "---")]
    rows += [(f"`{name}`", _default(field), _meaning(field)) for name, field in part.model_fields.items()]
    return f"\n### {part.__name__}\n\n{_one_line(part.__doc__)}\n\n{_table(rows)}"


def _parts(part: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """Yield the model and every model that its fields hold, each once, in order of reading."""
    waiting, seen = [part], set()
    while waiting:
        kind = waiting.pop(0)
        if kind in seen:
            continue
        seen.add(kind)
        yield kind
        waiting += [inner for field in kind.model_fields.values() for inner in _models_in(field.annotation)]


def _models_in(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in typing.get_args(annotation) for model in _models_in(argument)]


def _meaning(field: FieldInfo) -> str:
    """Return the description, the models that the key may hold, and its one allowed word where there is just one."""
    models = _models_in(field.annotation)
    links = ", ".join(f"[{model.__name__}](#{model.__name__.lower()})" for model in models)
    words = typing.get_args(field.annotation) if typing.get_origin(field.annotation) is typing.Literal else ()
    sentences = [_one_line(field.description), links and f"See {links}.", *(f"`{word}`" for word in words)]
    return " ".join(part for part in sentences if part)


def _default(field: FieldInfo) -> str:
    value = field.default
    if value is PydanticUndefined:
        return "(needed)"
    if value is None or value == "" or isinstance(value, SecretStr):
        return "(unset)"
    if isinstance(value, BaseModel | tuple):
        return "(none)" if isinstance(value, tuple) else "(defaults)"
    return f"`{value.value if isinstance(value, enum.Enum) else value}`"


def _one_line(text: str | None) -> str:
    return " ".join((text or "").replace("``", "`").split()).replace("|", "\\|")


def _table(rows: list[tuple[str, str, str]]) -> str:
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def main() -> None:
    """Write both files."""
    PAGE.write_text(page())
    SCHEMA.write_text(schema())


if __name__ == "__main__":
    main()
