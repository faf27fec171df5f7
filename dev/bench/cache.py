"""Results kept from earlier runs, so that a run can be stopped and resumed and repeats nothing that did not change."""

import hashlib
import importlib.metadata
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dev.bench.methods import Method
from dev.bench.policies import Setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a method did on a series; ``error`` says why it has no scores."""

    series: str
    method: str
    slo: float
    nodes: float
    took_s: float
    scores: dict[str, Any] = field(default_factory=dict)
    error: str = ""

    @property
    def setting(self) -> Setting:
        """What the method was asked for."""
        return Setting(slo=self.slo, nodes=self.nodes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """A directory of outcomes, each in a file named by everything it depends on."""

    directory: Path

    def read(self, name: str) -> Outcome | None:
        """Return a kept outcome, or None if there is none that can be read."""
        try:
            return Outcome(**json.loads((self.directory / name).read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, name: str, outcome: Outcome) -> None:
        """Keep an outcome, whole or not at all; failures are not kept, the next run tries again."""
        if outcome.error:
            return
        self.directory.mkdir(parents=True, exist_ok=True)
        draft = self.directory / f"{name}.part"
        draft.write_text(json.dumps(asdict(outcome)))
        draft.replace(self.directory / name)


def name_of(method: Method, setting: Setting, *, digest: str, code: str) -> str:
    """Return the file name of an outcome: it changes with the series, the method, its code and its packages."""
    key = json.dumps([method.key, asdict(setting), digest, code])
    return f"{method.key}-{hashlib.sha256(key.encode()).hexdigest()[:20]}.json"


def code_of(method: Method, root: Path) -> str:
    """Return a digest of the method's source files and of the versions of its packages."""
    digest = hashlib.sha256()
    for pattern in method.sources:
        for path in sorted(root.glob(pattern)):
            digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    digest.update(json.dumps(versions(method.packages)).encode())
    return digest.hexdigest()


def versions(packages: Sequence[str]) -> dict[str, str]:
    """Return the installed versions; a package that is not there is ``missing``."""
    found = {}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "missing"
    return found
