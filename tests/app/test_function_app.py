"""The function app as the Functions host meets it: nothing installed but requirements.txt, the app's root last."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from shared.settings import PREFIX, Settings
from tests.clean_python import THIS_VERSION, clean_python
from tests.conftest import ROOT

pytestmark = pytest.mark.timeout(900)
"""The first run installs requirements.txt."""

LOOK = """
import json, sys, time
began = time.perf_counter()
import function_app
took_s = time.perf_counter() - began
functions = {
    function.get_function_name(): [binding.get_dict_repr() for binding in function.get_bindings()]
    for function in function_app.app.get_functions()
}
import scaler, shared, training
print(json.dumps({
    "functions": functions,
    "modules": sorted(sys.modules),
    "took_s": took_s,
    "packages": {module.__name__: list(module.__path__) for module in (scaler, shared, training)},
    "installed": sorted(path for path in sys.path),
}, default=str))
"""
HEAVY = ("sklearn", "scipy", "skops", "azure.mgmt", "azureml", "azure.storage", "azure.identity", "pandas", "holidays")
DEPLOYED = ("function_app.py", "host.json", "scaler", "shared", "training")


@pytest.fixture(scope="session")
def python() -> Path:
    """The running version's Python with requirements.txt and nothing else."""
    return clean_python(THIS_VERSION) or pytest.fail("the Python that runs this test is not found")


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The app's root with what is deployed and no more."""
    folder = tmp_path_factory.mktemp("wwwroot")
    for name in DEPLOYED:
        (folder / name).symlink_to(ROOT / name)
    return folder


def run(python: Path, app_root: Path, code: str, environ: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run code with the app's root last on ``sys.path``, as the worker has it."""
    last = f"import sys; sys.path.append({str(app_root)!r})\n"
    usual = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV_"))}
    return subprocess.run(
        [str(python), "-P", "-W", "error::SyntaxWarning", "-c", last + code],
        env={**usual, **environ},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="session")
def seen(python: Path, deployed: Path) -> dict[str, Any]:
    done = run(python, deployed, LOOK, {})
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def bindings_of(seen: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = seen["functions"][name]
    return found


def test_every_function_is_registered(seen: dict[str, Any]) -> None:
    assert {"scale", "health"} <= set(seen["functions"])


def test_scale_is_a_timer_on_the_setting(seen: dict[str, Any]) -> None:
    (timer,) = bindings_of(seen, "scale")

    assert timer["type"] == "timerTrigger"
    assert timer["schedule"] == "%FORESCALE_SCHEDULE%"
    assert not timer.get("runOnStartup")
    assert timer.get("useMonitor") is True


def test_health_is_open_and_every_other_route_needs_a_key(seen: dict[str, Any]) -> None:
    routes = {
        name: binding
        for name, bindings in seen["functions"].items()
        for binding in bindings
        if binding["type"] == "httpTrigger"
    }
    levels = {name: str(binding["authLevel"]).rsplit(".", 1)[-1].upper() for name, binding in routes.items()}

    assert routes["health"]["route"] == "health"
    assert [str(method).rsplit(".", 1)[-1] for method in routes["health"]["methods"]] == ["GET"]
    assert levels.pop("health") == "ANONYMOUS"
    assert set(levels.values()) <= {"FUNCTION", "ADMIN"}


@pytest.mark.parametrize("package", HEAVY)
def test_importing_the_app_loads_nothing_heavy(seen: dict[str, Any], package: str) -> None:
    assert [name for name in seen["modules"] if name == package or name.startswith(f"{package}.")] == []


def test_our_packages_are_ours_although_the_apps_root_is_last(seen: dict[str, Any], deployed: Path) -> None:
    expected = {name: [str(deployed / name)] for name in ("scaler", "shared", "training")}

    assert seen["packages"] == expected


def test_nothing_for_developers_is_needed(seen: dict[str, Any]) -> None:
    assert "dev" not in seen["modules"]
    assert "pytest" not in seen["modules"]


SCALE = """
import function_app
from azure.functions.timer import TimerRequest
(scale,) = [f for f in function_app.app.get_functions() if f.get_function_name() == "scale"]
scale.get_user_function()(TimerRequest())
"""


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        pytest.param({}, "exactly one of FORESCALE_STORAGE_ACCOUNT_URL", id="no storage"),
        pytest.param({"FORESCALE_BACKEND": "loca"}, "FORESCALE_BACKEND is 'loca'", id="a bad value"),
        pytest.param(
            {"FORESCALE_BACKEND": "local", "FORESCALE_SHEDULE": "x"},
            "FORESCALE_SHEDULE is not known, did you mean 'FORESCALE_SCHEDULE'?",
            id="an unknown name",
        ),
    ],
)
def test_bad_settings_fail_in_the_invocation_and_not_at_import(
    python: Path, deployed: Path, environ: dict[str, str], expected: str
) -> None:
    imported = run(python, deployed, "import function_app; print(len(function_app.app.get_functions()))", environ)
    invoked = run(python, deployed, SCALE, environ)

    assert int(imported.stdout) >= 2
    assert invoked.returncode == 1
    assert "shared.errors.ConfigurationError: app settings: " in invoked.stderr
    assert expected in invoked.stderr


# the files beside the app


def test_host_json_is_what_a_flex_plan_takes() -> None:
    host = json.loads((ROOT / "host.json").read_text())

    assert host["version"] == "2.0"
    assert host["extensionBundle"] == {
        "id": "Microsoft.Azure.Functions.ExtensionBundle",
        "version": "[4.*, 5.0.0)",
    }
    assert "singleton" not in host


def test_the_example_of_local_settings_has_only_strings_and_known_names() -> None:
    example = json.loads((ROOT / "local.settings.example.json").read_text())
    ours = {name for name in example["Values"] if name.startswith(PREFIX)}

    assert all(isinstance(value, str) for value in example["Values"].values())
    assert {name.removeprefix(PREFIX).lower() for name in ours} <= set(Settings.model_fields)
    assert example["Values"]["FUNCTIONS_WORKER_RUNTIME"] == "python"


def test_every_schedule_of_the_app_is_in_the_example(seen: dict[str, Any]) -> None:
    example = json.loads((ROOT / "local.settings.example.json").read_text())
    schedules = {
        binding["schedule"].strip("%")
        for bindings in seen["functions"].values()
        for binding in bindings
        if binding["type"] == "timerTrigger"
    }

    assert schedules <= set(example["Values"])


def test_what_is_deployed_is_not_ignored_and_what_is_for_developers_is() -> None:
    ignored = set((ROOT / ".funcignore").read_text().split())

    assert {"dev/", "tests/", "docs/", "local.settings*.json", ".*"} <= ignored
    assert ignored & {*DEPLOYED, *(f"{name}/" for name in DEPLOYED), "requirements.txt"} == set()
