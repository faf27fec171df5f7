"""What a training job takes along."""

import shutil
from pathlib import Path

import pytest

from dev.bench.cache import code_of
from dev.bench.methods import METHODS
from shared.errors import ConfigurationError
from tests.conftest import ROOT
from training.snapshot import MAX_BYTES, PACKAGES, snapshot_of

FOLDERS = sorted(
    path.relative_to(ROOT).as_posix()
    for package in PACKAGES
    for path in (ROOT / package, *(ROOT / package).rglob("*"))
    if path.is_dir() and path.name != "__pycache__"
)
(FORESCALE,) = (method for method in METHODS if method.key == "forescale")


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A copy of the app's packages."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_a_job_takes_our_packages_whole(app: Path) -> None:
    files = {path.relative_to(app).as_posix() for path in app.rglob("*") if path.is_file()}

    assert set(snapshot_of(ROOT).files) == files | {"requirements.txt"}


@pytest.mark.parametrize("name", ["added.py", "deeper/still/added.py"])
def test_a_file_added_in_any_folder_is_taken_along_and_makes_the_benchmark_compute_anew(app: Path, name: str) -> None:
    before = code_of(FORESCALE, app)

    def is_seen(folder: str) -> bool:
        added = app / folder / name
        added.parent.mkdir(parents=True, exist_ok=True)
        added.write_text("ADDED = True\n")
        seen = f"{folder}/{name}" in snapshot_of(app).files and code_of(FORESCALE, app) != before
        added.unlink()
        return seen

    assert [folder for folder in FOLDERS if not is_seen(folder)] == []
    assert code_of(FORESCALE, app) == before


def test_what_is_no_python_file_is_taken_along_and_what_python_makes_is_not(app: Path) -> None:
    (app / "scaler" / "page").mkdir()
    (app / "scaler" / "page" / "page.html").write_text("<p>")
    (app / "scaler" / "__pycache__").mkdir()
    (app / "scaler" / "__pycache__" / "tick.cpython-311.pyc").write_bytes(b"")

    names = set(snapshot_of(app).files)

    assert "scaler/page/page.html" in names
    assert not [name for name in names if "pycache" in name]


def test_its_libraries_are_pinned_to_what_runs_here() -> None:
    pins = snapshot_of(ROOT, extra_libraries=("azureml-core",)).requirements

    assert all("==" in pin for pin in pins)
    assert [pin for pin in pins if pin.startswith("azureml-core==")]


def test_the_digest_names_the_content(tmp_path: Path) -> None:
    (tmp_path / "training").mkdir()
    (tmp_path / "training" / "__main__.py").write_text("one")
    before = snapshot_of(tmp_path).digest
    (tmp_path / "training" / "__main__.py").write_text("two")

    assert snapshot_of(tmp_path).digest != before


def test_it_is_far_below_azure_mls_limit() -> None:
    assert sum(map(len, snapshot_of(ROOT).files.values())) < MAX_BYTES / 100


def test_a_folder_that_is_not_the_apps_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="training/__main__"):
        snapshot_of(tmp_path)
