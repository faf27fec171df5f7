"""What the app needs, as ranges (requirements.in), as pins with hashes (requirements.txt), and as installed here."""

import ast
import importlib.metadata
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.clean_python import THIS_VERSION, VERSIONS
from tests.conftest import ROOT

HASHED = re.compile(r"[\w.-]+==\S+( ; [^\\#]+)?(\s+--hash=sha256:[0-9a-f]{64})+")
PRODUCT = ("scaler", "shared", "training")
OTHERWISE_CALLED = {"sklearn": "scikit-learn", "azureml": "azureml-core"}
WATCHED_IN_AZUREML = {"requests", "urllib3"}
"""What azureml-core speaks HTTP with; ``training/cloud/sdk_process.py`` watches it there, nobody else may use it."""
DATA_ONLY = {"tzdata"}
"""Read by the standard library's zoneinfo, never imported."""


@pytest.mark.parametrize("version", VERSIONS)
def test_every_range_has_one_pin_within_it_on_each_python(version: str) -> None:
    pins = _pins(version)

    wrong = [
        f"{wanted} but {pins.get(canonicalize_name(wanted.name))}"
        for wanted in _ranges(version)
        if not wanted.specifier.contains(pins.get(canonicalize_name(wanted.name), "0"))
    ]

    assert wrong == [], "run `make lock`"


def test_no_package_is_pinned_twice_on_one_python() -> None:
    names = [canonicalize_name(one.name) for one in _of("requirements.txt", THIS_VERSION)]

    assert len(names) == len(set(names))


def test_every_pin_has_its_hashes() -> None:
    pins = _logical_lines("requirements.txt")

    assert len(pins) > 50
    assert [pin for pin in pins if not HASHED.fullmatch(pin)] == []


def test_the_lock_names_no_index_no_address_and_no_path() -> None:
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")

    assert re.findall(r".*(?:://|--index|--find-links|-i |-e |\.whl|\.tar|/).*", text) == []


def test_what_is_installed_here_is_what_is_published() -> None:
    installed = {name: importlib.metadata.version(name) for name in _pins(THIS_VERSION)}

    assert installed == _pins(THIS_VERSION), "run `make .venv/.dev`: requirements.txt has changed since"


def test_everything_that_the_app_imports_is_among_the_ranges() -> None:
    imported = {_distribution(module) for file in _product() for module in _imports(file)}

    assert imported - WATCHED_IN_AZUREML == _range_names() - DATA_ONLY


def test_what_azureml_core_brings_is_used_to_watch_it_and_for_nothing_else() -> None:
    users = {file.name for file in _product() if {_distribution(one) for one in _imports(file)} & WATCHED_IN_AZUREML}

    assert users == {"sdk_process.py"}


def test_nothing_for_developers_is_among_the_ranges() -> None:
    for_developers = {
        canonicalize_name(wanted.name)
        for file in ("host", "test", "bench", "infra")
        for wanted in _of(f"dev/requirements-{file}.txt", THIS_VERSION)
    }

    assert {"werkzeug", "pytest", "uv", "prophet", "checkov"} <= for_developers
    assert for_developers & _range_names() == set()


def test_the_tools_that_check_are_pinned() -> None:
    loose = {"pathspec"}  # requirements.txt pins it: azureml-core accepts few

    assert {
        wanted.name for wanted in _of("dev/requirements-test.txt", THIS_VERSION) if "==" not in str(wanted.specifier)
    } == loose
    assert loose <= set(_pins(THIS_VERSION))


def _ranges(version: str) -> list[Requirement]:
    return _of("requirements.in", version)


@cache
def _range_names() -> set[str]:
    return {canonicalize_name(wanted.name) for version in VERSIONS for wanted in _ranges(version)}


def _pins(version: str) -> dict[str, str]:
    """Each pinned package that Linux with this Python takes, with its version."""
    return {canonicalize_name(pin.name): next(iter(pin.specifier)).version for pin in _of("requirements.txt", version)}


def _of(name: str, version: str) -> list[Requirement]:
    linux: dict[str, str] = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"}
    linux |= {"python_version": version, "python_full_version": f"{version}.0", "implementation_name": "cpython"}
    linux |= {"platform_python_implementation": "CPython"}
    wanted = [Requirement(line.split(" --hash")[0]) for line in _logical_lines(name)]
    return [one for one in wanted if one.marker is None or one.marker.evaluate(linux)]


def _logical_lines(name: str) -> list[str]:
    """The lines of a requirements file as pip reads them: without comments, continued lines joined."""
    text = (ROOT / name).read_text(encoding="utf-8")
    joined = re.sub(r"\s*\\\n\s*", " ", re.sub(r"(^|\s)#.*", "", text))
    return [line.strip() for line in joined.splitlines() if line.strip()]


def _product() -> list[Path]:
    return [ROOT / "function_app.py", *(file for name in PRODUCT for file in sorted((ROOT / name).rglob("*.py")))]


def _imports(file: Path) -> Iterator[str]:
    """Yield every module of somebody else's that a file imports, wherever in the file."""
    ours = {*PRODUCT, "function_app"}
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names = [name.name for name in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        yield from (name for name in names if name.split(".")[0] not in ours | sys.stdlib_module_names)


def _distribution(module: str) -> str:
    """Return what is installed to import a module: ``azure.core.rest`` comes with azure-core."""
    parts = module.split(".")
    if parts[0] in OTHERWISE_CALLED:
        return OTHERWISE_CALLED[parts[0]]
    dashed = ["-".join(parts[:count]) for count in range(len(parts), 0, -1)]
    return next((name for name in dashed if name in _range_names()), parts[0])
