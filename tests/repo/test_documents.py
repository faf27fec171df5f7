"""What the repository says of itself is true."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from docs.generate import PAGE, SCHEMA, page, schema
from shared.settings import PREFIX, Settings
from tests.conftest import ROOT


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S607
    return [ROOT / name for name in listed.stdout.split("\n") if name and (ROOT / name).is_file()]


def test_the_settings_page_is_what_the_models_say() -> None:
    assert PAGE.read_text() == page(), "run `make docs`"


def test_the_schema_of_the_pools_file_is_what_the_model_says() -> None:
    assert SCHEMA.read_text() == schema(), "run `make docs`"


def test_every_app_setting_has_a_meaning() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_every_command_that_the_readme_names_exists() -> None:
    named = set(re.findall(r"python -m (scaler|training) (\w+)", (ROOT / "README.md").read_text()))

    codes = [
        subprocess.run(
            [sys.executable, "-m", *command, "--help"], cwd=ROOT, capture_output=True, check=False
        ).returncode
        for command in sorted(named)
    ]

    assert named
    assert codes == [0] * len(named)


def test_every_file_that_a_page_links_to_exists() -> None:
    links = {
        (page_file, link)
        for page_file in tracked("*.md")
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page_file.read_text())
    }

    assert [(str(one), link) for one, link in sorted(links) if not (one.parent / link).exists()] == []


def test_every_setting_that_a_page_names_exists() -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    pages = tracked("*.md", "*.json")
    named = {name for one in pages for name in re.findall(rf"{PREFIX}[A-Z_]+[A-Z]", one.read_text())}

    assert named - known == set()


@pytest.mark.parametrize(
    "unwanted",
    [
        pytest.param(r"/(home|root|work|Users)/\w+", id="a path of somebody's machine"),
        pytest.param(r"\b(TODO|FIXME|XXX)\b(?! without)", id="work left over"),
        pytest.param(r"unittest\.mock(?!\b.*(banned|Fakes))", id="mocks"),
        pytest.param(r"-----BEGIN [A-Z ]*PRIVATE KEY", id="a private key"),
    ],
)
def test_the_repository_is_free_of(unwanted: str) -> None:
    own = {ROOT / "tests/repo/test_documents.py", ROOT / "pyproject.toml"}
    pictures = {".png"}
    texts = {
        path: path.read_text(errors="replace") for path in tracked() if path not in own and path.suffix not in pictures
    }

    assert [str(path) for path, text in texts.items() if re.search(unwanted, text)] == []


def test_modules_are_no_longer_than_the_house_allows() -> None:
    lengths = {
        path: len(path.read_text().splitlines()) for path in tracked("shared/*.py", "scaler/*.py", "training/*.py")
    }

    assert {str(path): lines for path, lines in lengths.items() if lines > 400} == {}
    assert [str(path) for path in lengths if path.stem in {"utils", "helpers", "common", "base", "manager"}] == []
