"""What a training job does: for each pool fit, judge, publish, and let the model serve only if it is better."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.clock import Clock
from shared.errors import CloudError, DemandError, ForescaleError, TrainingRefused
from shared.forecasting.model import pack
from shared.forecasting.store import ModelStore
from shared.pools import Pool, ResponseTimeSizing
from shared.ports import Blobs
from shared.telemetry import Event, emit
from training.histories import training_history
from training.ports import Tracker
from training.publish import Candidate
from training.results import PoolResult, PoolStage, Results, RunResult
from training.selection import Trained, Wishes, train

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingJob:
    """One run's work; ``tracker`` is told what Azure ML shows, the blobs are what counts."""

    blobs: Blobs
    store: ModelStore
    results: Results
    tracker: Tracker
    clock: Clock

    def run(self, pools: Sequence[Pool], *, run_id: str, wishes: Wishes) -> RunResult:
        """Train each pool, one after the other; one that fails does not stop the rest. Returns what became of them."""
        waiting = {pool.name: PoolResult() for pool in pools}
        told = RunResult(run_id=run_id, pools=waiting, updated_at=self.clock())
        for pool in pools:
            told = told.with_pool(pool.name, PoolResult(stage=PoolStage.TRAINING), at=self.clock())
            self.results.write(told)
            outcome = self._outcome(pool, wishes)
            told = told.with_pool(pool.name, outcome, at=self.clock())
            self.results.write(told)
            emit(Event.RETRAINING, {"run_id": run_id, "pool": pool.name, **outcome.model_dump(mode="json")})
        return told

    def _outcome(self, pool: Pool, wishes: Wishes) -> PoolResult:
        try:
            return self._trained(pool, wishes)
        except (TrainingRefused, DemandError) as exc:
            return PoolResult(stage=PoolStage.REFUSED, why=str(exc))
        except ForescaleError as exc:
            return PoolResult(stage=PoolStage.FAILED, why=str(exc))
        except Exception as exc:  # the one broad catch: a pool must not stop the rest (S19)
            logger.exception("training pool %r failed", pool.name)
            return PoolResult(stage=PoolStage.FAILED, why=f"{type(exc).__name__}: {exc}")

    def _trained(self, pool: Pool, wishes: Wishes) -> PoolResult:
        now_utc = self.clock()
        history = training_history(self.blobs, pool, now_utc=now_utc)
        trained = train(self.store, pool, history, wishes, now_utc=now_utc)
        verdict, card = trained.verdict, trained.card
        self._track(pool, trained)
        if verdict.promoted:
            told = {"pool": pool.name, "version": card.version, "rule": verdict.rule, "reason": verdict.reason}
            emit(Event.MODEL_PROMOTED, told)
        return PoolResult(
            stage=PoolStage.PROMOTED if verdict.promoted else PoolStage.NOT_PROMOTED,
            why=verdict.reason,
            version=card.version,
            champion_version=verdict.champion_version,
            candidate=dict(verdict.challenger or card.scores),
            champion=dict(verdict.champion),
        )

    def _track(self, pool: Pool, trained: Trained) -> None:
        """Tell Azure ML; that it does not listen is no reason to keep a better model from serving."""
        card, verdict, candidate = trained.card, trained.verdict, trained.candidate
        told: Mapping[str, float] = {**verdict.challenger, **candidate.scores}
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
