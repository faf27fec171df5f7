"""What one tick did with one pool: everything needed to see, explain and recompute the decision."""

from dataclasses import dataclass
from typing import Any

from scaler.core.decide import Decision
from scaler.core.override import Override
from scaler.core.pool import Operation
from scaler.core.reasons import Reason

RECORDED_LEVELS = (0.5, 0.9, 0.99)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A decision, and what asking for it met with.

    ``operation`` is the resize that the platform accepted, ``outcome`` how asking for one went (None: nothing was
    asked). ``notes`` are for whoever reads the decision, ``error`` is what a person must see to.
    """

    decision: Decision
    run_id: str
    operation: Operation | None = None
    outcome: Reason | None = None
    notes: tuple[str, ...] = ()
    error: str = ""

    @property
    def applied(self) -> bool:
        """Whether the platform accepted the resize."""
        return self.operation is not None

    @property
    def refused(self) -> bool:
        """Whether a resize was asked for and not accepted."""
        return self.outcome is not None and self.operation is None

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Every step of the decision, and how asking for it went."""
        return (*self.decision.reasons, *((self.outcome,) if self.outcome else ()))

    def fields(self) -> dict[str, Any]:
        """Return the record as plain JSON values, instants as ISO 8601, without NaN."""
        decision = self.decision
        return {
            "run_id": self.run_id,
            "pool": decision.pool,
            "at": decision.at_utc.isoformat(),
            "mode": decision.mode.value,
            "current_nodes": decision.current_nodes,
            "desired_nodes": decision.desired_nodes,
            "scaled_field": decision.resize.scaled_field.value if decision.resize else None,
            "applied": self.applied,
            "operation": _operation_fields(self.operation),
            "reasons": [reason.value for reason in self.reasons],
            "guards": [
                {"guard": effect.guard.value, "before": effect.before, "after": effect.after}
                for effect in decision.guards
            ],
            "overrides": [_override_fields(override) for override in decision.overrides],
            "numbers": dict(decision.numbers),
            "forecast": _forecast_fields(decision),
            "notes": list(self.notes),
            "error": self.error,
        }


def _operation_fields(operation: Operation | None) -> dict[str, Any] | None:
    if operation is None:
        return None
    return {
        "handle": operation.handle,
        "nodes": operation.resize.nodes,
        "started_at": operation.started_at.isoformat(),
    }


def _override_fields(override: Override) -> dict[str, Any]:
    return {
        "min_nodes": override.min_nodes,
        "max_nodes": override.max_nodes,
        "paused": override.paused,
        "until": override.until_utc.isoformat(),
        "by": override.by,
        "reason": override.reason,
    }


def _forecast_fields(decision: Decision) -> dict[str, Any] | None:
    """The forecast in short: the middle and the upper quantiles of each interval, its age and its model."""
    forecast = decision.forecast
    if forecast is None:
        return None
    return {
        "model_version": forecast.model_version,
        "unit": forecast.unit,
        "first": forecast.first_utc.isoformat(),
        "step_s": forecast.step.total_seconds(),
        "age_s": (decision.at_utc - forecast.made_at_utc).total_seconds(),
        **{f"q{level:g}": [round(float(value), 6) for value in forecast.quantile(level)] for level in RECORDED_LEVELS},
    }
