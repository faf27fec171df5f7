"""The checkers of infra/: where they are, and copies of infra/ to break."""

import os
import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path

import pytest

from tests.conftest import SHARED_FOLDER
from tests.repo.bicep_text import INFRA, ROOT

TOOLS = ROOT / ".venv-infra" / "bin"
BICEP_CHECKER = SHARED_FOLDER / "tools/bicep/check_types.py"


@pytest.fixture
def broken_infra(tmp_path: Path) -> Callable[[str, str, str], Path]:
    """Return a way to copy infra/ with one text replaced in one file."""

    def copy(file: str, old: str, new: str) -> Path:
        folder = tmp_path / "infra"
        shutil.copytree(INFRA, folder, ignore=shutil.ignore_patterns("__pycache__"))
        text = (folder / file).read_text(encoding="utf-8")
        assert text.count(old) >= 1, f"{file} no longer has {old!r}"
        (folder / file).write_text(text.replace(old, new, 1), encoding="utf-8")
        return folder

    return copy


@pytest.fixture(scope="session")
def tool() -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Run one of the checkers in .venv-infra."""

    def run(name: str, *arguments: str, cwd: Path = ROOT) -> "subprocess.CompletedProcess[str]":
        if not (TOOLS / name).exists():
            pytest.skip(f"{name} is not installed: make .venv-infra/.done")
        environment = {**os.environ, "AZURE_MCP_COLLECT_TELEMETRY": "false", "CHECKOV_RUN_SCA_PACKAGE_SCAN": "false"}
        return subprocess.run(
            [str(TOOLS / name), *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False
        )

    return run


@pytest.fixture(scope="session")
def bicep_types(shared_folder: Path) -> Callable[[Path], tuple[int, str]]:
    """Run the strict Bicep checker, with Microsoft's types, over a folder."""
    assert BICEP_CHECKER.is_relative_to(shared_folder)

    def run(folder: Path) -> tuple[int, str]:
        found = sorted(TOOLS.parent.glob("lib/python3.*/site-packages/msmcp_azure/bin/azmcp"))
        if not found:
            pytest.skip("msmcp-azure is not installed: make .venv-infra/.done")
        return _checked(found[0], folder)

    return run


@cache
def _tables_read(azmcp: Path) -> None:
    """Check each file by itself, several at once: the checker keeps the type tables, seconds each, for next time."""
    with ThreadPoolExecutor(max_workers=4) as side_by_side:
        list(side_by_side.map(partial(_checked_alone, azmcp), sorted(INFRA.rglob("*.bicep"))))


def _checked(azmcp: Path, path: Path) -> tuple[int, str]:
    _tables_read(azmcp)
    return _checked_alone(azmcp, path)


def _checked_alone(azmcp: Path, path: Path) -> tuple[int, str]:
    done = subprocess.run(
        [str(TOOLS / "python"), str(BICEP_CHECKER), "--azmcp", str(azmcp), "--strict", str(path)],
        env={**os.environ, "AZURE_MCP_COLLECT_TELEMETRY": "false", "DOTNET_TieredPGO": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr
