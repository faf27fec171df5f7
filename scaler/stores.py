"""What the scaler keeps in the container: the memory of each pool, and the log of decisions."""

import json
from collections.abc import Mapping
from typing import Any

from scaler.core.memory import Memory
from shared.json_blob import JsonBlob
from shared.ports import Blobs


class MemoryStore:
    """``state/<pool>.json``; a save is conditional on what was loaded, so of two ticks at once one loses."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    def load(self, pool: str) -> tuple[Memory, str | None]:
        """Return the memory and its etag; a pool without one starts empty.

        Raises :class:`~shared.errors.ConfigurationError` if what is stored cannot be read: it is left as it is.
        """
        stored = self._blob(pool).read()
        return (Memory(), None) if stored is None else (stored.value, stored.etag)

    def save(self, pool: str, memory: Memory, etag: str | None) -> str:
        """Replace the memory and return its new etag; raises :class:`~shared.errors.BlobChanged` if it was changed."""
        return self._blob(pool).write(memory, if_etag=etag)

    def _blob(self, pool: str) -> JsonBlob[Memory]:
        return JsonBlob(
            blobs=self._blobs, name=f"state/{pool}.json", kind=Memory, remedy="move it away to start the pool anew"
        )


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


def _log_name(pool: str, date: str) -> str:
    return f"decisions/{pool}/{date}.jsonl"
