"""What training needs from the world: somewhere to run a job."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from training.request import RetrainRequest


class JobPhase(StrEnum):
    """How a job stands with the service that runs it."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def is_over(self) -> bool:
        """Whether it can no longer change."""
        return self in {JobPhase.COMPLETED, JobPhase.FAILED, JobPhase.CANCELED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A retraining to run: ``python -m training fit`` for the request's pools, under a ``run_id`` that we chose.

    ``environment`` holds the settings that the job needs to find its container; never a secret.
    """

    run_id: str
    request: RetrainRequest
    code_version: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def arguments(self) -> tuple[str, ...]:
        """What follows ``python`` on the job's command line."""
        pools = tuple(word for pool in self.request.pool_names for word in ("--pool", pool))
        forced = ("--force",) if self.request.force else ()
        return ("-m", "training", "fit", "--run-id", self.run_id, *pools, *forced)

    @property
    def tags(self) -> Mapping[str, str]:
        """What people find the job by in the service's own lists."""
        return {
            "forescale_run_id": self.run_id,
            "forescale_pools": ",".join(self.request.pool_names),
            "forescale_reason": self.request.reason[:256],
            "forescale_code": self.code_version,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class JobState:
    """How a job stands; ``detail`` is the service's own word on a failure, ``portal_url`` where a person sees more."""

    phase: JobPhase
    detail: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    portal_url: str = ""


class RetrainingJobs(Protocol):
    """A service that runs jobs; safe to call from several threads.

    Every call may raise :class:`shared.errors.Forbidden`, :class:`~shared.errors.Throttled`,
    :class:`~shared.errors.WorkspaceNotFound`, :class:`~shared.errors.Transient` (nothing is known about what the call
    did: ask :meth:`state`, or repeat it) and :class:`~shared.errors.CloudError`. No call takes longer than a minute
    and a half.
    """

    def submit(self, job: Job) -> None:
        """Start the job, or do nothing if one with its ``run_id`` was started before; returns once *accepted*.

        Raises :class:`~shared.errors.ComputeNotFound`, :class:`~shared.errors.QuotaExceeded`.
        """
        ...

    def state(self, run_id: str) -> JobState:
        """Tell how a job stands, without waiting; raises :class:`~shared.errors.JobNotFound`."""
        ...

    def cancel(self, run_id: str) -> None:
        """Ask for the job's end, which :meth:`state` shows later; of a job that is over, nothing happens.

        Returns once *accepted*. Raises :class:`~shared.errors.JobNotFound`.
        """
        ...


class Tracker(Protocol):
    """Where the run of the job that asks is shown to people; each call may raise :class:`shared.errors.CloudError`."""

    def log(self, name: str, value: float) -> None:
        """Note a number with the run; returns once *accepted*."""
        ...

    def register(self, name: str, data: bytes, tags: Mapping[str, str]) -> None:
        """Store a model file with the run and register it under a name, as its next version; returns when *done*."""
        ...


class NoTracker:
    """Where no service shows runs: on this machine."""

    def log(self, name: str, value: float) -> None:
        """See :meth:`Tracker.log`."""

    def register(self, name: str, data: bytes, tags: Mapping[str, str]) -> None:
        """See :meth:`Tracker.register`."""
