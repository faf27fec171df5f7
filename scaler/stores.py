"""What the scaler keeps in the container: the memory of each pool, and the log of decisions."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from scaler.core.memory import Memory
from shared.errors import BlobNotFound, ConfigurationError
from shared.ports import Blobs

_MEMORY = TypeAdapter(Memory)


class MemoryStore:
    """``state/<pool>.json``; a save is conditional on what was loaded, so of two ticks at once one loses."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    def load(self, pool: str) -> tuple[Memory, str | None]:
        """Return the memory and its etag; a pool without one starts empty.

        Raises :class:`ConfigurationError` if what is stored cannot be read: it is left as it is.
        """
        name = _memory_name(pool)
        try:
            blob = self._blobs.read(name)
        except BlobNotFound:
            return Memory(), None
        try:
            return _MEMORY.validate_json(blob.data), blob.etag
        except ValidationError as exc:
            fault = exc.errors()[0]
            msg = f"{name} cannot be read ({fault['loc']}: {fault['msg']}): move it away to start the pool anew"
            raise ConfigurationError(msg) from exc

    def save(self, pool: str, memory: Memory, etag: str | None) -> str:
        """Replace the memory and return its new etag; raises :class:`shared.errors.BlobChanged` if it was changed."""
        return self._blobs.write(_memory_name(pool), _MEMORY.dump_json(memory), if_etag=etag)


class DecisionLog:
    """``decisions/<pool>/<date>.jsonl``: append blobs, so that two writers never lose a line.

    A retried append may leave a line twice; ``run_id`` and ``pool`` tell.
    """

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    def add(self, fields: Mapping[str, Any]) -> None:
        """Append one record (``Record.fields``)."""
        line = json.dumps(fields, allow_nan=False, separators=(",", ":")) + "\n"
        self._blobs.append(_log_name(str(fields["pool"]), str(fields["at"])[:10]), line.encode())

    def of_day(self, pool: str, date: str) -> list[dict[str, Any]]:
        """Return the records of a UTC date (``2026-11-22``), oldest first; raises ``BlobNotFound`` if it has none."""
        return [json.loads(line) for line in self._blobs.read(_log_name(pool, date)).data.splitlines()]

    def days(self, pool: str) -> list[str]:
        """Return the UTC dates that have records, oldest first."""
        prefix = f"decisions/{pool}/"
        return [name.removeprefix(prefix).removesuffix(".jsonl") for name in self._blobs.names(prefix)]


def _memory_name(pool: str) -> str:
    return f"state/{pool}.json"


def _log_name(pool: str, date: str) -> str:
    return f"decisions/{pool}/{date}.jsonl"
