"""A Python that holds requirements.txt and nothing else, as the Functions host has it; kept in .cache for next time."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
REQUIREMENTS = ROOT / "requirements.txt"
VERSIONS = ("3.11", "3.12", "3.13")
"""The versions that the app promises to run on."""
THIS_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


def clean_python(version: str) -> Path | None:
    """Return such a Python, made once for each text of requirements.txt; None where there is no Python ``version``.

    pip installs it, with every hash checked, as Azure does when the app is published. Raises
    :class:`subprocess.CalledProcessError` with pip's own words if that fails.
    """
    interpreter = _interpreter(version)
    if interpreter is None:
        return None
    digest = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]
    folder = ROOT / ".cache" / f"clean-{version}-{digest}"
    folder.parent.mkdir(exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            _install(interpreter, folder)
    return folder / "bin" / "python"


def _install(interpreter: str, folder: Path) -> None:
    subprocess.run([interpreter, "-m", "venv", "--without-pip", str(folder)], check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", "--no-compile", "--requirement", str(REQUIREMENTS)], check=True)
    (folder / "complete").touch()


def _interpreter(version: str) -> str | None:
    """Return a Python of this version that runs, if there is one."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [
        sys.executable,
        f"python{version}",
        *(str(path) for path in sorted(pyenv.glob(f"{version}.*/bin/python"))),
    ]
    ask = "import sys; print('%d.%d' % sys.version_info[:2])"
    for candidate in candidates:
        found = shutil.which(candidate)
        answer = found and subprocess.run([found, "-c", ask], capture_output=True, text=True, check=False)
        if found and answer and answer.returncode == 0 and answer.stdout.strip() == version:
            return found
    return None
