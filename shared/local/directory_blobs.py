"""Blobs as files in a directory, for one machine: same promises, kept with a lock file and atomic renames."""

import contextlib
import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from shared.errors import BlobChanged, BlobNotFound, CloudError
from shared.ports import Blob


class DirectoryBlobs:
    """``shared.ports.Blobs`` below one directory; the etag is the SHA-256 of the content."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def read(self, name: str) -> Blob:
        """See :meth:`shared.ports.Blobs.read`."""
        path = self._path(name)
        try:
            data = path.read_bytes()
            modified_at = datetime.fromtimestamp(path.stat().st_mtime, tz=UTC)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as exc:
            msg = f"there is no {name!r} in {self._directory}"
            raise BlobNotFound(msg) from exc
        except OSError as exc:
            msg = f"reading {name!r} failed: {exc.strerror}"
            raise CloudError(msg) from exc
        return Blob(data=data, etag=_etag(data), modified_at=modified_at)

    def read_if_changed(self, name: str, etag: str) -> Blob | None:
        """See :meth:`shared.ports.Blobs.read_if_changed`."""
        blob = self.read(name)
        return None if blob.etag == etag else blob

    def write(self, name: str, data: bytes, *, if_etag: str | None) -> str:
        """See :meth:`shared.ports.Blobs.write`."""
        path = self._path(name)
        with _translated("writing", name), self._locked():
            current = _etag(path.read_bytes()) if path.is_file() else None
            if current != if_etag:
                msg = f"{name!r} in {self._directory} was changed by another writer"
                raise BlobChanged(msg)
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(temporary).replace(path)
        return _etag(data)

    def append(self, name: str, data: bytes) -> None:
        """See :meth:`shared.ports.Blobs.append`."""
        path = self._path(name)
        with _translated("appending to", name), self._locked():
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab") as file:
                file.write(data)

    def names(self, prefix: str) -> Sequence[str]:
        """See :meth:`shared.ports.Blobs.names`."""
        files = (path for path in self._directory.rglob("*") if path.is_file() and not path.name.startswith("."))
        found = (path.relative_to(self._directory).as_posix() for path in files)
        return sorted(name for name in found if name.startswith(prefix))

    def _path(self, name: str) -> Path:
        pure = PurePosixPath(name)
        if (
            not name
            or pure.is_absolute()
            or ".." in pure.parts
            or pure.name.startswith(".")
            or str(pure) != name
            or "\0" in name
        ):
            msg = f"{name!r} is not a blob name"
            raise CloudError(msg)
        return self._directory / pure

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the directory's lock; the kernel frees it if the process dies."""
        self._directory.mkdir(parents=True, exist_ok=True)
        with (self._directory / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


@contextlib.contextmanager
def _translated(doing: str, name: str) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        msg = f"{doing} {name!r} failed: {exc.strerror}"
        raise CloudError(msg) from exc


def _etag(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
