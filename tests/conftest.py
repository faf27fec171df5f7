"""What every test may ask for: the emulator, the folder beside the repository, a clean environment."""

import os
import re
import shutil
import subprocess
import threading
from collections.abc import Generator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import settings

ROOT = Path(__file__).parent.parent
DATA = ROOT / "tests" / "data"
LEFT_OUT = pytest.StashKey[int]()
SHARED_FOLDER = ROOT.parent / "shared"
AZURITE_STARTS_WITHIN_S = 60
AZURITE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The emulator's account key, the same on every machine and published in its documentation."""

settings.register_profile("quick", max_examples=25, deadline=None)
settings.register_profile("whole", max_examples=100, deadline=None)
settings.load_profile("whole" if os.environ.get("REQUIRE_ALL") == "1" else "quick")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With REQUIRE_ALL=1 a skipped test is a failed one."""
    del item
    report = yield
    _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """With REQUIRE_ALL=1 a skipped file is a failed one."""
    del collector
    report = yield
    _refuse_skip(report)
    return report


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if os.environ.get("REQUIRE_ALL") == "1" and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, and REQUIRE_ALL=1 allows no skip: {report.longrepr}"


@pytest.fixture(autouse=True)
def _no_settings_of_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests see no app setting that the developer's shell happens to have."""
    for name in [name for name in os.environ if name.startswith(("FORESCALE_", "AZURE_", "MSI_", "IDENTITY_"))]:
        monkeypatch.delenv(name)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs ``../shared`` where there is no such folder; where there is one, it must have everything."""
    if SHARED_FOLDER.is_dir():
        return
    needing = [item for item in items if "shared_folder" in getattr(item, "fixturenames", ())]
    items[:] = [item for item in items if item not in needing]
    config.hook.pytest_deselected(items=needing)
    config.stash[LEFT_OUT] = len(needing)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say how many tests there was nothing for."""
    count = config.stash.get(LEFT_OUT, 0)
    if count:
        terminalreporter.write_line(f"There is no ../shared here: {count} tests that need it were left out.")


@pytest.fixture(scope="session")
def shared_folder() -> Path:
    """The folder beside the repository: the workshop's log, long traces, checkers. Without it the test is left out."""
    return SHARED_FOLDER


@pytest.fixture(scope="session")
def seed_folder(shared_folder: Path) -> Path:
    """The workshop's log and what is known of it, ``../shared/seed``."""
    return shared_folder / "seed"


@pytest.fixture(scope="session")
def azurite_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a running blob emulator."""
    installed = ROOT / ".tools/node_modules/.bin/azurite-blob"
    command = str(installed) if installed.exists() else shutil.which("azurite-blob")
    if command is None or shutil.which("node") is None:
        pytest.skip("azurite-blob or node is missing: make tools")
    options = ("--blobPort", "0", "--blobHost", "127.0.0.1", "--inMemoryPersistence", "--skipApiVersionCheck")
    with subprocess.Popen(
        [command, *options, "--disableTelemetry"],
        cwd=tmp_path_factory.mktemp("azurite"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as emulator:
        try:
            yield _port_of(emulator)
        finally:
            emulator.terminate()


def _port_of(emulator: "subprocess.Popen[str]") -> int:
    """Read the emulator's output up to the line that names its port; then keep its pipe empty."""
    assert emulator.stdout is not None
    out = emulator.stdout
    stop = threading.Timer(AZURITE_STARTS_WITHIN_S, emulator.kill)
    stop.start()
    lines = []
    for line in out:
        lines.append(line)
        found = re.search(r"successfully listen.*:(\d+)", line)
        if found:
            stop.cancel()
            threading.Thread(target=out.read, daemon=True).start()
            return int(found.group(1))
    stop.cancel()
    pytest.fail(f"azurite-blob did not start: {''.join(lines)}")


@pytest.fixture
def azurite_connection(azurite_port: int) -> str:
    """The connection string of the running emulator."""
    return azurite_connection_string(azurite_port)


@pytest.fixture
def container() -> str:
    """A container name that no other test has."""
    return f"test-{uuid4().hex[:20]}"


def azurite_connection_string(port: int) -> str:
    """Return the connection string of an emulator, or of a proxy before it, on ``port``."""
    return (
        "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;"
        f"AccountKey={AZURITE_KEY};BlobEndpoint=http://127.0.0.1:{port}/devstoreaccount1;"
    )
