"""What a caller asks for: the API parses it, the store of runs keeps it, a job receives it."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

ChangeReason = Annotated[str, Field(min_length=1, max_length=500)]
"""Why somebody changes something, in words of theirs."""


class RetrainRequest(BaseModel):
    """Retraining of some pools, or of all that the pools file has."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    pools: Literal["all"] | Annotated[tuple[str, ...], Field(min_length=1)] = "all"
    """Names from the pools file, or `all`."""
    reason: ChangeReason = "asked for over HTTP"
    """Why, for people; it goes onto the job's tags."""
    force: bool = False
    """Let the result serve, whatever the verdict."""

    @property
    def pool_names(self) -> tuple[str, ...]:
        """The names, none for "all"."""
        return () if self.pools == "all" else self.pools

    @property
    def digest(self) -> str:
        """SHA-256 of what is asked for; the order of the pools makes no difference."""
        content = json.dumps([sorted(self.pool_names), self.reason, self.force])
        return hashlib.sha256(content.encode()).hexdigest()

    def for_pools(self, pools: Sequence[str]) -> "RetrainRequest":
        """Return the same request for these pools only, each once."""
        return self.model_copy(update={"pools": tuple(dict.fromkeys(pools))})


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks, and the key under which asking again means the same request."""

    name: str = "http"
    """``http``, or ``watch_models``."""
    key: str = ""

    @property
    def key_digest(self) -> str:
        """SHA-256 of the key, empty without one; a key may be anything, and is nobody else's business."""
        return hashlib.sha256(self.key.encode()).hexdigest() if self.key else ""
