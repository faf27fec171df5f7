"""One line a pool a tick: everything needed to see, explain and recompute a decision."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scaler.core.decide import Decision
from scaler.core.reasons import Reason
from shared.forecasting.forecast import Forecast
from shared.ports import Blobs, read_whole

SHOWN_LEVELS = (0.5, 0.9, 0.99)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A decision, whether it was applied, and what applying it met with."""

    decision: Decision
    run_id: str
    applied: bool = False
    notes: tuple[str, ...] = ()
    outcome: Reason | None = None
    error: str = ""

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Every step of the decision, and how applying it went."""
        return (*self.decision.reasons, *((self.outcome,) if self.outcome else ()))

    def fields(self) -> dict[str, Any]:
        """Return the record as plain JSON values, instants as ISO 8601, NaN-free."""
        decision = self.decision
        return {
            "run_id": self.run_id,
            "pool": decision.pool,
            "at": decision.at_utc.isoformat(),
            "mode": decision.mode.value,
            "current_nodes": decision.current_nodes,
            "desired_nodes": decision.desired_nodes,
            "lever": decision.resize.lever.value if decision.resize else None,
            "applied": self.applied,
            "reasons": [reason.value for reason in self.reasons],
            "numbers": dict(decision.numbers),
            "forecast": _told(decision.forecast, decision),
            "notes": list(self.notes),
            "error": self.error,
        }


class DecisionLog:
    """``decisions/<pool>/<date>.jsonl``: append blobs, so that two writers never lose a line.

    A retried append may leave a line twice; ``run_id`` and ``pool`` tell.
    """

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    def add(self, fields: Mapping[str, Any]) -> None:
        """Append one record."""
        line = json.dumps(fields, allow_nan=False, separators=(",", ":")) + "\n"
        self._blobs.append(_name(str(fields["pool"]), str(fields["at"])[:10]), line.encode())

    def of_day(self, pool: str, date: str) -> list[dict[str, Any]]:
        """Return the records of a UTC date (``2026-11-22``), oldest first; raises ``BlobNotFound`` if it has none."""
        return [json.loads(line) for line in read_whole(self._blobs, _name(pool, date)).data.splitlines()]

    def days(self, pool: str) -> list[str]:
        """Return the UTC dates that have records, oldest first."""
        prefix = f"decisions/{pool}/"
        return [name.removeprefix(prefix).removesuffix(".jsonl") for name in self._blobs.names(prefix)]


def _name(pool: str, date: str) -> str:
    return f"decisions/{pool}/{date}.jsonl"


def _told(forecast: Forecast | None, decision: Decision) -> dict[str, Any] | None:
    """The forecast in short: the middle and the upper quantiles of each interval, its age and its model."""
    if forecast is None:
        return None
    return {
        "model_version": forecast.model_version,
        "unit": forecast.unit,
        "first": forecast.first_utc.isoformat(),
        "step_s": forecast.step.total_seconds(),
        "age_s": (decision.at_utc - forecast.made_at_utc).total_seconds(),
        **{f"q{level:g}": [round(float(value), 6) for value in forecast.quantile(level)] for level in SHOWN_LEVELS},
    }
