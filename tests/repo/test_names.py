"""Every name can be searched for: no word that stands for anything, and no two things of one name."""

import ast
import io
import re
import subprocess
import tokenize
from collections import defaultdict
from pathlib import Path

import pytest

from tests.conftest import ROOT

PRODUCT = ("scaler/", "shared/", "training/")
SAME_NAME_ALLOWED = {
    "main": "each command, and each process of ours, starts at a `main`",
}
"""Names that stand for two things of the product, and why they may."""


def test_told_names_nothing_and_the_product_does_not_even_say_it() -> None:
    named = [place for file in _tracked() for place in _uses_of_told(file)]

    assert named == []


@pytest.mark.parametrize("code", ["told = 1\n", "def f(_told): ...\n", "x.told()\n", "f(told=1)\n"])
def test_a_variable_called_told_is_seen_in_a_test(code: str) -> None:
    assert _told_in_names(code) == [1]


def test_a_sentence_of_a_test_may_say_told() -> None:
    assert _told_in_names('def test_a_caller_is_told_why() -> None:\n    """It was told."""  # as told\n') == []


def test_no_two_classes_or_public_functions_of_the_product_have_one_name() -> None:
    places = _definitions()
    twice = {name: files for name, files in places.items() if len(files) > 1 and name not in SAME_NAME_ALLOWED}

    assert twice == {}


def test_what_is_allowed_to_share_a_name_still_does() -> None:
    places = _definitions()

    assert [name for name in SAME_NAME_ALLOWED if len(places[name]) < 2] == []


def _definitions() -> dict[str, list[str]]:
    """Where each class (private ones too, without their underscore) and each public function of a module is defined."""
    places: dict[str, list[str]] = defaultdict(list)
    for file in _tracked():
        name = file.relative_to(ROOT).as_posix()
        for node in ast.parse(file.read_text(encoding="utf-8")).body if name.startswith(PRODUCT) else ():
            match node:
                case ast.ClassDef(name=defined):
                    places[defined.lstrip("_")].append(name)
                case ast.FunctionDef(name=defined) if not defined.startswith("_"):
                    places[defined].append(name)
    return places


def _uses_of_told(file: Path) -> list[str]:
    name, text = file.relative_to(ROOT).as_posix(), file.read_text(encoding="utf-8")
    lines = _told_in_names(text) if name.startswith("tests/") else _told_in_text(text)
    return [f"{name}:{line}" for line in lines]


def _told_in_text(text: str) -> list[int]:
    return [number for number, line in enumerate(text.splitlines(), start=1) if re.search(r"\b_?told\b", line)]


def _told_in_names(code: str) -> list[int]:
    tokens = tokenize.generate_tokens(io.StringIO(code).readline)
    return [token.start[0] for token in tokens if token.type == tokenize.NAME and token.string in {"told", "_told"}]


def _tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True).stdout  # noqa: S607
    return [ROOT / name for name in listed.splitlines() if (ROOT / name).is_file()]
