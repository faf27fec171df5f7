"""What a stranger meets first: licence, how to contribute, templates, hooks, the development container."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.version import VERSION
from tests.conftest import ROOT
from tests.repo.bicep_text import declarations

Tool = Callable[..., "subprocess.CompletedProcess[str]"]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
RECIPES = re.findall(r"^### (Add .+)\n((?:.+\n)+)", CONTRIBUTING, re.MULTILINE)
SECTIONS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
"""Those of keepachangelog.com, 1.1.0."""
MANIFESTS = {"uv": "requirements.in", "pip": "requirements-test.txt", "npm": "package.json"}
CONTAINER_KEYS = {"name", "image", "features", "postCreateCommand", "forwardPorts", "portsAttributes", "customizations"}
"""Of those that containers.dev/implementors/json_reference describes, the ones in use."""


def test_the_licence_is_mit_and_stands_in_one_place() -> None:
    lines = (ROOT / "LICENSE").read_text(encoding="utf-8").splitlines()
    headed = [file for file in _tracked("*.py") if "copyright" in file.read_text(encoding="utf-8")[:300].lower()]

    assert lines[0] == "MIT License"
    assert re.fullmatch(r"Copyright \(c\) \d{4} The Forescale authors", lines[2])
    assert headed == []


# contributing


def test_there_is_a_recipe_for_a_demand_source_a_guard_and_a_model_family() -> None:
    assert [title for title, _ in RECIPES] == ["Add a demand source", "Add a guard", "Add a model family"]
    assert [title for title, steps in RECIPES if steps.count("\n") > 12] == []


@pytest.mark.parametrize("steps", [steps for _, steps in RECIPES], ids=[title for title, _ in RECIPES])
def test_every_name_of_a_recipe_is_where_the_recipe_says(steps: str) -> None:
    placed = _placed(steps)

    assert len(placed) >= 4
    assert [(name, file) for name, file in placed if name not in _names_in(ROOT / file)] == []


def test_every_name_of_the_table_is_where_the_table_says() -> None:
    table = CONTRIBUTING.split("## Where to change what")[1].split("\n## ")[0]

    assert len(re.findall(r"^\| ", table, re.MULTILINE)) >= 12
    assert [(name, file) for name, file in _placed(table) if name not in _names_in(ROOT / file)] == []


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "README.md"])
def test_every_file_and_folder_that_a_page_names_exists(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:[\w.-]+/)+[\w.-]*|[\w-]+\.(?:py|in|txt|yaml))`", text))

    assert named
    assert [name for name in sorted(named) if not _is_made_by_us(name) and not _exists(name)] == []


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "SECURITY.md", "README.md"])
def test_every_target_of_make_that_a_page_names_exists(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    named = set(re.findall(r"^make (\w[\w-]*)|`make (\w[\w-]*)", text, re.MULTILINE))
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))

    assert {name for pair in named for name in pair if name} <= targets


def test_every_target_of_make_is_explained_by_make_help() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    command = ["make", "--no-print-directory", "help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)

    targets = re.findall(r"^([a-z-]+):", makefile, re.MULTILINE)
    assert [line.split()[0] for line in done.stdout.splitlines()] == targets
    assert set(targets) == set(re.findall(r"[a-z-]+", makefile.split(".PHONY:")[1].split("\n")[0]))


def test_the_changelog_has_the_sections_of_keep_a_changelog() -> None:
    sections = re.findall(r"^### (.+)$", CHANGELOG, re.MULTILINE)

    assert re.findall(r"^## (.+)$", CHANGELOG, re.MULTILINE)[0].startswith(f"[{VERSION}] - ")
    assert sections
    assert set(sections) <= SECTIONS


# templates and hooks


@pytest.mark.parametrize(
    ("schema", "file"),
    [
        ("github-issue-forms", "ISSUE_TEMPLATE/bug.yml"),
        ("github-issue-forms", "ISSUE_TEMPLATE/idea.yml"),
        ("github-issue-config", "ISSUE_TEMPLATE/config.yml"),
        ("dependabot", "dependabot.yml"),
    ],
)
def test_a_file_for_github_is_what_github_accepts(tool: Tool, schema: str, file: str) -> None:
    done = tool("check-jsonschema", "--builtin-schema", f"vendor.{schema}", str(ROOT / ".github" / file))

    assert done.returncode == 0, done.stdout[-2000:]


def test_dependabot_looks_where_there_is_something_to_update() -> None:
    updates = _yaml(".github/dependabot.yml")["updates"]
    kinds = {update["package-ecosystem"] for update in updates}
    missing = [
        update["directory"]
        for update in updates
        if not (ROOT / update["directory"].strip("/") / MANIFESTS.get(update["package-ecosystem"], "")).exists()
    ]

    assert kinds == {"uv", "pip", "npm", "github-actions", "devcontainers"}
    assert missing == []


def test_the_hooks_of_pre_commit_run_what_make_lint_runs() -> None:
    recipe = re.search(r"^lint:.*\n((?:\t.+\n)+)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    (repository,) = _yaml(".pre-commit-config.yaml")["repos"]

    assert recipe
    assert [hook["entry"] for hook in repository["hooks"]] == [
        line.strip().replace("$(BIN)", ".venv/bin") for line in recipe.group(1).splitlines()
    ]
    assert repository["repo"] == "local"
    assert {(hook["language"], hook["pass_filenames"]) for hook in repository["hooks"]} == {("system", False)}


def test_pre_commit_accepts_its_configuration() -> None:
    command = [sys.executable, "-m", "pre_commit", "validate-config", ".pre-commit-config.yaml"]

    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 0


# the development container and azd


def test_the_development_container_has_the_python_of_the_app_and_its_tools() -> None:
    container = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text(encoding="utf-8"))
    (version,) = [one.head for one in declarations() if one.name == "pythonVersion" and one.file == "main.bicep"]
    features = {name.split("/")[-1].split(":")[0] for name in container["features"]}
    commands = " ".join(container["postCreateCommand"].values())

    assert set(container) == CONTAINER_KEYS
    assert f"-{version.rpartition('= ')[2].strip(chr(39))}-" in container["image"]
    assert features == {"node", "azure-cli", "azd"}
    assert "azure-functions-core-tools@4" in commands
    assert "make .venv/.dev tools" in commands
    assert "azurite" in json.loads((ROOT / "dev/package.json").read_text(encoding="utf-8"))["devDependencies"]


def test_azd_knows_the_schema_the_template_and_the_version_that_it_needs() -> None:
    text = (ROOT / "azure.yaml").read_text(encoding="utf-8")
    about = _yaml("azure.yaml")

    assert re.match(r"# yaml-language-server: \$schema=https://\S+/schemas/v1\.0/azure\.yaml\.json\n", text)
    assert about["metadata"]["template"] == f"forescale@{VERSION}"
    assert about["requiredVersions"] == {"azd": ">= 1.24.1"}
    assert (ROOT / about["infra"]["path"] / f"{about['infra']['module']}.bicep").is_file()


def _placed(text: str) -> list[tuple[str, str]]:
    """Every `name` in `file` of a text."""
    return re.findall(r"`(\w+)` (?:of `\w+` )?in\s+`([\w./-]+\.py)`", text)


def _names_in(file: Path) -> set[str]:
    """What a module defines: classes, functions, values, and the fields of its classes."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                names.add(name)
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
                names.add(name)
    return names


def _exists(name: str) -> bool:
    """Whether there is such a file or folder, seen from the root, a package of the product or tests."""
    return any((ROOT / folder / name).exists() for folder in ("", "scaler", "shared", "training", "tests"))


def _is_made_by_us(name: str) -> bool:
    """What a clone has only once something ran, or what lies elsewhere: virtual environments, blobs."""
    return name.startswith((".venv", ".forescale", "config/", "models/", ".tools"))


def _yaml(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def _tracked(pattern: str) -> list[Path]:
    listed = subprocess.run(["git", "ls-files", pattern], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S607
    return [ROOT / name for name in listed.stdout.split("\n") if name]
