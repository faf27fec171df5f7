"""The card beside every published model: what it is, what it rests on, and how it may be checked."""

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

FORMAT_VERSION = 1
MAX_HORIZON = 10_000
"""Four hours, the longest lead time, in steps of a second and a half."""
MAX_STEP_S = 31 * 86_400.0


class CardPart(BaseModel):
    """Frozen, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, protected_namespaces=())


class TrainingWindow(CardPart):
    """The history that a model was fitted on."""

    start_utc: AwareDatetime
    end_utc: AwareDatetime
    intervals: Annotated[int, Field(ge=1)]


class PriceTable(CardPart):
    """What a replay of recent demand taught about the price of a miss, for a pool that remembers nothing yet.

    See ``scaler.core.miss_price``: ``missed`` are the fading misses of each price's plan, out of ``seen`` intervals.
    """

    missed: tuple[Annotated[float, Field(ge=0, allow_inf_nan=False)], ...]
    seen: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    units_per_node: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    """Prices are in nodes: with nodes of another size the table says nothing."""


class Trial(CardPart):
    """How one model did over the demand that the verdict rests on, which it had not seen."""

    name: str
    """The family, or the version of the champion."""
    scores: dict[str, float]


class ModelCard(CardPart):
    """Everything about a published model but the model itself."""

    format_version: int = FORMAT_VERSION
    """Version of this format; another one is refused."""
    pool: str
    version: str
    """Unique in the pool, sorts by time."""
    family: Annotated[str, Field(min_length=1, max_length=40)]
    """What kind of model it is: a name in the table of `shared.forecasting.model`."""
    signals: tuple[str, ...]
    unit: str = ""
    step_s: Annotated[float, Field(ge=1e-3, le=MAX_STEP_S)]
    """Length of an interval, in seconds."""
    horizon: Annotated[int, Field(ge=1, le=MAX_HORIZON)]
    """Intervals ahead that the model forecasts."""
    timezone: str
    """IANA name of the zone whose days and weeks the model knows."""
    holidays: str
    """Country whose public holidays the model knows (`ES`, `DE-BY`), or empty."""
    features: tuple[str, ...] = ()
    """What the model looks at, in order; empty where its family has no features."""
    forescale: str = ""
    """Version of Forescale that made it."""
    libraries: dict[str, str]
    """Versions that the model was made with, by distribution name; for people, nothing depends on them."""
    training: TrainingWindow
    scores: dict[str, float] = {}
    """What it promises: its scores on demand it had not seen, by name; units in the names (docs/training.md)."""
    trials: tuple[Trial, ...] = ()
    """All that competed with it, over the same demand."""
    prices: PriceTable | None = None
    """What its replay learnt; it calibrates a pool's first ticks."""
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
