"""Every retraining run of the last weeks, in one blob: who may start one is decided by one conditional write."""

from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum

from pydantic import AwareDatetime, BaseModel, ConfigDict

from shared.errors import KeyReused, RunNotFound
from shared.json_blob import JsonBlob
from shared.ports import Blobs
from training.request import Caller, RetrainRequest

RUNS_FILE = "retraining/runs.json"
RUNS_KEPT = 100
"""Ended runs that are remembered; so long is an idempotency key known as well."""
KEYS_KEPT = 50
"""Keys that one run remembers: a caller may ask again and again, each time under a new one."""


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
    request: RetrainRequest
    """What it does: of the caller's request those pools that no other run held."""
    asked_by: str = "http"
    """`http`, or `watch_models`."""
    keys: dict[str, str] = {}
    """SHA-256 of each idempotency key that was answered with this run, and of the request that came with it."""
    state: RunState = RunState.RESERVED
    detail: str = ""
    portal_url: str = ""
    requested_at: AwareDatetime
    touched_at: AwareDatetime
    """When somebody last tried to submit it, or its state changed."""
    started_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None

    @property
    def pools(self) -> tuple[str, ...]:
        """The pools that it trains."""
        return self.request.pool_names

    def with_key(self, request: RetrainRequest, caller: Caller) -> "Run":
        """Return the run with the caller's key remembered, so that the same key is answered with this run again."""
        if not caller.key_digest:
            return self
        keys = {**self.keys, caller.key_digest: request.digest}
        return self.model_copy(update={"keys": dict(list(keys.items())[-KEYS_KEPT:])})


class Reservation(BaseModel):
    """The run that answers a request; ``is_new`` if it was reserved for it and is still to be submitted."""

    model_config = ConfigDict(frozen=True)

    run: Run
    is_new: bool
    is_repeat: bool = False
    """The same caller asked before, by its key."""
    busy: dict[str, str] = {}
    """Pools of the request that other runs hold, and which."""


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

    def holding(self, pools: Sequence[str]) -> Sequence[Run]:
        """Return the active runs that hold any of these pools."""
        return tuple(run for run in self._read() if run.state.is_active and set(run.pools) & set(pools))

    def answer_of(self, request: RetrainRequest, caller: Caller) -> Run | None:
        """Return the run that the caller's key was answered with before, if it was.

        Raises :class:`~shared.errors.KeyReused` if the key came with another request.
        """
        return _answer_of(self._read(), request, caller)

    def reserve(self, request: RetrainRequest, caller: Caller, *, run_id: str, now_utc: datetime) -> Reservation:
        """Reserve a run for the pools that no run holds, or return the one that answers the request already.

        ``request`` names its pools. One conditional write decides: of two callers at once one reserves, the other gets
        that run. Raises :class:`~shared.errors.KeyReused` if the key came with another request.
        """
        reserved: list[Reservation] = []

        def change(runs: tuple[Run, ...]) -> tuple[Run, ...]:
            reservation = _reservation(runs, request, caller, run_id=run_id, now_utc=now_utc)
            reserved[:] = [reservation]
            if reservation.is_new:
                return (*runs, reservation.run)
            return tuple(reservation.run if run.run_id == reservation.run.run_id else run for run in runs)

        self._change(change)
        return reserved[0]

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


def _answer_of(runs: Sequence[Run], request: RetrainRequest, caller: Caller) -> Run | None:
    known = [run for run in runs if caller.key_digest in run.keys and run.state is not RunState.REFUSED]
    if not known:
        return None
    if known[-1].keys[caller.key_digest] != request.digest:
        msg = "this Idempotency-Key came before with other pools, reason or force: use a new key for a new request"
        raise KeyReused(msg)
    return known[-1]


def _reservation(
    runs: Sequence[Run], request: RetrainRequest, caller: Caller, *, run_id: str, now_utc: datetime
) -> Reservation:
    known = _answer_of(runs, request, caller)
    if known is not None:
        return Reservation(run=known, is_new=False, is_repeat=True)
    held = {pool: run for run in runs if run.state.is_active for pool in run.pools if pool in request.pool_names}
    busy = {pool: run.run_id for pool, run in held.items()}
    free = tuple(pool for pool in request.pool_names if pool not in held)
    if not free:
        newest = max(held.values(), key=lambda run: run.requested_at)
        return Reservation(run=newest.with_key(request, caller), is_new=False, busy=busy)
    narrowed = request.for_pools(free)
    run = Run(run_id=run_id, request=narrowed, asked_by=caller.name, requested_at=now_utc, touched_at=now_utc)
    return Reservation(run=run.with_key(request, caller), is_new=True, busy=busy)


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
