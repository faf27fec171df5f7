"""What a training job does: for each pool fit, evaluate, publish, and let the model serve only if it is better."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.clock import Clock
from shared.demand.blob_source import training_history
from shared.errors import CloudError, DemandError, ForescaleError, TrainingRefused
from shared.forecasting.file_format import write_model
from shared.forecasting.store import ModelStore
from shared.pools import Pool, ResponseTimeSizing
from shared.ports import Blobs
from shared.telemetry import Event, emit
from training.ports import Tracker
from training.publish import Candidate
from training.results import PoolResult, PoolStage, Results, RunResult
from training.selection import TrainingOutcome, TrainOptions, train

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingJob:
    """One run's work; ``tracker`` gets what Azure ML shows, the blobs are what counts."""

    blobs: Blobs
    store: ModelStore
    results: Results
    tracker: Tracker
    clock: Clock

    def run(self, pools: Sequence[Pool], *, run_id: str, options: TrainOptions) -> RunResult:
        """Train each pool, one after the other; one that fails does not stop the rest. Returns what became of them."""
        waiting = {pool.name: PoolResult() for pool in pools}
        result = RunResult(run_id=run_id, pools=waiting, updated_at=self.clock())
        for pool in pools:
            result = result.with_pool(pool.name, PoolResult(stage=PoolStage.TRAINING), at=self.clock())
            self.results.write(result)
            outcome = self._outcome(pool, options)
            result = result.with_pool(pool.name, outcome, at=self.clock())
            self.results.write(result)
            emit(Event.RETRAINING, {"run_id": run_id, "pool": pool.name, **outcome.model_dump(mode="json")})
        return result

    def _outcome(self, pool: Pool, options: TrainOptions) -> PoolResult:
        try:
            return self._train(pool, options)
        except (TrainingRefused, DemandError) as exc:
            return PoolResult(stage=PoolStage.REFUSED, why=str(exc))
        except ForescaleError as exc:
            return PoolResult(stage=PoolStage.FAILED, why=str(exc))
        except Exception as exc:  # the one broad catch: a pool must not stop the rest (S19)
            logger.exception("training pool %r failed", pool.name)
            return PoolResult(stage=PoolStage.FAILED, why=f"{type(exc).__name__}: {exc}")

    def _train(self, pool: Pool, options: TrainOptions) -> PoolResult:
        now_utc = self.clock()
        history = training_history(self.blobs, pool, now_utc=now_utc)
        outcome = train(self.store, pool, history, options, now_utc=now_utc)
        verdict, card = outcome.verdict, outcome.card
        self._track(pool, outcome)
        if verdict.promoted:
            fields = {"pool": pool.name, "version": card.version, "rule": verdict.rule, "reason": verdict.reason}
            emit(Event.MODEL_PROMOTED, fields)
        return PoolResult(
            stage=PoolStage.PROMOTED if verdict.promoted else PoolStage.NOT_PROMOTED,
            why=verdict.reason,
            version=card.version,
            champion_version=verdict.champion_version,
            candidate=dict(verdict.challenger or card.scores),
            champion=dict(verdict.champion),
        )

    def _track(self, pool: Pool, outcome: TrainingOutcome) -> None:
        """Tell Azure ML; that it does not listen is no reason to keep a better model from serving."""
        card, verdict, candidate = outcome.card, outcome.verdict, outcome.candidate
        scores: Mapping[str, float] = {**verdict.challenger, **candidate.scores}
        try:
            for name, score in scores.items():
                self.tracker.log(f"{pool.name}.{name}", score)
            for name, score in verdict.champion.items():
                self.tracker.log(f"{pool.name}.champion.{name}", score)
            for name, data in registered_parts(pool, candidate).items():
                self.tracker.register(name, data, {"pool": pool.name, "version": card.version, "sha256": card.sha256})
        except CloudError:
            logger.warning("pool %r: the model could not be shown with the run in Azure ML", pool.name, exc_info=True)


def registered_parts(pool: Pool, candidate: Candidate) -> dict[str, bytes]:
    """Return the model files to register in the workspace, by the names to register them under.

    The workshop's four models keep the names that its users know; any other pool has one model, named for it.
    """
    parameters = candidate.model.forecaster.to_parameters()
    if not isinstance(pool.sizing, ResponseTimeSizing):
        return {f"forescale-{pool.name}": write_model(parameters)}
    names = dict.fromkeys(name.partition(".")[0] for name in parameters)
    return {
        model: write_model({name: array for name, array in parameters.items() if name.startswith(f"{model}.")})
        for model in names
    }


def is_failed(result: RunResult) -> bool:
    """Tell whether the job shall end as failed: a refusal is an answer, a failure is not."""
    return any(pool.stage is PoolStage.FAILED for pool in result.pools.values())
