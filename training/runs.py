"""Every retraining run of the last weeks, in one blob: who may start one is decided by one conditional write."""

import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from shared.errors import KeyReused, RunNotFound
from shared.json_blob import JsonBlob
from shared.ports import Blobs

RUNS_FILE = "retraining/runs.json"
RUNS_KEPT = 100
"""Ended runs that are remembered; so long is an idempotency key known as well."""


class RunState(StrEnum):
    """How a run stands; a name, once released, never changes its meaning."""

    RESERVED = "reserved"
    QUEUED = "queued"
    RUNNING = "running"
    CANCELING = "canceling"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"
    REFUSED = "refused"

    @property
    def is_active(self) -> bool:
        """Whether it still holds its pools: no other run of them may start."""
        return self in {RunState.RESERVED, RunState.QUEUED, RunState.RUNNING, RunState.CANCELING}


class Run(BaseModel):
    """One run as we know it; what the service that runs it says is asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    run_id: str
    pools: Annotated[tuple[str, ...], Field(min_length=1)]
    reason: str
    force: bool = False
    asked_by: str = "http"
    """`http`, or `watch_models`."""
    key_digest: str = ""
    """SHA-256 of the idempotency key it was asked for with, if any."""
    ask_digest: str = ""
    """SHA-256 of what was asked for: the same key must mean the same."""
    state: RunState = RunState.RESERVED
    detail: str = ""
    portal_url: str = ""
    requested_at: AwareDatetime
    touched_at: AwareDatetime
    """When somebody last tried to submit it, or its state changed."""
    started_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None


class Ask(BaseModel):
    """What a caller wants: retraining of these pools, all of which exist."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pools: Annotated[tuple[str, ...], Field(min_length=1)]
    reason: str
    force: bool = False
    asked_by: str = "http"
    key: str = ""

    @property
    def key_digest(self) -> str:
        """The key as it is remembered; a key may be anything, and is nobody's business."""
        return hashlib.sha256(self.key.encode()).hexdigest() if self.key else ""

    @property
    def digest(self) -> str:
        """What was asked for, in short."""
        told = json.dumps([sorted(self.pools), self.reason, self.force])
        return hashlib.sha256(told.encode()).hexdigest()


class Claim(BaseModel):
    """The run that answers an ask; ``is_new`` if it was reserved for it and is still to be submitted."""

    model_config = ConfigDict(frozen=True)

    run: Run
    is_new: bool
    is_repeat: bool = False
    """The same caller asked again, by its key."""
    busy: dict[str, str] = {}
    """Pools of the ask that other runs hold, and which."""


class _File(BaseModel):
    """``retraining/runs.json``; oldest first."""

    model_config = ConfigDict(extra="forbid")

    runs: tuple[Run, ...] = ()


class Runs:
    """The runs in one container; safe against any number of callers."""

    def __init__(self, blobs: Blobs) -> None:
        remedy = "move it away, runs are then forgotten"
        self._file = JsonBlob(blobs=blobs, name=RUNS_FILE, kind=_File, remedy=remedy)

    def all(self) -> Sequence[Run]:
        """Return the runs, the newest first."""
        return tuple(reversed(self._read()))

    def get(self, run_id: str) -> Run:
        """Return one run; raises :class:`~shared.errors.RunNotFound`."""
        found = next((run for run in self._read() if run.run_id == run_id), None)
        if found is None:
            msg = f"no retraining {run_id!r} is known; GET /api/retrain lists the last {RUNS_KEPT}"
            raise RunNotFound(msg)
        return found

    def claim(self, ask: Ask, *, run_id: str, now_utc: datetime) -> Claim:
        """Reserve a run for the pools that no run holds, or return the one that answers the ask already.

        One conditional write decides: of two callers at once one reserves, the other gets that run.
        Raises :class:`~shared.errors.KeyReused` if the key came with another ask.
        """
        claimed: list[Claim] = []

        def claiming(runs: tuple[Run, ...]) -> tuple[Run, ...]:
            claimed[:] = [_claimed(runs, ask, run_id=run_id, now_utc=now_utc)]
            return (*runs, claimed[0].run) if claimed[0].is_new else runs

        self._change(claiming)
        return claimed[0]

    def update(self, run: Run, **changes: object) -> Run:
        """Change fields of a run and return it; one that is over stays as it is."""

        def changing(runs: tuple[Run, ...]) -> tuple[Run, ...]:
            return tuple(_changed(one, changes) if one.run_id == run.run_id else one for one in runs)

        return next(one for one in self._change(changing) if one.run_id == run.run_id)

    def _change(self, change: Callable[[tuple[Run, ...]], tuple[Run, ...]]) -> tuple[Run, ...]:
        return self._file.change(lambda file: _File(runs=_pruned(change(file.runs if file else ())))).runs

    def _read(self) -> tuple[Run, ...]:
        stored = self._file.read()
        return stored.value.runs if stored else ()


def _claimed(runs: Sequence[Run], ask: Ask, *, run_id: str, now_utc: datetime) -> Claim:
    known = [run for run in runs if ask.key and run.key_digest == ask.key_digest and run.state is not RunState.REFUSED]
    if known:
        if known[-1].ask_digest != ask.digest:
            msg = "this Idempotency-Key came before with other pools, reason or force: use a new key for a new request"
            raise KeyReused(msg)
        return Claim(run=known[-1], is_new=False, is_repeat=True)
    held = {pool: run for run in runs if run.state.is_active for pool in run.pools if pool in ask.pools}
    busy = {pool: run.run_id for pool, run in held.items()}
    free = tuple(pool for pool in ask.pools if pool not in held)
    if not free:
        newest = max(held.values(), key=lambda run: run.requested_at)
        return Claim(run=newest, is_new=False, busy=busy)
    made = Run(
        run_id=run_id,
        pools=free,
        reason=ask.reason,
        force=ask.force,
        asked_by=ask.asked_by,
        key_digest=ask.key_digest,
        ask_digest=ask.digest,
        requested_at=now_utc,
        touched_at=now_utc,
    )
    return Claim(run=made, is_new=True, busy=busy)


def _changed(run: Run, changes: dict[str, object]) -> Run:
    return Run.model_validate(run.model_dump() | changes) if run.state.is_active else run


def _pruned(runs: tuple[Run, ...]) -> tuple[Run, ...]:
    """Forget the oldest of those that are over."""
    spare = sum(not run.state.is_active for run in runs) - RUNS_KEPT
    kept = []
    for run in runs:
        if spare > 0 and not run.state.is_active:
            spare -= 1
        else:
            kept.append(run)
    return tuple(kept)
