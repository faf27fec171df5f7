"""A file added anywhere is seen by everything that looks at files: the package, the checks, the snapshot, the cache."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from mypy.main import process_options

import infra.package as packaging
from dev.bench.cache import code_of
from dev.bench.methods import FORESCALE, METHODS
from tests.conftest import DATA, ROOT
from training.snapshot import snapshot_of

PRODUCT = ("scaler", "shared", "training")
ADDED = "new_room/new_idea.py"
BIN = Path(sys.executable).parent
REPLAY = """
import sys
from pathlib import Path
from scaler.__main__ import main
called = set()
sys.setprofile(lambda frame, event, _: event == "call" and called.add(frame.f_code))
code = main(["replay", sys.argv[1], "--json"])
sys.setprofile(None)
files = {Path(code.co_filename) for code in called if code.co_name != "<module>"}
ours = [file.relative_to(Path.cwd()).as_posix() for file in files if file.is_relative_to(Path.cwd())]
print("\\n".join(["", *(name for name in ours if not name.startswith("."))]))
sys.exit(code)
"""
"""Replays a file, then prints the files of ours whose functions it called."""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository in which every folder of the product, and of ours beside it, has got a new subfolder."""
    tree = tmp_path_factory.mktemp("tree")
    for name in _tracked():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, tree / name)
    for folder in _folders(*PRODUCT, "dev", "docs", "infra", "tests"):
        file = tree / folder / ADDED
        file.parent.mkdir()
        file.write_text('"""A new idea."""\n', encoding="utf-8")
        file.with_name("__init__.py").write_text('"""A new room."""\n', encoding="utf-8")
    return tree


def test_a_new_file_of_the_product_is_packaged_and_none_of_ours_beside_it(tree: Path) -> None:
    packaged = {file.as_posix() for file in packaging.files_of(tree)}

    assert {name for name in packaged if name.endswith(ADDED)} == _new(*PRODUCT)
    assert {name.split("/")[0] for name in packaged} == {*PRODUCT, "function_app.py", "host.json", "requirements.txt"}


def test_a_new_file_is_type_checked(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree)

    sources, _ = process_options(["--config-file", "pyproject.toml", "."])

    found = {Path(source.path or "").as_posix().removeprefix("./") for source in sources}
    assert _new(*PRODUCT, "dev", "docs", "infra", "tests") <= found


def test_a_new_file_is_linted(tree: Path) -> None:
    shown = _run(str(BIN / "ruff"), "check", "--show-files", ".", cwd=tree)

    found = {Path(line).resolve().relative_to(tree.resolve()).as_posix() for line in shown.split()}
    assert _new(*PRODUCT, "dev", "docs", "infra", "tests") <= found


def test_a_new_file_that_no_test_runs_counts_as_not_covered(tree: Path) -> None:
    (tree / "nothing.py").write_text("", encoding="utf-8")

    _run(sys.executable, "-m", "coverage", "run", "nothing.py", cwd=tree)
    report = json.loads(_run(sys.executable, "-m", "coverage", "json", "--quiet", "-o", "-", cwd=tree))

    assert _new(*PRODUCT, "dev/host") <= set(report["files"])


def test_every_folder_of_code_is_a_package() -> None:
    folders = _folders(*PRODUCT, "dev")

    assert [folder for folder in sorted(folders) if not (ROOT / folder / "__init__.py").is_file()] == []


def test_a_new_file_that_imports_azure_outside_a_cloud_folder_breaks_a_rule(tree: Path) -> None:
    guilty = tree / "shared/http/new_room/new_idea.py"
    guilty.write_text('"""A new idea."""\n\nimport azure.identity\n', encoding="utf-8")

    done = subprocess.run([str(BIN / "lint-imports")], cwd=tree, capture_output=True, text=True, check=False)

    guilty.write_text('"""A new idea."""\n', encoding="utf-8")
    assert done.returncode == 1
    assert "shared.http.new_room.new_idea -> azure" in done.stdout


def test_a_training_job_takes_a_new_file_along_from_wherever_it_takes_any(tree: Path) -> None:
    taken = {Path(name).parent.as_posix() for name in snapshot_of(ROOT).files} - {"."}

    assert {f"{folder}/{ADDED}" for folder in taken} <= set(snapshot_of(tree).files)


def test_the_benchmark_runs_anew_for_a_change_of_anything_that_a_replay_runs(tmp_path: Path) -> None:
    short = tmp_path / "short.csv"
    short.write_text("\n".join((DATA / "ms-mongodb-machine-5min.csv").read_text().splitlines()[:900]), encoding="utf-8")

    used = _run(sys.executable, "-c", REPLAY, str(short), cwd=ROOT).split("\n\n")[-1].split()

    assert {"scaler/core/decide.py", "shared/forecasting/features.py", "shared/forecasting/eligibility.py"} <= set(used)
    assert set(used) - _sources_of_forescale(ROOT) == set()


def test_the_benchmark_runs_anew_for_a_new_file_in_the_folders_that_a_replay_uses(tree: Path) -> None:
    assert _new("scaler/core", "scaler/replay", "shared", "training") <= _sources_of_forescale(tree)


def test_the_key_of_the_benchmarks_cache_changes_with_a_new_file(tree: Path) -> None:
    (forescale,) = [method for method in METHODS if method.key == FORESCALE]
    before = code_of(forescale, tree)

    (tree / "shared/forecasting/new_room/another_idea.py").write_text("", encoding="utf-8")

    assert code_of(forescale, tree) != before


def _tracked() -> list[str]:
    return [name for name in _run("git", "ls-files", cwd=ROOT).splitlines() if (ROOT / name).is_file()]


def _folders(*roots: str) -> set[str]:
    """Every folder below the given ones that holds Python files."""
    parents = {Path(name).parent.as_posix() for name in _tracked() if name.endswith(".py")}
    return {folder for folder in parents if any(folder == root or folder.startswith(f"{root}/") for root in roots)}


def _new(*roots: str) -> set[str]:
    return {f"{folder}/{ADDED}" for folder in _folders(*roots)}


def _sources_of_forescale(root: Path) -> set[str]:
    (forescale,) = [method for method in METHODS if method.key == FORESCALE]
    return {file.relative_to(root).as_posix() for pattern in forescale.sources for file in root.glob(pattern)}


def _run(*command: str, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
