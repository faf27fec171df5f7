"""What an operator said for a while: a floor, a ceiling or a pause, until an instant."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """One operator's word for one pool, or for all of them, until an instant.

    ``min_nodes`` and ``max_nodes`` bind what is asked for; ``paused`` forbids every resize. ``by`` says who set it,
    ``reason`` why.
    """

    until_utc: datetime
    by: str
    reason: str
    set_at_utc: datetime
    min_nodes: int | None = None
    max_nodes: int | None = None
    paused: bool = False

    def __post_init__(self) -> None:
        """Refuse an override that says nothing, or that contradicts itself."""
        if self.min_nodes is None and self.max_nodes is None and not self.paused:
            msg = "an override needs min_nodes, max_nodes or paused: this one changes nothing"
            raise ValueError(msg)
        if self.min_nodes is not None and self.max_nodes is not None and self.min_nodes > self.max_nodes:
            msg = f"min_nodes ({self.min_nodes}) must not exceed max_nodes ({self.max_nodes})"
            raise ValueError(msg)

    def is_active(self, now_utc: datetime) -> bool:
        """Return whether it still counts."""
        return now_utc < self.until_utc
