"""One tick: for each pool, side by side, observe → forecast → decide → act → record."""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import uuid4

from scaler.core.backoff import after
from scaler.core.decide import Decision, Situation, decide
from scaler.core.memory import Memory, OperationInFlight
from scaler.core.pool import PoolState, Resize
from scaler.core.reasons import Reason
from scaler.fallback import Foresight, Models, foresee
from scaler.ports import NodePools, Operation, OperationStatus
from scaler.record import DecisionLog, Record
from scaler.stores import Memories
from shared.demand.history import History
from shared.demand.source import DemandSource
from shared.errors import (
    BlobChanged,
    CloudError,
    DemandError,
    DemandUnavailable,
    Forbidden,
    ForescaleError,
    NoCapacity,
    PoolBusy,
    PoolChanged,
    PoolNotFound,
    PoolUnsupported,
    QuotaExceeded,
    SubnetFull,
    Throttled,
    TickFailed,
    Transient,
)
from shared.pools import Pool
from shared.telemetry import Event, emit

logger = logging.getLogger(__name__)

SIDE_BY_SIDE = 8

OUTCOMES: dict[type[CloudError], Reason] = {
    PoolBusy: Reason.POOL_BUSY,
    PoolChanged: Reason.POOL_CHANGED,
    Throttled: Reason.THROTTLED,
    QuotaExceeded: Reason.QUOTA_EXCEEDED,
    NoCapacity: Reason.NO_CAPACITY,
    SubnetFull: Reason.SUBNET_FULL,
    Forbidden: Reason.FORBIDDEN,
    PoolNotFound: Reason.POOL_NOT_FOUND,
    PoolUnsupported: Reason.POOL_UNSUPPORTED,
    Transient: Reason.CLOUD_UNREACHABLE,
}
"""How a refused resize is told; any other ``CloudError`` is ``cloud_error``."""

