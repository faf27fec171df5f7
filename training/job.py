"""What a training job does: for each pool fit, judge, publish, and let the model serve only if it is better."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.clock import Clock
from shared.errors import BlobNotFound, CloudError, DemandError, ForescaleError, ModelRefused, TrainingRefused
from shared.model import Model, pack
from shared.model_card import ModelCard
from shared.model_store import ModelStore
from shared.pools import Pool, ResponseTimeSizing
from shared.ports import Blobs
from shared.telemetry import Event, emit
from training.fit import Candidate, publish
from training.histories import training_history
from training.judge import Verdict, judged
from training.ports import Tracker
from training.results import PoolResult, PoolStage, Results, RunResult

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingJob:
    """One run's work; ``tracker`` is told what Azure ML shows, the blobs are what counts."""

    blobs: Blobs
    store: ModelStore
    results: Results
    tracker: Tracker
    clock: Clock

    def run(self, pools: Sequence[Pool], *, run_id: str, force: bool) -> RunResult:
        """Train each pool, one after the other; one that fails does not stop the rest. Returns what became of them."""
        waiting = {pool.name: PoolResult() for pool in pools}
        told = RunResult(run_id=run_id, pools=waiting, updated_at=self.clock())
        for pool in pools:
            told = told.with_pool(pool.name, PoolResult(stage=PoolStage.TRAINING), at=self.clock())
            self.results.write(told)
            outcome = self._outcome(pool, force=force)
            told = told.with_pool(pool.name, outcome, at=self.clock())
            self.results.write(told)
            emit(Event.RETRAINING, {"run_id": run_id, "pool": pool.name, **outcome.model_dump(mode="json")})
        return told

    def _outcome(self, pool: Pool, *, force: bool) -> PoolResult:
        try:
            return self._trained(pool, force=force)
        except (TrainingRefused, DemandError) as exc:
            return PoolResult(stage=PoolStage.REFUSED, why=str(exc))
        except ForescaleError as exc:
            return PoolResult(stage=PoolStage.FAILED, why=str(exc))
        except Exception as exc:  # the one broad catch: a pool must not stop the rest (S19)
            logger.exception("training pool %r failed", pool.name)
            return PoolResult(stage=PoolStage.FAILED, why=f"{type(exc).__name__}: {exc}")

    def _trained(self, pool: Pool, *, force: bool) -> PoolResult:
        now_utc = self.clock()
        history = training_history(self.blobs, pool, now_utc=now_utc)
        champion, note = self._champion(pool)
        candidate, verdict = judged(pool, history, champion)
        why = f"{note}{verdict.why}"
        card = publish(self.store, pool, history, candidate, now_utc=now_utc)
        self._track(pool, card, candidate, verdict)
        promote = verdict.promote or force
        if promote:
            reason = why if verdict.promote else f"forced, though {why}"
            self.store.promote(pool.name, card.version, now_utc=now_utc, reason=reason)
            why = reason
            told = {"pool": pool.name, "version": card.version, "reason": reason}
            emit(Event.MODEL_PROMOTED, told)
        return PoolResult(
            stage=PoolStage.PROMOTED if promote else PoolStage.NOT_PROMOTED,
            why=why,
            version=card.version,
            champion_version=champion.card.version if champion else None,
            candidate=dict(verdict.candidate),
            champion=dict(verdict.champion),
        )

    def _champion(self, pool: Pool) -> tuple[Model | None, str]:
        try:
            return self.store.latest(pool.name), ""
        except BlobNotFound:
            return None, ""
        except ModelRefused as exc:
            return None, f"the serving model is refused ({exc}); "

    def _track(self, pool: Pool, card: ModelCard, candidate: Candidate, verdict: Verdict) -> None:
        """Tell Azure ML; that it does not listen is no reason to keep a better model from serving."""
        told: Mapping[str, float] = {**verdict.candidate, **candidate.scores}
        try:
            for name, score in told.items():
                self.tracker.log(f"{pool.name}.{name}", score)
            for name, score in verdict.champion.items():
                self.tracker.log(f"{pool.name}.champion.{name}", score)
            for name, data in registered_parts(pool, candidate).items():
                self.tracker.register(name, data, {"pool": pool.name, "version": card.version, "sha256": card.sha256})
        except CloudError:
            logger.warning("pool %r: the run in Azure ML could not be told of the model", pool.name, exc_info=True)


def registered_parts(pool: Pool, candidate: Candidate) -> dict[str, bytes]:
    """Return the model files to register in the workspace, by the names to register them under.

    The workshop's four models keep the names that its users know; any other pool has one model, named for it.
    """
    content = candidate.fitted.content
    if isinstance(pool.sizing, ResponseTimeSizing):
        return {name: pack({name: model}) for name, model in content.items()}
    return {f"forescale-{pool.name}": pack(content)}


def is_failed(result: RunResult) -> bool:
    """Tell whether the job shall end as failed: a refusal is an answer, a failure is not."""
    return any(pool.stage is PoolStage.FAILED for pool in result.pools.values())
