"""Starting, following and ending retraining runs: each request starts at most one job, and none gets lost.

A run is reserved before it is submitted, under an id that we choose, and every service of jobs takes an id once. So
whoever finds a reservation that nobody submitted (its host was killed) submits it again, and nothing starts twice.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from shared.clock import Clock
from shared.errors import CloudError, ConfigurationError, JobNotFound, RunPending, Throttled, Transient
from shared.telemetry import Event, emit
from training.ports import Job, JobPhase, RetrainingJobs
from training.request import Caller, RetrainRequest
from training.results import PoolResult, PoolStage, Results, RunResult
from training.runs import Reservation, Run, Runs, RunState

RESUME_AFTER = timedelta(seconds=100)
"""A reservation this old has nobody who is submitting it: submitting takes a minute and a half at most."""
GIVE_UP_AFTER = timedelta(hours=2)
ASK_AGAIN_AFTER = timedelta(seconds=30)
ANYBODY = Caller()
STATES = {
    JobPhase.QUEUED: RunState.QUEUED,
    JobPhase.RUNNING: RunState.RUNNING,
    JobPhase.COMPLETED: RunState.COMPLETED,
    JobPhase.FAILED: RunState.FAILED,
    JobPhase.CANCELED: RunState.CANCELED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A run, what its job has found so far, and why its state may be older than now."""

    run: Run
    result: RunResult | None = None
    note: str = ""

    @property
    def progress(self) -> float:
        """Share of the pools that are done, 0 to 1; a run that ended early stays where it was."""
        if self.run.state is RunState.COMPLETED:
            return 1.0
        return self.result.progress if self.result else 0.0

    @property
    def results(self) -> dict[str, PoolResult]:
        """What became of each pool, as its job wrote it; of a run that is over no pool is still waiting."""
        found = self.result.pools if self.result else {}
        results = {pool: found.get(pool, PoolResult()) for pool in self.run.pools}
        if self.run.state.is_active:
            return results
        why = f"the run is {self.run.state.value}, and its job did not say what became of this pool"
        unfinished = PoolResult(stage=PoolStage.UNFINISHED, why=why)
        return {pool: result if result.stage.is_over else unfinished for pool, result in results.items()}

    def fields(self) -> dict[str, Any]:
        """Return it as plain JSON values, as HTTP answers with it."""
        return {
            **self.run.model_dump(mode="json", exclude={"keys", "touched_at"}),
            "progress": self.progress,
            "results": {pool: result.model_dump(mode="json") for pool, result in self.results.items()},
            "note": self.note,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Retraining:
    """The use cases over their ports; ``environment`` is what a job needs to find the container.

    ``jobs`` and ``code_version`` are asked for when they are needed: what is known of runs can be read without a
    service that runs them. ``jobs`` raises :class:`~shared.errors.ConfigurationError` where none is set up.
    """

    jobs: Callable[[], RetrainingJobs]
    runs: Runs
    results: Results
    clock: Clock
    environment: tuple[tuple[str, str], ...] = ()
    code_version: Callable[[], str] = lambda: ""

    def start(self, request: RetrainRequest, caller: Caller = ANYBODY, *, run_id: str) -> Reservation:
        """Answer a request that names its pools: by a run reserved and submitted now, or by one that is going.

        ``run_id`` is used if a new one is needed. Raises :class:`~shared.errors.RunPending` if no job was accepted
        yet, or none that we know of: the run stays reserved, and asking again, for it or by the same key, goes on.
        Any other :class:`~shared.errors.CloudError` says that no job was started; then the run is over.
        Raises :class:`~shared.errors.ConfigurationError` before anything is reserved.
        """
        if self.runs.answer_of(request, caller) is None:
            self.jobs()
            self._refresh_holders(request)
        reservation = self.runs.reserve(request, caller, run_id=run_id, now_utc=self.clock())
        run = reservation.run
        if reservation.is_new or (reservation.is_repeat and run.state is RunState.RESERVED):
            return reservation.model_copy(update={"run": self._submitted(run)})
        return reservation

    def status(self, run_id: str) -> Report:
        """Tell how a run stands, going on with it if its host died; raises :class:`~shared.errors.RunNotFound`."""
        run, note = self._refreshed(self.runs.get(run_id))
        return Report(run=run, result=self.results.read(run_id), note=note)

    def cancel(self, run_id: str) -> Report:
        """Ask for a run's end; of one that is over nothing changes. Raises as :meth:`status`, and ``CloudError``."""
        run = self.runs.get(run_id)
        if run.state.is_active:
            try:
                self.jobs().cancel(run_id)
                run = self.runs.update(run, state=RunState.CANCELING, touched_at=self.clock())
            except JobNotFound:
                run = self._over(run, RunState.CANCELED, "canceled before its job was accepted")
        return Report(run=run, result=self.results.read(run_id))

    def recent(self, limit: int = 20) -> list[Report]:
        """Return the newest runs first, as they were last known: no service is asked."""
        return [Report(run=run, result=self.results.read(run.run_id)) for run in self.runs.all()[:limit]]

    def reconcile(self) -> list[Run]:
        """Bring every active run up to date, whoever started it; the timer's part in losing nothing."""
        return [self._refreshed(run)[0] for run in self.runs.all() if run.state.is_active]

    def _refresh_holders(self, request: RetrainRequest) -> None:
        """Look at the runs that hold the request's pools, oldest first: they may be over, only nobody has looked."""
        for run in self.runs.holding(request.pool_names):
            _, note = self._refreshed(run)
            if note:
                return  # the service does not answer: the caller shall not wait for the others as well

    def _refreshed(self, run: Run) -> tuple[Run, str]:
        """Return the run as its service sees it, and a note if the service could not be asked."""
        if not run.state.is_active:
            return run, ""
        now_utc = self.clock()
        try:
            if run.state is RunState.RESERVED:
                return self._reservation(run, now_utc), ""
            return self._followed(run, now_utc), ""
        except (CloudError, ConfigurationError) as exc:
            return self.runs.get(run.run_id), f"last known at {run.touched_at.isoformat()}; now: {exc}"

    def _reservation(self, run: Run, now_utc: datetime) -> Run:
        if now_utc - run.touched_at < RESUME_AFTER:
            return run
        if now_utc - run.requested_at > GIVE_UP_AFTER:
            try:
                self.jobs().state(run.run_id)
            except JobNotFound:
                return self._over(run, RunState.FAILED, f"no job could be started within {GIVE_UP_AFTER}")
            return self._followed(run, now_utc)
        return self._submitted(run)

    def _followed(self, run: Run, now_utc: datetime) -> Run:
        try:
            job = self.jobs().state(run.run_id)
        except JobNotFound as exc:
            return self._over(run, RunState.FAILED, f"its job is gone: {exc}")
        state = STATES[job.phase]
        if run.state is RunState.CANCELING and not job.phase.is_over:
            state = RunState.CANCELING
        changes = {"state": state, "detail": job.detail, "portal_url": job.portal_url, "started_at": job.started_at}
        if job.phase.is_over:
            changes["ended_at"] = job.ended_at or now_utc
        if all(getattr(run, name) == value for name, value in changes.items()):
            return run
        updated = self.runs.update(run, **changes, touched_at=now_utc)
        if not updated.state.is_active:
            _emit(updated)
        return updated

    def _submitted(self, run: Run) -> Run:
        run = self.runs.update(run, touched_at=self.clock())
        if run.state is not RunState.RESERVED:
            return run
        job = Job(
            run_id=run.run_id,
            request=run.request,
            code_version=self.code_version(),
            environment=dict(self.environment),
        )
        try:
            self.jobs().submit(job)
        except Transient as exc:
            self.runs.update(run, detail=str(exc))
            wait = exc.retry_after if isinstance(exc, Throttled) else ASK_AGAIN_AFTER
            raise RunPending(str(exc), run_id=run.run_id, retry_after=wait) from exc
        except CloudError as exc:
            self._over(run, RunState.REFUSED, str(exc))
            raise
        updated = self.runs.update(run, state=RunState.QUEUED, detail="", touched_at=self.clock())
        _emit(updated)
        return updated

    def _over(self, run: Run, state: RunState, detail: str) -> Run:
        now_utc = self.clock()
        updated = self.runs.update(run, state=state, detail=detail, ended_at=now_utc, touched_at=now_utc)
        _emit(updated)
        return updated


def _emit(run: Run) -> None:
    faulty = run.state in {RunState.FAILED, RunState.REFUSED}
    fields = {
        "run_id": run.run_id,
        "pools": list(run.pools),
        "state": run.state,
        "reason": run.request.reason,
        "asked_by": run.asked_by,
        "detail": run.detail,
        "requested_at": run.requested_at,
    }
    emit(Event.RETRAINING, fields, level=logging.ERROR if faulty else logging.INFO)


def new_run_id(now_utc: datetime, token: str) -> str:
    """Return an id that sorts by time; ``token`` makes it unique. Azure ML allows letters, digits, ``-`` and ``_``."""
    return f"forescale-{now_utc:%Y%m%d-%H%M%S}-{token[:8]}"
