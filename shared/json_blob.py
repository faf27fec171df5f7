"""A typed document in a blob, guarded by its etag: read it, write it, change it, and say that it cannot be read."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from shared.errors import BlobChanged, BlobNotFound, ConfigurationError, ForescaleError
from shared.ports import Blob, Blobs

TRIES = 20
"""Writers that may be ahead of a change before it gives up: each of them has done its own work."""

T = TypeVar("T")
D = TypeVar("D")


@dataclass(frozen=True, slots=True)
class Stored(Generic[T]):
    """A document as it was read, and the tag under which it may be replaced."""

    value: T
    etag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A document that cannot be read: its bytes as they are stored, and the message for an operator."""

    blob: Blob
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonBlob(Generic[T]):
    """One JSON document of the type ``kind`` (a pydantic model, or a dataclass of plain values).

    A document that cannot be read raises ``error``, whose message names the blob, the fault and the ``remedy``.
    """

    blobs: Blobs
    name: str
    kind: type[T]
    remedy: str
    error: type[ForescaleError] = ConfigurationError

    def read(self) -> Stored[T] | None:
        """Return the document, or None if there is none; raises ``error``, and what reading a blob raises."""
        return self.read_or(self._refuse)

    def read_or(self, stand_in: Callable[[Unreadable], D]) -> Stored[T | D] | None:
        """As :meth:`read`, but what cannot be read is replaced by what ``stand_in`` returns, under its own etag."""
        try:
            blob = self.blobs.read(self.name)
        except BlobNotFound:
            return None
        return self._parse(blob, stand_in)

    def read_if_changed(self, etag: str) -> Stored[T] | None:
        """Return the document, or None while it still has the tag ``etag``.

        Raises :class:`~shared.errors.BlobNotFound`, ``error``, and what reading a blob raises.
        """
        blob = self.blobs.read_if_changed(self.name, etag)
        return None if blob is None else self._parse(blob, self._refuse)

    def write(self, value: T, *, if_etag: str | None) -> str:
        """Replace the document that was read under ``if_etag`` (None: there was none) and return its new etag.

        Raises :class:`~shared.errors.BlobChanged` if another writer was first; then nothing was written.
        """
        return self.blobs.write(self.name, self._adapter.dump_json(value, indent=1), if_etag=if_etag)

    def change(self, change: Callable[[T | None], T]) -> T:
        """Replace the document by what ``change`` makes of it (of None if there is none) and return the result.

        After a lost race it reads again and changes again, at most ``TRIES`` times, so ``change`` must be free of side
        effects. An unchanged document is not written. Raises ``error`` and :class:`~shared.errors.BlobChanged`.
        """
        return self._change(self.read, change)

    def replace(self, value: T) -> None:
        """Put the document in place of whatever there is, readable or not; of two at once the later one stays."""
        self._change(lambda: self.read_or(lambda _: None), lambda _: value)

    def _change(self, read: Callable[[], Stored[Any] | None], change: Callable[[T | None], T]) -> T:
        for _ in range(TRIES):
            stored = read()
            changed = change(stored.value if stored else None)
            if stored is not None and changed == stored.value:
                return changed
            try:
                self.write(changed, if_etag=stored.etag if stored else None)
            except BlobChanged:
                continue
            return changed
        msg = f"{self.name} was changed by {TRIES} other writers in a row: try again"
        raise BlobChanged(msg)

    def _parse(self, blob: Blob, stand_in: Callable[[Unreadable], D]) -> Stored[T | D]:
        try:
            return Stored(self._adapter.validate_json(blob.data), blob.etag)
        except ValidationError as exc:
            fault = exc.errors()[0]
            path = ".".join(str(step) for step in fault["loc"])
            where = f"{path}: {fault['msg']}" if path else fault["msg"]
            message = f"{self.name} cannot be read ({where}): {self.remedy}"
            return Stored(stand_in(Unreadable(blob=blob, message=message)), blob.etag)

    def _refuse(self, unreadable: Unreadable) -> T:
        raise self.error(unreadable.message)

    @property
    def _adapter(self) -> TypeAdapter[T]:
        kind: Any = self.kind
        return _adapter_of(kind)


@lru_cache(maxsize=64)
def _adapter_of(kind: Any) -> TypeAdapter[Any]:  # noqa: ANN401 - a type is hashable, which mypy cannot know of T
    """Build what reads and writes a type, once: for a dataclass that costs milliseconds."""
    return TypeAdapter(kind)
