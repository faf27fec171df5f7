"""A service of training jobs in memory: takes each run id once, and fails as told."""

import threading
from dataclasses import replace

from shared.errors import CloudError, JobNotFound
from training.ports import Job, JobPhase, JobState


class HostKilled(BaseException):
    """What a caller never comes back from."""


class FakeRetrainingJobs:
    """``training.ports.RetrainingJobs``; ``fail_next`` is raised by the next call, ``killed`` after accepting."""

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self.states: dict[str, JobState] = {}
        self.fail_next: CloudError | None = None
        self.killed = False
        self.killed_before = False
        self._lock = threading.Lock()

    def submit(self, job: Job) -> None:
        """See the port."""
        if self.killed_before:
            raise HostKilled
        self._fail()
        with self._lock:
            if job.run_id not in self.jobs:
                self.jobs[job.run_id] = job
                self.states[job.run_id] = JobState(phase=JobPhase.QUEUED)
        if self.killed:
            raise HostKilled

    def state(self, run_id: str) -> JobState:
        """See the port."""
        self._fail()
        if run_id not in self.states:
            raise JobNotFound(run_id)
        return self.states[run_id]

    def cancel(self, run_id: str) -> None:
        """See the port."""
        if not self.state(run_id).phase.is_over:
            self.end(run_id, JobPhase.CANCELED)

    def end(self, run_id: str, phase: JobPhase) -> None:
        """Let a job come to its end; when, it does not say: whoever follows it takes the time of seeing it."""
        self.states[run_id] = replace(self.states[run_id], phase=phase)

    def _fail(self) -> None:
        failing, self.fail_next = self.fail_next, None
        if failing is not None:
            raise failing
