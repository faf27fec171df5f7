"""Valid values for tests to start from: each has defaults, a test names only what it is about."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from scaler.core.pool import AutoscalerBounds, PoolState, Provisioning
from shared.demand.history import History
from shared.forecasting.card import ModelCard, TrainingWindow
from shared.forecasting.forecast import Forecast
from shared.forecasting.store import library_versions
from shared.pools import Pool, read_pools
from training.request import RetrainRequest

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
"""A Monday noon."""
STEP = timedelta(minutes=5)
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999)


def pool_json(**changes: Any) -> dict[str, Any]:
    """A pool as a pools file has it: 100 units a node, 1 to 20 nodes, free to act."""
    return {
        "name": "web",
        "mode": "act",
        "min_nodes": 1,
        "max_nodes": 20,
        "lead_time_min": 10,
        "demand": {"source": "blob", "path": "demand.csv"},
        "sizing": {"kind": "capacity", "units_per_node": 100, "slo": 0.99},
        **changes,
    }


def pools_file(*pools: dict[str, Any]) -> bytes:
    """A pools file with these pools, or with one."""
    return json.dumps({"pools": list(pools) or [pool_json()]}).encode()


def pool(**changes: Any) -> Pool:
    """A pool, typed."""
    return read_pools(pools_file(pool_json(**changes)))[0]


def workshop_json(**changes: Any) -> dict[str, Any]:
    """The workshop's pool as a pools file has it."""
    return {
        "name": "workshop",
        "mode": "act",
        "min_nodes": 1,
        "max_nodes": 2,
        "demand": {"source": "blob", "path": "log_data.pkl"},
        "sizing": {"kind": "response_time", "sla_s": 50, "threshold_s": 20, "step_nodes": 1},
        **changes,
    }


def history(values: Sequence[float], *, end_utc: datetime = NOW, step: timedelta = STEP) -> History:
    """Demand that ends at ``end_utc``."""
    return History(
        start_utc=end_utc - len(values) * step, step=step, values=np.array(values, dtype=np.float64)[:, np.newaxis]
    )


def flat(value: float, *, intervals: int = 600, end_utc: datetime = NOW) -> History:
    """Demand that never changes."""
    return history([value] * intervals, end_utc=end_utc)


def forecast(
    peak: float, *, intervals: int = 6, spread: float = 0.0, first_utc: datetime = NOW, made_at_utc: datetime = NOW
) -> Forecast:
    """A forecast of ``peak`` for every interval, its quantiles ``spread`` apart."""
    row = peak + spread * np.arange(len(LEVELS))
    return Forecast(
        quantile_levels=np.array(LEVELS),
        quantiles=np.tile(row, (intervals, 1)),
        first_utc=first_utc,
        step=STEP,
        made_at_utc=made_at_utc,
        model_version="20261122T000000Z",
    )


def state(nodes: int = 5, *, autoscaled_to: int | None = None, busy: bool = False, system: bool = False) -> PoolState:
    """A node pool as it was read; ``autoscaled_to`` gives it an autoscaler whose floor is ``nodes``."""
    return PoolState(
        nodes=nodes,
        provisioning=Provisioning.BUSY if busy else Provisioning.READY,
        autoscaler=None if autoscaled_to is None else AutoscalerBounds(min_count=nodes, max_count=autoscaled_to),
        is_system=system,
        etag="1",
    )


def draft_card(**changes: Any) -> ModelCard:
    """A card for a model without parameters of its own, on 5-minute demand."""
    return ModelCard.model_validate(
        {
            "pool": "web",
            "version": "20261122T000000Z",
            "family": "seasonal_naive",
            "signals": ("demand",),
            "step_s": STEP.total_seconds(),
            "horizon": 6,
            "timezone": "UTC",
            "holidays": "",
            "libraries": library_versions(),
            "training": TrainingWindow(start_utc=NOW - timedelta(days=1), end_utc=NOW, intervals=288),
            "created_at": NOW,
            "sha256": "",
            "size_bytes": 0,
            **changes,
        }
    )


def retrain_request(*pools: str, reason: str = "a test") -> RetrainRequest:
    """A request for these pools, or for ``web``."""
    return RetrainRequest(pools=pools or ("web",), reason=reason)
