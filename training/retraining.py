"""Starting, following and ending retraining runs: each caller's ask starts at most one job, and none gets lost.

A run is reserved before it is submitted, under an id that we choose, and every service of jobs takes an id once. So
whoever finds a reservation that nobody submitted (its host was killed) submits it again, and nothing starts twice.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from shared.clock import Clock
from shared.errors import CloudError, JobNotFound, RunPending, Throttled, Transient
from shared.telemetry import Event, emit
from training.ports import Job, JobPhase, RetrainingJobs
from training.results import PoolStage, Results, RunResult
from training.runs import Ask, Claim, Run, Runs, RunState

RESUME_AFTER = timedelta(seconds=100)
"""A reservation this old has nobody who is submitting it: submitting takes a minute and a half at most."""
GIVE_UP_AFTER = timedelta(hours=2)
ASK_AGAIN_AFTER = timedelta(seconds=30)
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

    def fields(self) -> dict[str, Any]:
        """Return it as plain JSON values, as HTTP answers with it."""
        run, result = self.run, self.result
        waiting = {pool: {"stage": PoolStage.WAITING.value} for pool in run.pools}
        return {
            **run.model_dump(mode="json", exclude={"key_digest", "ask_digest", "touched_at"}),
            "progress": 1.0 if not run.state.is_active else (result.progress if result else 0.0),
            "pools": list(run.pools),
            "results": result.model_dump(mode="json")["pools"] if result else waiting,
            "note": self.note,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Retraining:
    """The use cases over their ports; ``environment`` is what a job needs to find the container."""

    jobs: RetrainingJobs
    runs: Runs
    results: Results
    clock: Clock
    environment: tuple[tuple[str, str], ...] = ()
    code_version: str = ""

    def start(self, ask: Ask, *, run_id: str) -> Claim:
        """Answer an ask with a run: reserved and submitted now, or one that is active for its pools already.

        ``run_id`` is used if a new one is needed. Raises :class:`~shared.errors.RunPending` if no job was accepted
        yet, or none that we know of: the run stays reserved, and asking again, for it or by the same key, goes on.
        Any other :class:`~shared.errors.CloudError` says that no job was started; then the run is over.
        """
        claim = self.runs.claim(ask, run_id=run_id, now_utc=self.clock())
        if not claim.is_new and claim.run.state.is_active and not claim.is_repeat:
            claim = claim.model_copy(update={"run": self._refreshed(claim.run)[0]})
            if not claim.run.state.is_active:  # it was over, only nobody had looked
                claim = self.runs.claim(ask, run_id=run_id, now_utc=self.clock())
        if claim.is_new or (claim.is_repeat and claim.run.state is RunState.RESERVED):
            return claim.model_copy(update={"run": self._submitted(claim.run)})
        return claim

    def status(self, run_id: str) -> Report:
        """Tell how a run stands, going on with it if its host died; raises :class:`~shared.errors.RunNotFound`."""
        run, note = self._refreshed(self.runs.get(run_id))
        return Report(run=run, result=self.results.read(run_id), note=note)

    def cancel(self, run_id: str) -> Report:
        """Ask for a run's end; of one that is over nothing changes. Raises as :meth:`status`, and ``CloudError``."""
        run = self.runs.get(run_id)
        if run.state.is_active:
            try:
                self.jobs.cancel(run_id)
                run = self.runs.update(run, state=RunState.CANCELING, touched_at=self.clock())
            except JobNotFound:
                run = self._over(run, RunState.CANCELED, "canceled before its job was accepted")
        return Report(run=run, result=self.results.read(run_id))

    def recent(self, limit: int = 20) -> list[Report]:
        """Return the newest runs first, as last seen: nobody is asked."""
        return [Report(run=run, result=self.results.read(run.run_id)) for run in self.runs.all()[:limit]]

    def look_after(self) -> list[Run]:
        """Bring every active run up to date, whoever started it; the timer's part in losing nothing."""
        return [self._refreshed(run)[0] for run in self.runs.all() if run.state.is_active]

    def _refreshed(self, run: Run) -> tuple[Run, str]:
        """Return the run as its service sees it, and a note if the service could not be asked."""
        if not run.state.is_active:
            return run, ""
        now_utc = self.clock()
        try:
            if run.state is RunState.RESERVED:
                return self._reservation(run, now_utc), ""
            return self._followed(run, now_utc), ""
        except CloudError as exc:
            return self.runs.get(run.run_id), f"last seen {run.touched_at.isoformat()}; now: {exc}"

    def _reservation(self, run: Run, now_utc: datetime) -> Run:
        if now_utc - run.touched_at < RESUME_AFTER:
            return run
        if now_utc - run.requested_at > GIVE_UP_AFTER:
            try:
                self.jobs.state(run.run_id)
            except JobNotFound:
                return self._over(run, RunState.FAILED, f"no job could be started within {GIVE_UP_AFTER}")
            return self._followed(run, now_utc)
        return self._submitted(run)

    def _followed(self, run: Run, now_utc: datetime) -> Run:
        try:
            seen = self.jobs.state(run.run_id)
        except JobNotFound as exc:
            return self._over(run, RunState.FAILED, f"its job is gone: {exc}")
        state = STATES[seen.phase]
        if run.state is RunState.CANCELING and not seen.phase.is_over:
            state = RunState.CANCELING
        changes = {"state": state, "detail": seen.detail, "portal_url": seen.portal_url, "started_at": seen.started_at}
        if seen.phase.is_over:
            changes["ended_at"] = seen.ended_at or now_utc
        if all(getattr(run, name) == value for name, value in changes.items()):
            return run
        updated = self.runs.update(run, **changes, touched_at=now_utc)
        if not updated.state.is_active:
            _tell(updated)
        return updated

    def _submitted(self, run: Run) -> Run:
        run = self.runs.update(run, touched_at=self.clock())
        if run.state is not RunState.RESERVED:
            return run
        job = Job(
            run_id=run.run_id,
            pools=run.pools,
            reason=run.reason,
            force=run.force,
            code_version=self.code_version,
            environment=dict(self.environment),
        )
        try:
            self.jobs.submit(job)
        except Transient as exc:
            self.runs.update(run, detail=str(exc))
            wait = exc.retry_after if isinstance(exc, Throttled) else ASK_AGAIN_AFTER
            raise RunPending(str(exc), run_id=run.run_id, retry_after=wait) from exc
        except CloudError as exc:
            self._over(run, RunState.REFUSED, str(exc))
            raise
        updated = self.runs.update(run, state=RunState.QUEUED, detail="", touched_at=self.clock())
        _tell(updated)
        return updated

    def _over(self, run: Run, state: RunState, detail: str) -> Run:
        now_utc = self.clock()
        updated = self.runs.update(run, state=state, detail=detail, ended_at=now_utc, touched_at=now_utc)
        _tell(updated)
        return updated


def _tell(run: Run) -> None:
    faulty = run.state in {RunState.FAILED, RunState.REFUSED}
    fields = {"run_id": run.run_id, "pools": list(run.pools), "state": run.state, "reason": run.reason}
    told = {**fields, "asked_by": run.asked_by, "detail": run.detail, "requested_at": run.requested_at}
    emit(Event.RETRAINING, told, level=logging.ERROR if faulty else logging.INFO)


def new_run_id(now_utc: datetime, token: str) -> str:
    """Return an id that sorts by time; ``token`` makes it unique. Azure ML allows letters, digits, ``-`` and ``_``."""
    return f"forescale-{now_utc:%Y%m%d-%H%M%S}-{token[:8]}"