COPED = frozenset({Reason.POOL_BUSY, Reason.POOL_CHANGED, Reason.THROTTLED, Reason.CLOUD_UNREACHABLE})
"""Outcomes that the next tick mends by itself: no person is called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The demand of a pool as far as it is known, or why it is not; a ``fault`` is for a person."""

    history: History | None = None
    note: str = ""
    fault: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """The scaler's use case over its ports; one instance may run again and again."""

    demand: Callable[[Pool], DemandSource]
    node_pools: NodePools
    models: Models
    memories: Memories
    log: DecisionLog

    def run(self, pools: Sequence[Pool], *, now_utc: datetime) -> list[Record]:
        """Serve every pool and return the records; one pool's failure does not stop the others.

        Raises :class:`TickFailed` at the end, naming the pools, if a person must look at something.
        """
        run_id = uuid4().hex
        with ThreadPoolExecutor(max_workers=min(SIDE_BY_SIDE, len(pools))) as side_by_side:
            served = list(side_by_side.map(lambda pool: self._guarded(pool, now_utc=now_utc, run_id=run_id), pools))
        failed = [f"{pool.name}: {fault}" for pool, (_, fault) in zip(pools, served, strict=True) if fault]
        if failed:
            raise TickFailed("; ".join(failed))
        return [record for record, _ in served if record is not None]

    def serve(self, pool: Pool, *, now_utc: datetime, run_id: str) -> Record:
        """Run the five steps for one pool.

        The memory is saved before acting: of two ticks at once the second loses there, and touches nothing.
        """
        memory, etag = self.memories.load(pool.name)
        state = self.node_pools.read(pool)
        memory, followed = self._followed(pool, memory, now_utc=now_utc, run_id=run_id)
        seen = self._seen(pool, now_utc=now_utc)

        foresight = self._foresight(pool, seen, now_utc=now_utc)

        decision = decide(
            Situation(
                pool=pool,
                state=state,
                memory=memory,
                now_utc=now_utc,
                history=seen.history,
                forecast=foresight.forecast,
                grounds=foresight.grounds,
                card=foresight.card,
            )
        )

        etag = self.memories.save(pool.name, decision.memory, etag)
        record = Record(decision=decision, run_id=run_id, notes=(*followed, *foresight.notes), error=seen.fault)
        if decision.resize is not None:
            record = self._act(pool, state, decision.resize, record)

        fields = record.fields()  # told first: what was done to a pool is known even if the store fails now
        refused = record.outcome not in {None, Reason.RESIZE_ACCEPTED}
        emit(Event.SCALE_DECISION, fields, level=logging.WARNING if refused else logging.INFO)
        if record.decision.memory != decision.memory:
            self.memories.save(pool.name, record.decision.memory, etag)
        self.log.add(fields)
        return record

    def _guarded(self, pool: Pool, *, now_utc: datetime, run_id: str) -> tuple[Record | None, str]:
        """Serve one pool, whatever happens; the fault is empty if nobody needs to act."""
        try:
            record = self.serve(pool, now_utc=now_utc, run_id=run_id)
        except Exception as exc:  # the one broad catch: a pool must not stop the rest (S19)
            coped = isinstance(exc, Transient | BlobChanged)
            told = str(exc) if isinstance(exc, ForescaleError) else f"{type(exc).__name__}: {exc}"
            reason = _reason_of(type(exc)) if isinstance(exc, CloudError) else None
            fields = {
                "run_id": run_id,
                "pool": pool.name,
                "at": now_utc,
                "kind": type(exc).__name__,
                "reason": reason,
                "error": told,
            }
            emit(Event.POOL_FAILED, fields, level=logging.WARNING if coped else logging.ERROR)
            if not isinstance(exc, ForescaleError):
                logger.exception("pool %r failed", pool.name)
            return None, "" if coped else told
        return record, record.error

    def _followed(
        self, pool: Pool, memory: Memory, *, now_utc: datetime, run_id: str
    ) -> tuple[Memory, tuple[str, ...]]:
        """Look after the resize that an earlier tick started; forget it once it ended, and note how it went."""
        flight = memory.operation
        if flight is None:
            return memory, ()
        resize = Resize(lever=flight.lever, nodes=flight.nodes)
        operation = Operation(handle=flight.handle, resize=resize, started_at=flight.started_at)
        try:
            outcome = self.node_pools.outcome(pool, operation)
        except Transient:
            return memory, ()  # not known is not over: decide, but do not write
        if outcome.status is OperationStatus.RUNNING:
            return memory, ()
        succeeded = outcome.status is OperationStatus.SUCCEEDED
        fields = {
            "run_id": run_id,
            "pool": pool.name,
            "at": now_utc,
            "lever": resize.lever,
            "nodes": resize.nodes,
            "status": outcome.status,
            "took_s": outcome.took,
            "error_code": outcome.error_code,
            "error": outcome.error_message,
        }
        emit(Event.RESIZE_OUTCOME, fields, level=logging.INFO if succeeded else logging.ERROR)
        setback = None if succeeded else after(_reason_of(outcome.cause), memory.setback, now_utc=now_utc)
        took = "" if outcome.took is None else f" after {outcome.took.total_seconds():.0f} s"
        why = " ".join(part for part in (outcome.error_code, outcome.error_message) if part)
        note = f"the resize to {resize.nodes} nodes {outcome.status.value}{took}" + (f": {why}" if why else "")
        return replace(memory, operation=None, setback=setback), (note,)

    def _seen(self, pool: Pool, *, now_utc: datetime) -> Seen:
        try:
            return Seen(history=self.demand(pool).history(now_utc))
        except DemandUnavailable as exc:
            return Seen(note=str(exc))
        except DemandError as exc:
            return Seen(note=str(exc), fault=str(exc))

    def _foresight(self, pool: Pool, seen: Seen, *, now_utc: datetime) -> Foresight:
        if seen.history is None:
            return Foresight().noted(Reason.DEMAND_UNAVAILABLE, seen.note)
        return foresee(pool, seen.history, self.models, now_utc=now_utc)

    def _act(self, pool: Pool, state: PoolState, resize: Resize, record: Record) -> Record:
        """Ask for the resize and remember the operation; a refusal becomes the record's outcome."""
        try:
            operation = self.node_pools.resize(pool, state, resize)
        except CloudError as exc:
            outcome = _reason_of(type(exc))
            fault = "" if outcome in COPED else str(exc)
            retry_after = exc.retry_after if isinstance(exc, Throttled) else timedelta()
            setback = after(
                outcome, record.decision.memory.setback, now_utc=record.decision.at_utc, retry_after=retry_after
            )
            memory = replace(record.decision.memory.refused(state.setting), setback=setback)
            refused = replace(record.decision, memory=memory)
            return replace(
                record,
                decision=refused,
                outcome=outcome,
                notes=(*record.notes, str(exc)),
                error=fault or record.error,
            )
        flight = OperationInFlight(
            handle=operation.handle,
            lever=operation.resize.lever,
            nodes=operation.resize.nodes,
            started_at=operation.started_at,
        )
        decision: Decision = record.decision
        remembered = replace(decision, memory=replace(decision.memory, operation=flight))
        return replace(record, decision=remembered, applied=True, outcome=Reason.RESIZE_ACCEPTED)


def _reason_of(kind: type[CloudError]) -> Reason:
    return next((reason for known, reason in OUTCOMES.items() if issubclass(kind, known)), Reason.CLOUD_ERROR)
