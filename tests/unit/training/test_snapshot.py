"""What a training job takes along."""

from pathlib import Path

import pytest

from shared.errors import ConfigurationError
from tests.conftest import ROOT
from training.snapshot import MAX_BYTES, snapshot_of


def test_a_job_takes_our_code_and_nothing_that_acts_on_pools() -> None:
    names = set(snapshot_of(ROOT).files)

    assert {"training/__main__.py", "shared/forecasting/model.py", "scaler/core/orders.py", "requirements.txt"} <= names
    assert not [name for name in names if name.startswith(("scaler/cloud/", "scaler/local/", "tests/", "dev/host/"))]
    assert {name.rpartition(".")[2] for name in names} == {"py", "txt"}


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
