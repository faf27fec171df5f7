"""What a training job takes along: our own packages, whole, and the exact library versions that it needs.

A job could not resize a pool with them: it runs under an identity that has no right to (docs/decisions/0030).
"""

import hashlib
import importlib.metadata
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from shared.errors import ConfigurationError

PACKAGES = ("shared", "scaler", "training")
LIBRARIES = (
    "azure-identity",
    "azure-storage-blob",
    "holidays",
    "numpy",
    "pydantic",
    "rich",
    "scikit-learn",
    "tzdata",
)
REQUIREMENTS = "requirements.txt"
MAX_BYTES = 300 * 1024 * 1024
"""Azure ML's limit for a snapshot: learn.microsoft.com/azure/machine-learning/v1/how-to-save-write-experiment-files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Files by their path in the job's folder; the digest names this very content."""

    files: Mapping[str, bytes]

    @property
    def digest(self) -> str:
        """SHA-256 over names and contents, hexadecimal: the code version."""
        digest = hashlib.sha256()
        for name, data in sorted(self.files.items()):
            digest.update(f"{name}\0{len(data)}\0".encode())
            digest.update(data)
        return digest.hexdigest()

    @property
    def requirements(self) -> Sequence[str]:
        """The lines of the requirements file."""
        return self.files[REQUIREMENTS].decode().splitlines()

    def write_to(self, folder: Path) -> None:
        """Lay the files out below a folder."""
        for name, data in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


def snapshot_of(root: Path, *, extra_libraries: Sequence[str] = ()) -> Snapshot:
    """Collect what a job needs from the app's folder ``root``.

    Its requirements are the versions that this very process runs: a model is made with what was tested.
    Raises :class:`ConfigurationError` if the folder is not the app's, or holds more than a job may take.
    """
    files = {
        path.relative_to(root).as_posix(): path.read_bytes()
        for package in PACKAGES
        for path in sorted((root / package).rglob("*"))
        if path.is_file() and not _is_made_by_python(path.relative_to(root))
    }
    if "training/__main__.py" not in files:
        msg = f"{root} holds no training/__main__.py: the app's own folder is needed to start a training job"
        raise ConfigurationError(msg)
    files[REQUIREMENTS] = "".join(f"{line}\n" for line in _pins((*LIBRARIES, *extra_libraries))).encode()
    size_bytes = sum(map(len, files.values()))
    if size_bytes > MAX_BYTES:
        msg = f"the job's files have {size_bytes:,} bytes, Azure ML takes {MAX_BYTES:,}"
        raise ConfigurationError(msg)
    return Snapshot(files=files)


def python_version() -> str:
    """Return the Python that a job shall have: the minor version of this process, such as ``3.13``."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _is_made_by_python(path: PurePath) -> bool:
    return "__pycache__" in path.parts or path.suffix == ".pyc"


def _pins(libraries: Sequence[str]) -> list[str]:
    return [f"{name}=={importlib.metadata.version(name)}" for name in sorted(libraries)]
