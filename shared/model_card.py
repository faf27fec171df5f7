"""The card beside every published model: what it is, what it rests on, and how it may be checked."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

FORMAT_VERSION = 1


class Family(StrEnum):
    """What kind of model it is: which function of ``shared.model`` forecasts from it."""

    SEASONAL_NAIVE = "seasonal_naive"
    RIDGE = "ridge"
    FOREST = "forest"
    RESPONSE_TIME = "response_time"


class CardPart(BaseModel):
    """Frozen, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, protected_namespaces=())


class TrainingWindow(CardPart):
    """The history that a model was fitted on."""

    start_utc: AwareDatetime
    end_utc: AwareDatetime
    intervals: Annotated[int, Field(ge=1)]


class ModelCard(CardPart):
    """Everything about a published model but the model itself."""

    format_version: int = FORMAT_VERSION
    """Version of this format; another one is refused."""
    pool: str
    version: str
    """Unique in the pool, sorts by time."""
    family: Family
    signals: tuple[str, ...]
    unit: str = ""
    step_s: Annotated[float, Field(gt=0)]
    """Length of an interval, in seconds."""
    horizon: Annotated[int, Field(ge=1)]
    """Intervals ahead that the model forecasts."""
    features: tuple[str, ...] = ()
    libraries: dict[str, str]
    """Versions the model was made with, by distribution name."""
    training: TrainingWindow
    scores: dict[str, float] = {}
    """What it scored on data it had not seen, by name; units in the names."""
    reason: str = ""
    """Why it was made, and how the choice fell."""
    created_at: AwareDatetime
    sha256: str
    """Of the model file, hexadecimal."""
    size_bytes: int

    @property
    def step(self) -> timedelta:
        """Length of an interval."""
        return timedelta(seconds=self.step_s)


class Pointer(CardPart):
    """``models/<pool>/latest.json``: which version serves. Replacing it *is* promotion, or rollback."""

    version: str
    previous: str | None = None
    """The version that served before."""
    since: AwareDatetime
    reason: str = ""


def version_at(created_at: datetime) -> str:
    """Return a version that sorts by time, such as ``20261122T060000Z``."""
    return f"{created_at:%Y%m%dT%H%M%S}Z"
