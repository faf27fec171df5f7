"""What the host reads and writes beside the app: host.json, local.settings.json, ``%SETTING%`` and the function key."""

import json
import os
import re
import secrets
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

from shared.errors import ConfigurationError

KEY_SETTING = "DEVHOST_KEY"
KEY_FILE = "dev-key"
_REFERENCE = re.compile(r"%([^%]+)%")


def _json_object(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as exc:
        msg = f"{path}: not readable as JSON: {exc}"
        raise ConfigurationError(msg) from exc
    if not isinstance(content, dict):
        msg = f"{path}: holds a {type(content).__name__}, where a JSON object belongs"
        raise ConfigurationError(msg)
    return content


def read_host_json(folder: Path) -> dict[str, Any]:
    """Return the content of host.json; no file is an empty one."""
    return _json_object(folder / "host.json")


def route_prefix(host_json: Mapping[str, Any]) -> str:
    """Return ``extensions.http.routePrefix`` without slashes at its ends; "api" unless set, "" when set to that."""
    found: object = host_json
    for name in ("extensions", "http", "routePrefix"):
        if not isinstance(found, Mapping):
            msg = f'host.json: the parent of "{name}" in extensions.http.routePrefix is not an object: {found!r}'
            raise ConfigurationError(msg)
        if name not in found:
            return "api"
        found = found[name]
    if not isinstance(found, str):
        msg = f"host.json: extensions.http.routePrefix is {found!r}, where a string belongs"
        raise ConfigurationError(msg)
    return found.strip("/")


def load_local_settings(folder: Path, environment: MutableMapping[str, str]) -> None:
    """Add the ``Values`` of local.settings.json to the environment; what is set already stays.

    Raises:
        ConfigurationError: the file is encrypted, or a value is not a string. Core Tools drops *all* settings for such
            a value without a word (azure-functions-core-tools issue 223), so it is named here.
    """
    path = folder / "local.settings.json"
    content = _json_object(path)
    if content.get("IsEncrypted") is True:
        msg = f'{path}: is encrypted and only Core Tools can read it. Run "func settings decrypt" in {folder}.'
        raise ConfigurationError(msg)
    values = content.get("Values", {})
    if not isinstance(values, dict):
        msg = f"{path}: Values is {values!r}, where an object of strings belongs"
        raise ConfigurationError(msg)
    faults = [
        f'{path}: Values["{name}"] is {json.dumps(value)}, which is not a string. Put it in quotes: {_quoted(value)}'
        for name, value in values.items()
        if not isinstance(value, str)
    ]
    if faults:
        raise ConfigurationError("\n".join(faults))
    for name, value in values.items():
        if name:
            environment.setdefault(name, value)


def _quoted(value: object) -> str:
    return json.dumps(json.dumps(value))


def resolve(text: str, environment: Mapping[str, str]) -> str:
    """Replace each ``%NAME%`` by the setting of that name.

    Raises:
        ConfigurationError: names each setting that is missing or empty.
    """
    missing = [name for name in _REFERENCE.findall(text) if not environment.get(name)]
    if missing:
        names = ", ".join(missing)
        msg = f'"{text}" needs the setting {names}, which is not set. Set it in local.settings.json or the environment.'
        raise ConfigurationError(msg)
    return _REFERENCE.sub(lambda match: environment[match[1]], text)


def new_key(state_dir: Path | None) -> str:
    """Make a random function key; with a folder, also write it there, readable by its owner only."""
    key = secrets.token_urlsafe(24)
    if state_dir is not None:
        state_dir.mkdir(parents=True, exist_ok=True)
        path = state_dir / KEY_FILE
        path.unlink(missing_ok=True)  # an old file might be readable by others; the mode below is for new files only
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(key + "\n")
    return key
