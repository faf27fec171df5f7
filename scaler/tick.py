"""One tick of one pool: observe → forecast → decide → act → record."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from scaler.core.decide import Decision, decide
from scaler.core.memory import Memory
from scaler.core.plausibility import check_demand
from scaler.core.pool import PoolState
from scaler.core.reasons import Reason
from scaler.core.situation import Situation
from scaler.fallback import Models, SelectedForecast, select_forecast
from scaler.ports import NodePools
from scaler.record import Record
from scaler.resizing import EndedOperation, ResizeOutcome, follow_operation, request_resize
from scaler.stores import DecisionLog, MemoryStore
from shared.demand.history import History
from shared.demand.source import DemandSource
from shared.errors import DemandError, DemandUnavailable
from shared.pools import Pool
from shared.telemetry import Event, emit


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """A pool as a tick finds it; where the demand is not known, ``demand_note`` says why.

    ``history`` is the demand that is believed. ``demand_error`` is set where a person must see to it. ``ended`` is an
    operation of an earlier tick that is over.
    """

    pool: Pool
    now_utc: datetime
    run_id: str
    state: PoolState
    memory: Memory
    memory_etag: str | None
    ended: EndedOperation | None = None
    history: History | None = None
    demand_note: str = ""
    demand_error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActOutcome:
    """What came of acting on a decision; ``unsaved`` is the memory that acting changed, under ``memory_etag``."""

    outcome: ResizeOutcome
    memory_etag: str
    unsaved: Memory | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """The scaler's use case for one pool, over its ports; one instance serves many pools, from several threads."""

    demand: Callable[[Pool], DemandSource]
    node_pools: NodePools
    models: Models
    memories: MemoryStore
    log: DecisionLog

    def run(self, pool: Pool, *, now_utc: datetime, run_id: str) -> Record:
        """Run the five steps and return what was done; raises what the ports raise."""
        observation = self._observe(pool, now_utc=now_utc, run_id=run_id)
        selected = self._forecast(observation)
        decision, memory = self._decide(observation, selected)
        action = self._act(observation, decision, memory)
        return self._record(observation, selected, decision, action)

    def _observe(self, pool: Pool, *, now_utc: datetime, run_id: str) -> Observation:
        """Read what is: the memory, the pool, the operation that an earlier tick started, and the recent demand."""
        memory, etag = self.memories.load(pool.name)
        state = self.node_pools.read(pool)
        memory, ended = follow_operation(self.node_pools, pool, memory, now_utc=now_utc)
        if ended is not None:
            emit_outcome(ended, pool, now_utc=now_utc, run_id=run_id)
        history, note, error = None, "", ""
        try:
            history = self.demand(pool).history(now_utc)
        except DemandUnavailable as exc:
            note = str(exc)
        except DemandError as exc:
            note = error = str(exc)
        if history is not None:
            plausibility, history = check_demand(memory.plausibility, history)
            memory = replace(memory, plausibility=plausibility)
        return Observation(
            pool=pool,
            now_utc=now_utc,
            run_id=run_id,
            state=state,
            memory=memory,
            memory_etag=etag,
            ended=ended,
            history=history,
            demand_note=note,
            demand_error=error,
        )

    def _forecast(self, observation: Observation) -> SelectedForecast:
        """Forecast with the model that may serve, or what stands in for it."""
        if observation.history is None:
            return SelectedForecast().because(Reason.DEMAND_UNAVAILABLE, observation.demand_note)
        return select_forecast(observation.pool, observation.history, self.models, now_utc=observation.now_utc)

    def _decide(self, observation: Observation, selected: SelectedForecast) -> tuple[Decision, Memory]:
        """Decide how many nodes the pool shall have: pure, the same call as in a replay."""
        return decide(
            Situation(
                pool=observation.pool,
                state=observation.state,
                memory=observation.memory,
                now_utc=observation.now_utc,
                history=observation.history,
                forecast=selected.forecast,
                forecast_reasons=selected.forecast_reasons,
                card=selected.card,
            )
        )

    def _act(self, observation: Observation, decision: Decision, memory: Memory) -> ActOutcome:
        """Save what was decided, then ask for the resize: of two ticks at once the second loses the save, and stops."""
        pool, state = observation.pool, observation.state
        etag = self.memories.save(pool.name, memory, observation.memory_etag)
        outcome, acted = request_resize(self.node_pools, pool, state, decision, memory)
        return ActOutcome(outcome=outcome, memory_etag=etag, unsaved=None if acted is memory else acted)

    def _record(
        self, observation: Observation, selected: SelectedForecast, decision: Decision, action: ActOutcome
    ) -> Record:
        """Emit the decision first, so that what was done to a pool is known even if the store fails now."""
        outcome = action.outcome
        ended_notes = () if observation.ended is None else (observation.ended.note,)
        record = Record(
            decision=decision,
            run_id=observation.run_id,
            operation=outcome.operation,
            outcome=outcome.reason,
            notes=(*ended_notes, *selected.notes, *((outcome.note,) if outcome.note else ())),
            error=outcome.note if outcome.needs_person else observation.demand_error,
        )
        fields = record.fields()
        emit(Event.SCALE_DECISION, fields, level=logging.WARNING if record.refused else logging.INFO)
        if action.unsaved is not None:
            self.memories.save(decision.pool, action.unsaved, action.memory_etag)
        self.log.add(fields)
        return record


def emit_outcome(ended: EndedOperation, pool: Pool, *, now_utc: datetime, run_id: str) -> None:
    """Emit how an operation of an earlier tick ended."""
    resize, outcome = ended.operation.resize, ended.outcome
    fields = {
        "run_id": run_id,
        "pool": pool.name,
        "at": now_utc,
        "scaled_field": resize.scaled_field,
        "nodes": resize.nodes,
        "status": outcome.status,
        "took_s": outcome.took,
        "error_code": outcome.error_code,
        "error": outcome.error_message,
    }
    emit(Event.RESIZE_OUTCOME, fields, level=logging.INFO if ended.succeeded else logging.ERROR)
