"""What Forescale needs from the world, whichever package asks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """The content of a blob, the tag that a conditional read or write needs, and when it was last written."""

    data: bytes
    etag: str
    modified_at: datetime


class Blobs(Protocol):
    """Named bytes in one container, safe against two writers.

    Names use ``/`` and are never empty. Every call may raise :class:`shared.errors.CloudError`
    (:class:`~shared.errors.Transient` when it may succeed later); all return when *done*.
    """

    def read(self, name: str) -> Blob:
        """Return the blob; raises :class:`~shared.errors.BlobNotFound`."""
        ...

    def read_if_changed(self, name: str, etag: str) -> Blob | None:
        """Return the blob, or None (and nothing is downloaded) while it still has the tag ``etag``.

        Raises :class:`~shared.errors.BlobNotFound`.
        """
        ...

    def write(self, name: str, data: bytes, *, if_etag: str | None) -> str:
        """Replace the blob whole and return its new etag.

        ``if_etag`` is the tag that was read, or None for "there must be none yet".
        Raises :class:`~shared.errors.BlobChanged` if another writer was first; then nothing was written.
        """
        ...

    def append(self, name: str, data: bytes) -> None:
        """Add bytes at the end, creating the blob if needed; appends of two writers never mix or get lost."""
        ...

    def names(self, prefix: str) -> Sequence[str]:
        """Return the names that start with ``prefix``, sorted."""
        ...
