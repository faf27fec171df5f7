"""``watch_models``: looks at each pool's model, rolls a bad promotion back, and starts retraining where it is due."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict

from scaler.core.reasons import Reason
from scaler.stores import DecisionLog
from shared.clock import Clock
from shared.demand.blob_source import training_history
from shared.demand.history import History
from shared.errors import (
    BlobNotFound,
    CloudError,
    DemandError,
    ModelRefused,
    RunPending,
    TickFailed,
    TrainingRefused,
)
from shared.forecasting.metrics import COVERAGE, PINBALL, SCORED_INTERVALS, evaluate
from shared.forecasting.model import FittedModel, PublishedModel
from shared.forecasting.store import ModelStore
from shared.json_blob import JsonBlob
from shared.pools import Pool
from shared.ports import Blobs
from shared.telemetry import Event, emit
from training.drift import WATCH, Health, drifts, not_before, since_training
from training.request import Caller, RetrainRequest
from training.retraining import Retraining, new_run_id
from training.rollback import first_day, roll_back

logger = logging.getLogger(__name__)

EVALUATED_SPAN = timedelta(days=1)
"""How much of the recent past a model is evaluated on."""
WITHOUT_MODEL = frozenset({Reason.NAIVE_FORECAST, Reason.LAST_GOOD_MODEL, Reason.NO_FORECAST})


class WatchMemory(BaseModel):
    """What the watch remembers of a pool: the versions whose first day it has looked at."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    first_days: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchResult:
    """What the watch found of a pool and did about it."""

    pool: str
    why: tuple[str, ...] = ()
    run_id: str = ""
    waits_until: datetime | None = None
    rollback_reason: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """The use case; ``retraining`` is None where no backend is set up: then models are judged, none is made."""

    blobs: Blobs
    store: ModelStore
    decisions: DecisionLog
    retraining: Retraining | None
    clock: Clock
    token: str = ""

    def run(self, pools: Sequence[Pool]) -> list[WatchResult]:
        """Look after every pool; one that fails does not stop the rest. Raises :class:`TickFailed` at the end."""
        if self.retraining is not None:
            self.retraining.reconcile()
        found, failed = [], []
        for pool in pools:
            try:
                found.append(self._watch(pool))
            except Exception as exc:  # a pool must not stop the rest (S19)
                logger.exception("watching the model of pool %r failed", pool.name)
                failed.append(f"{pool.name}: {exc}")
        if failed:
            raise TickFailed("; ".join(failed))
        return found

    def _watch(self, pool: Pool) -> WatchResult:
        now_utc = self.clock()
        try:
            history = training_history(self.blobs, pool, now_utc=now_utc)
        except DemandError as exc:
            return WatchResult(pool=pool.name, note=str(exc))
        back = self._first_day(pool, history, now_utc)
        due = drifts(self._health(pool, history, now_utc))
        why = tuple(f"{drift}: {figures}" for drift, figures in due.items())
        if not due or self.retraining is None:
            return WatchResult(pool=pool.name, why=why, rollback_reason=back)
        earliest = not_before(pool.name, self.retraining.runs.all(), now_utc)
        if earliest > now_utc:
            return WatchResult(pool=pool.name, why=why, rollback_reason=back, waits_until=earliest)
        return self._start(pool, why, back, now_utc)

    def _start(self, pool: Pool, why: tuple[str, ...], back: str, now_utc: datetime) -> WatchResult:
        assert self.retraining is not None  # noqa: S101 - the caller looked
        request = RetrainRequest(pools=(pool.name,), reason="; ".join(why)[:500])
        wanted = new_run_id(now_utc, f"{self.token[:4]}{pool.name}")
        try:
            run_id = self.retraining.start(request, Caller(name=WATCH), run_id=wanted).run.run_id
        except RunPending as exc:
            return WatchResult(pool=pool.name, why=why, rollback_reason=back, run_id=exc.run_id, note=str(exc))
        except CloudError as exc:
            logger.error("pool %r: its model is due, but no retraining could start: %s", pool.name, exc)  # noqa: TRY400 - its message says all
            return WatchResult(pool=pool.name, why=why, rollback_reason=back, note=str(exc))
        return WatchResult(pool=pool.name, why=why, rollback_reason=back, run_id=run_id)

    def _health(self, pool: Pool, history: History, now_utc: datetime) -> Health:
        try:
            model = self.store.latest(pool.name)
        except (BlobNotFound, ModelRefused):
            return Health(has_model=False)
        recent = max(0, len(history) - 1 - int(EVALUATED_SPAN / history.step))
        fallen, ticks = self._fallbacks(pool, now_utc)
        card = model.card
        age = now_utc - card.training.end_utc
        if (history.signals, history.step) != (card.signals, card.step):
            return Health(age=age, signals_changed=True, ticks=ticks, fallback_ticks=fallen)
        scores = evaluate(_as_it_serves(model, history.first(recent + 1)), history, first=recent)
        return Health(
            age=age,
            since_training=self._since_training(pool, now_utc),
            promised_loss=card.scores.get(PINBALL),
            realised_loss=scores.get(PINBALL),
            coverage=scores.get(COVERAGE),
            scored_intervals=int(scores.get(SCORED_INTERVALS, 0)),
            ticks=ticks,
            fallback_ticks=fallen,
        )

    def _since_training(self, pool: Pool, now_utc: datetime) -> timedelta | None:
        runs = self.retraining.runs.all() if self.retraining is not None else ()
        return since_training(pool.name, runs, now_utc)

    def _fallbacks(self, pool: Pool, now_utc: datetime) -> tuple[int, int]:
        """Count the ticks of the last day that went without the serving model, and all of them."""
        since = now_utc - EVALUATED_SPAN
        records = []
        for day in sorted({since.date(), now_utc.date()}):
            try:
                records += self.decisions.of_day(pool.name, day.isoformat())
            except BlobNotFound:
                continue
        recent = [record for record in records if datetime.fromisoformat(str(record["at"])) >= since]
        return sum(bool(WITHOUT_MODEL & set(record["reasons"])) for record in recent), len(recent)

    def _first_day(self, pool: Pool, history: History, now_utc: datetime) -> str:
        """Look at a promotion once, when its first day is over; return the reason if it was rolled back."""
        pointed = self.store.pointer(pool.name)
        stored = self._memory(pool.name).read_or(lambda _: WatchMemory())
        looked_at = stored.value.first_days if stored else ()
        if pointed is None or pointed[0].version in looked_at:
            return ""
        pointer = pointed[0]
        day = first_day(self.store, pointer, pool.name, history)
        if not day.verdict_due:
            return ""
        back = ""
        looked_at = (*looked_at, pointer.version)
        if day.worse and pointer.previous is not None:
            back = f"rolled back by itself: {day.why}"
            roll_back(self.store, pool.name, from_version=pointer.version, now_utc=now_utc, reason=back)
            looked_at = (*looked_at, pointer.previous)
            fields = {"pool": pool.name, "version": pointer.previous, "instead_of": pointer.version, "reason": back}
            emit(Event.MODEL_PROMOTED, fields, level=logging.WARNING)
        memory = WatchMemory(first_days=tuple(dict.fromkeys(looked_at))[-20:])
        self._memory(pool.name).write(memory, if_etag=stored.etag if stored else None)
        return back

    def _memory(self, pool: str) -> JsonBlob[WatchMemory]:
        name = f"retraining/watch/{pool}.json"
        return JsonBlob(blobs=self.blobs, name=name, kind=WatchMemory, remedy="it will be written anew")


def _as_it_serves(model: PublishedModel, past: History) -> FittedModel:
    """Return the model as a tick uses it: with what the past says, where its family takes that in."""
    try:
        return model.refresh(past).fitted
    except TrainingRefused:
        return model.fitted
