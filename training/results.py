"""What a training job found out, a blob a run, written by the job as it goes and read by whoever asks."""

from enum import StrEnum

from pydantic import AwareDatetime, BaseModel, ConfigDict

from shared.json_blob import JsonBlob
from shared.ports import Blobs


class PoolStage(StrEnum):
    """How far a job is with one pool."""

    WAITING = "waiting"
    TRAINING = "training"
    PROMOTED = "promoted"
    NOT_PROMOTED = "not_promoted"
    REFUSED = "refused"
    FAILED = "failed"
    UNFINISHED = "unfinished"
    """The run ended, and its job did not say what became of the pool."""

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come of it."""
        return self not in {PoolStage.WAITING, PoolStage.TRAINING}


class PoolResult(BaseModel):
    """What became of one pool; scores by name, units in the names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: PoolStage = PoolStage.WAITING
    why: str = ""
    version: str | None = None
    champion_version: str | None = None
    candidate: dict[str, float] = {}
    champion: dict[str, float] = {}


class RunResult(BaseModel):
    """What became of a run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run_id: str
    pools: dict[str, PoolResult]
    code_version: str = ""
    updated_at: AwareDatetime

    @property
    def progress(self) -> float:
        """Share of the pools that are done, 0 to 1."""
        return sum(result.stage.is_over for result in self.pools.values()) / len(self.pools) if self.pools else 1.0

    def with_pool(self, pool: str, result: PoolResult, *, at: AwareDatetime) -> "RunResult":
        """Return it with one pool's result replaced."""
        return self.model_copy(update={"pools": {**self.pools, pool: result}, "updated_at": at})


class Results:
    """``retraining/results/<run>.json``."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    def read(self, run_id: str) -> RunResult | None:
        """Return what the run's job has written so far; None if it has written nothing, or nothing that can be read."""
        stored = self._of(run_id).read_or(lambda _: None)
        return stored.value if stored else None

    def write(self, result: RunResult) -> None:
        """Replace what was written; a job has one writer, but a service may start its job anew after a lost node."""
        self._of(result.run_id).replace(result)

    def _of(self, run_id: str) -> JsonBlob[RunResult]:
        name = f"retraining/results/{run_id}.json"
        return JsonBlob(blobs=self._blobs, name=name, kind=RunResult, remedy="its job has to run again")
