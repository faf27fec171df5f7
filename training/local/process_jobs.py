"""Training jobs as processes of this machine: the embedded backend of ``make run``."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shared.errors import CloudError, JobNotFound
from training.ports import Job, JobPhase, JobState

LOG_TAIL_CHARACTERS = 400
WATCHER = "training.local.job_runner"
OURS = Path(__file__).resolve().parents[2]
"""The folder that this very code lies in."""


class ProcessJobs:
    """``training.ports.RetrainingJobs``: each job a process in a folder of its own, found again after a restart.

    ``root`` is the app's folder, ``folder`` where jobs keep their files, ``environ`` what a job's process inherits.
    """

    def __init__(self, root: Path, folder: Path, environ: Mapping[str, str]) -> None:
        self._root = root.resolve()
        self._folder = folder.resolve()
        self._environ = environ
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._lock = threading.Lock()

    def submit(self, job: Job) -> None:
        """See :meth:`training.ports.RetrainingJobs.submit`; making the folder is what only one caller succeeds in."""
        folder = self._folder / job.run_id
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            return
        except OSError as exc:
            msg = f"the folder {folder} of job {job.run_id} cannot be made: {exc.strerror}"
            raise CloudError(msg) from exc
        environ = {**self._environ, **job.environment, "PYTHONPATH": os.pathsep.join((str(OURS), *sys.path))}
        command = [sys.executable, "-m", WATCHER, str(folder), str(self._root), sys.executable, *job.arguments]
        with (folder / "log.txt").open("wb") as log, self._lock:
            child = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                command, cwd=OURS, env=environ, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip
            self._children[job.run_id] = child

    def state(self, run_id: str) -> JobState:
        """See :meth:`training.ports.RetrainingJobs.state`."""
        folder = self._of(run_id)
        ended = _read(folder / "ended.json")
        started = _read(folder / "started.json")
        started_at = _instant(started.get("at"))
        if ended:
            self._reap(run_id)
            return JobState(
                phase=JobPhase(ended["phase"]),
                detail=_tail(folder) if ended["phase"] == JobPhase.FAILED else "",
                started_at=started_at,
                ended_at=_instant(ended["at"]),
            )
        if not self._is_alive(run_id, started):
            return JobState(phase=JobPhase.FAILED, detail=f"its process was killed; {_tail(folder)}")
        return JobState(phase=JobPhase.RUNNING if started else JobPhase.QUEUED, started_at=started_at)

    def cancel(self, run_id: str) -> None:
        """See :meth:`training.ports.RetrainingJobs.cancel`."""
        folder = self._of(run_id)
        if self.state(run_id).phase.is_over:
            return
        (folder / "cancel").touch()
        watcher = _read(folder / "started.json").get("watcher")
        if watcher:  # before it says that it started it looks for the file above by itself
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(watcher), signal.SIGTERM)

    def wait(self) -> None:
        """Wait for every job that this object started."""
        with self._lock:
            children = list(self._children.values())
        for child in children:
            child.wait()

    def _of(self, run_id: str) -> Path:
        folder = self._folder / run_id
        if not run_id or Path(run_id).name != run_id or not folder.is_dir():
            msg = f"this machine knows no job {run_id!r}"
            raise JobNotFound(msg)
        return folder

    def _is_alive(self, run_id: str, started: Mapping[str, Any]) -> bool:
        with self._lock:
            child = self._children.get(run_id)
        if child is not None:
            return child.poll() is None
        pid = started.get("watcher")
        if not pid:
            return False
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return False  # the number now belongs to another user's process
        return True

    def _reap(self, run_id: str) -> None:
        with self._lock:
            child = self._children.get(run_id)
        if child is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(timeout=5)


def _read(path: Path) -> dict[str, Any]:
    try:
        state: dict[str, Any] = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return state


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC) if text else None


def _tail(folder: Path) -> str:
    try:
        text = (folder / "log.txt").read_text(errors="replace").strip()
    except FileNotFoundError:
        text = ""
    return f"the end of {folder / 'log.txt'}: …{text[-LOG_TAIL_CHARACTERS:]}" if text else "it wrote no log"
