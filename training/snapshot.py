"""What a training job takes along: our own packages as far as it runs them, and the exact versions it needs."""

import hashlib
import importlib.metadata
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.errors import ConfigurationError

PACKAGES = ("shared", "scaler", "training")
LEFT_BEHIND = frozenset({
    "scaler/cloud", "scaler/dashboard", "scaler/local", "scaler/__main__.py", "scaler/wiring.py", "scaler/tick.py",
    "scaler/fallback.py", "scaler/explain.py", "scaler/preflight.py", "shared/demand/archive.py", "training/api.py",
    "training/cloud/aml_errors.py", "training/cloud/sdk_jobs.py", "training/cloud/rest_jobs.py",
    "training/cloud/sdk_process.py", "training/cloud/workspace.py",
})  # fmt: skip
"""Parts of our packages that act on pools or start jobs: a job neither needs nor may use them."""
LIBRARIES = (
    "azure-identity",
    "azure-storage-blob",
    "holidays",
    "numpy",
    "pydantic",
    "rich",
    "scikit-learn",
    "skops",
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
        told = hashlib.sha256()
        for name, data in sorted(self.files.items()):
            told.update(f"{name}\0{len(data)}\0".encode())
            told.update(data)
        return told.hexdigest()

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

    Its requirements are the versions that this very process runs: a model file is only read by the scikit-learn that
    wrote it. Raises :class:`ConfigurationError` if the folder is not the app's, or holds more than a job may take.
    """
    files = {
        path.relative_to(root).as_posix(): path.read_bytes()
        for package in PACKAGES
        for path in sorted((root / package).rglob("*.py"))
    }
    taken = {name: data for name, data in files.items() if not _is_left(name)}
    if "training/__main__.py" not in taken:
        msg = f"{root} holds no training/__main__.py: the app's own folder is needed to start a training job"
        raise ConfigurationError(msg)
    taken[REQUIREMENTS] = "".join(f"{line}\n" for line in _pins((*LIBRARIES, *extra_libraries))).encode()
    size_bytes = sum(map(len, taken.values()))
    if size_bytes > MAX_BYTES:
        msg = f"the job's files have {size_bytes:,} bytes, Azure ML takes {MAX_BYTES:,}"
        raise ConfigurationError(msg)
    return Snapshot(files=taken)


def python_version() -> str:
    """Return the Python that a job shall have: the minor version of this process, such as ``3.13``."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _is_left(name: str) -> bool:
    return any(name == left or name.startswith(f"{left}/") for left in LEFT_BEHIND)


def _pins(libraries: Sequence[str]) -> list[str]:
    return [f"{name}=={importlib.metadata.version(name)}" for name in sorted(libraries)]
