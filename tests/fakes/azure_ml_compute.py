"""The compute cluster of the fake Azure ML: runs what was submitted, as a process, with the context it would have."""

import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(kw_only=True)
class Run:
    """A job as the service knows it."""

    run_id: str
    experiment: str
    command: str
    environment: Mapping[str, str]
    files: Callable[[], Mapping[str, bytes]]
    status: str = "Queued"
    error: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    properties: dict[str, str] = field(default_factory=dict)
    started_at: str | None = None
    ended_at: str | None = None
    definition: Any = None
    log: str = ""


class Compute:
    """Runs each job in a thread and a process of its own below ``folder``; ``held`` jobs stay queued until released."""

    def __init__(self, folder: Path, context: Callable[[Run], Mapping[str, str]], now: Callable[[], str]) -> None:
        self.held = False
        self.own_environ: dict[str, str] = {}
        self._folder = folder
        self._context = context
        self._now = now
        self._lock = threading.Lock()
        self._waiting: list[Run] = []
        self._threads: list[threading.Thread] = []
        self._processes: dict[str, subprocess.Popen[str]] = {}

    def take(self, run: Run) -> None:
        with self._lock:
            self._waiting.append(run)
        if not self.held:
            self.release()

    def release(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, []
            threads = [threading.Thread(target=self._work, args=(run,), daemon=True) for run in waiting]
            self._threads += threads
        for thread in threads:
            thread.start()

    def cancel(self, run: Run) -> None:
        with self._lock:
            process = self._processes.get(run.run_id)
            was_waiting = run in self._waiting
            if was_waiting:
                self._waiting.remove(run)
        if was_waiting:
            run.status, run.ended_at = "Canceled", self._now()
        elif run.status in {"Queued", "Running"}:
            run.status = "CancelRequested"
            if process is not None:
                process.send_signal(signal.SIGTERM)

    def finish(self) -> None:
        """Wait for every job."""
        for thread in self._threads:
            thread.join(timeout=120)

    def stop(self) -> None:
        """End every job."""
        with self._lock:
            processes = list(self._processes.values())
        for process in processes:
            process.kill()
        self.finish()

    def _work(self, run: Run) -> None:
        folder = self._folder / run.run_id
        folder.mkdir(parents=True)
        for name, data in run.files().items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        python, *arguments = shlex.split(run.command)
        assert python == "python"
        environ = {"PATH": "/usr/bin:/bin", "HOME": str(folder), **run.environment, **self._context(run)}
        environ = {name: value for name, value in {**environ, **self.own_environ}.items() if value}
        with self._lock:
            if run.status != "Queued":
                run.status, run.ended_at = "Canceled", self._now()
                return
            process = subprocess.Popen(
                [sys.executable, *arguments], cwd=folder, env=environ, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
            self._processes[run.run_id] = process
            run.status, run.started_at = "Running", self._now()
        run.log, _ = process.communicate()
        run.ended_at = self._now()
        if run.status == "CancelRequested":
            run.status = "Canceled"
        elif process.returncode:
            run.error = f"the command exited with {process.returncode}"
            run.status = "Failed"
        else:
            run.status = "Completed"
