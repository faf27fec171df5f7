"""What is published: the right files, small, and an app that imports from them with its requirements alone."""

import json
import re
import subprocess
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import infra.package as packaging
from tests.clean_python import VERSIONS, clean_python
from tests.repo.bicep_text import ROOT

Tool = Callable[..., "subprocess.CompletedProcess[str]"]
LARGEST_BYTES = 2_000_000
LOOK = """
import json, sys
sys.path.append(sys.argv[1])
import function_app, scaler, shared, training
homes = [module.__file__ for module in (function_app, scaler, shared, training)]
assert all(home.startswith(sys.argv[1]) for home in homes), homes
heavy = {"sklearn", "azureml", "azure.mgmt", "azure.storage"} & set(sys.modules)
names = sorted(function.get_function_name() for function in function_app.app.get_functions())
print(json.dumps({"names": names, "heavy": sorted(heavy)}))
"""


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as `make package` builds it."""
    target = tmp_path_factory.mktemp("package") / "forescale.zip"
    packaging.build(ROOT, target)
    return target


@pytest.fixture(scope="session")
def pythons() -> dict[str, Path | None]:
    """Each version's Python with requirements.txt and nothing else; the first time, all are made at once."""
    with ThreadPoolExecutor() as side_by_side:
        return dict(zip(VERSIONS, side_by_side.map(clean_python, VERSIONS), strict=True))


def test_the_package_holds_the_app_and_nothing_else(package: Path) -> None:
    names = zipfile.ZipFile(package).namelist()

    assert {"function_app.py", "host.json", "requirements.txt"} <= set(names)
    assert {Path(name).parts[0] for name in names} == {
        "function_app.py",
        "host.json",
        "requirements.txt",
        "scaler",
        "shared",
        "training",
    }
    assert [name for name in names if "__pycache__" in name or "local.settings" in name or "/." in name] == []


def test_the_package_is_small(package: Path) -> None:
    assert package.stat().st_size < LARGEST_BYTES


def test_the_same_files_make_the_same_package(package: Path, tmp_path: Path) -> None:
    packaging.build(ROOT, tmp_path / "again.zip")

    assert (tmp_path / "again.zip").read_bytes() == package.read_bytes()


def test_requirements_go_where_the_host_looks_for_them(tmp_path: Path) -> None:
    (tmp_path / "installed/lib").mkdir(parents=True)
    (tmp_path / "installed/lib/one.py").write_text("ONE = 1\n", encoding="utf-8")

    packaging.build(ROOT, tmp_path / "full.zip", extra=tmp_path / "installed")

    assert ".python_packages/lib/site-packages/lib/one.py" in zipfile.ZipFile(tmp_path / "full.zip").namelist()


def test_what_the_command_line_tools_leave_out_is_left_out(tmp_path: Path) -> None:
    (tmp_path / ".vscode").mkdir()
    (tmp_path / ".vscode/settings.json").write_text("{}", encoding="utf-8")
    (tmp_path / "kept").mkdir()
    for name in ("local.settings.json", "kept/data.txt", "kept/no.log", "kept/yes.log"):
        (tmp_path / name).write_text("x", encoding="utf-8")
    (tmp_path / ".funcignore").write_text("*.log\n!yes.log\n", encoding="utf-8")

    assert [str(file) for file in packaging.files_of(tmp_path)] == ["kept/data.txt", "kept/yes.log"]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("version", VERSIONS)
def test_the_app_imports_from_the_package_with_its_requirements_alone(
    version: str, pythons: dict[str, Path | None], package: Path, tmp_path: Path
) -> None:
    python = pythons[version] or pytest.skip(f"there is no Python {version} here")
    zipfile.ZipFile(package).extractall(tmp_path / "app")

    done = subprocess.run(
        [str(python), "-I", "-B", "-W", "error::SyntaxWarning", "-c", LOOK, str(tmp_path / "app")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["names"] == _names_here()
    assert json.loads(done.stdout)["heavy"] == []


def test_azure_functions_doctor_finds_no_error_for_flex_consumption(tool: Tool, package: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(package).extractall(tmp_path)

    options = ("--profile", "deploy", "--hosting-plan", "flex-consumption", "--format", "json")
    done = tool("azure-functions-doctor", "doctor", *options, cwd=tmp_path)

    items = [item for section in json.loads(done.stdout)["results"] for item in section["items"]]
    assert len(items) > 20
    assert [(item["rule_id"], item["value"]) for item in items if item["status"] in {"fail", "error"}] == []


def _names_here() -> list[str]:
    return sorted(re.findall(r'@app\.function_name\("(\w+)"\)', (ROOT / "function_app.py").read_text(encoding="utf-8")))
