"""What a training job found out, a blob a run, written by the job as it goes and read by whoever asks."""

from enum import StrEnum

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from shared.errors import BlobChanged, BlobNotFound
from shared.ports import Blobs, read_whole


class PoolStage(StrEnum):
    """How far a job is with one pool."""

    WAITING = "waiting"
    TRAINING = "training"
    PROMOTED = "promoted"
    NOT_PROMOTED = "not_promoted"
    REFUSED = "refused"
    FAILED = "failed"

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
        """Return what the run's job has written so far, if it has, and if it can be read."""
        try:
            return RunResult.model_validate_json(read_whole(self._blobs, _name(run_id)).data)
        except (BlobNotFound, ValidationError):
            return None

    def write(self, result: RunResult) -> None:
        """Replace what was written; a job has one writer, but a service may start its job anew after a lost node."""
        data = result.model_dump_json(indent=1).encode()
        for _ in range(3):
            try:
                etag = read_whole(self._blobs, _name(result.run_id)).etag
            except BlobNotFound:
                etag = None
            try:
                self._blobs.write(_name(result.run_id), data, if_etag=etag)
            except BlobChanged:
                continue
            return
        msg = f"{_name(result.run_id)} is written by two jobs at once"
        raise BlobChanged(msg)


def _name(run_id: str) -> str:
    return f"retraining/results/{run_id}.json"
