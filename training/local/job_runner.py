"""Runs one command and leaves behind how it went: ``python -m training.local.job_runner FOLDER WHERE COMMAND…``."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

from shared.clock import system_clock
from training.ports import JobPhase

GRACE_S = 10.0
"""How long a canceled job may take to put its things away before it is killed."""


def main(arguments: list[str]) -> int:
    """Run a command in the folder ``WHERE``, keeping notes in ``FOLDER``; a SIGTERM ends it and counts as canceled."""
    folder, where, command = Path(arguments[0]), arguments[1], arguments[2:]
    child: subprocess.Popen[bytes] | None = None

    def stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        (folder / "cancel").touch()
        if child is not None:
            child.terminate()

    signal.signal(signal.SIGTERM, stop)
    _write(folder / "started.json", {"at": system_clock().isoformat(), "watcher": os.getpid()})
    code = 0
    if not (folder / "cancel").exists():
        child = subprocess.Popen(command, cwd=where)  # noqa: S603 - the command that our caller built
        if (folder / "cancel").exists():  # the signal came while there was no child to tell
            child.terminate()
        code = _ended(child, folder)
    phase = JobPhase.COMPLETED if code == 0 else JobPhase.FAILED
    if (folder / "cancel").exists():
        phase = JobPhase.CANCELED
    _write(folder / "ended.json", {"at": system_clock().isoformat(), "phase": phase, "exit_code": code})
    return 0


def _ended(child: "subprocess.Popen[bytes]", folder: Path) -> int:
    """Wait for the end; a job that was asked to stop gets a grace period, then it is killed."""
    while True:
        try:
            return child.wait(timeout=GRACE_S)
        except subprocess.TimeoutExpired:
            if (folder / "cancel").exists():
                child.kill()


def _write(path: Path, state: dict[str, object]) -> None:
    """Write whole or not at all: somebody may be reading."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(state))
    temporary.replace(path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
