"""From a pool's history to a published model: fit, score, draft the card."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np

from scaler.core.orders import lead_intervals
from shared.errors import TrainingRefused
from shared.model import Fitted
from shared.model_card import Family, ModelCard, TrainingWindow, version_at
from shared.model_store import ModelStore, library_versions
from shared.pools import Pool, ResponseTimeSizing
from shared.refresh import rows_of
from shared.response_time import response_time_forecast
from shared.seasonal_naive import LEAST_KNOWN
from shared.series import History
from training.candidates import feature_spec, fit_forests
from training.response_time import fit_response_time


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A fitted model that is not yet published."""

    fitted: Fitted
    scores: Mapping[str, float] = field(default_factory=dict)
    features: tuple[str, ...] = ()
    reason: str = ""


def fit(pool: Pool, history: History) -> Candidate:
    """Fit the model that the pool's sizing needs; raises :class:`TrainingRefused` saying what the history lacks."""
    if isinstance(pool.sizing, ResponseTimeSizing):
        fitted = fit_response_time(history)
        scores = {f"r2_{name}": score for name, score in fitted.r2.items()}
        scores["next_completion_time_s"] = float(response_time_forecast(fitted.models, history)[0, 0])
        return Candidate(fitted=_fitted(Family.RESPONSE_TIME, fitted.models, history, horizon=1), scores=scores)
    horizon = lead_intervals(pool.lead_time, history.step) + 1
    try:
        calendar = {"timezone": pool.calendar.timezone, "holidays": pool.calendar.holidays or ""}
        rows = rows_of(history, feature_spec(history, horizon=horizon, calendar=calendar))
    except TrainingRefused as exc:
        return _naive(pool, history, horizon=horizon, why=str(exc))
    content = fit_forests(rows)
    return Candidate(fitted=_fitted(Family.FOREST, content, history, horizon=horizon))


def _naive(pool: Pool, history: History, *, horizon: int, why: str) -> Candidate:
    """Return the candidate for short histories; raises :class:`TrainingRefused` if even that has too little."""
    known = int(np.isfinite(history.demand).sum())
    if known < LEAST_KNOWN:
        msg = f"{pool.name}: {known} intervals of demand are known, a forecast needs {LEAST_KNOWN}"
        raise TrainingRefused(msg)
    return Candidate(fitted=_fitted(Family.SEASONAL_NAIVE, {}, history, horizon=horizon), reason=why)


def publish(store: ModelStore, pool: Pool, history: History, candidate: Candidate, *, now_utc: datetime) -> ModelCard:
    """Store the candidate beside its card; it serves only once it is promoted."""
    draft = ModelCard(
        pool=pool.name,
        version=version_at(now_utc),
        family=candidate.fitted.family,
        signals=history.signals,
        unit=history.unit,
        step_s=history.step.total_seconds(),
        horizon=candidate.fitted.horizon,
        features=candidate.features,
        libraries=library_versions(),
        training=TrainingWindow(start_utc=history.start_utc, end_utc=history.end_utc, intervals=len(history)),
        scores=dict(candidate.scores),
        reason=candidate.reason,
        created_at=now_utc,
        sha256="",
        size_bytes=0,
    )
    return store.publish(draft, candidate.fitted.content)


def _fitted(family: Family, content: Mapping[str, Any], history: History, *, horizon: int) -> Fitted:
    return Fitted(family=family, content=content, signals=history.signals, step=history.step, horizon=horizon)
