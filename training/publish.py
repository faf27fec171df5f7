"""From a pool's history to a published model: fit, score, draft the card."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from shared.demand.history import History
from shared.errors import TrainingRefused
from shared.forecasting.card import Family, ModelCard, PriceTable, TrainingWindow, Trial, version_at
from shared.forecasting.model import Fitted
from shared.forecasting.response_time import response_time_forecast
from shared.forecasting.store import ModelStore, library_versions
from shared.forecasting.training_set import Rows, rows_of
from shared.pools import Pool, ResponseTimeSizing
from shared.version import VERSION
from training.candidates import feature_spec, fit_boosting, fit_forests, fit_ridge
from training.families import eligible
from training.response_time import fit_response_time

FITS: Mapping[Family, Callable[[Rows], Mapping[str, Any]]] = {
    Family.RIDGE: fit_ridge,
    Family.BOOSTING: fit_boosting,
    Family.FOREST: fit_forests,
}
"""How each family of demand models is fitted; the seasonal naive has nothing to fit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A fitted model that is not yet published, and what its card will say of it."""

    fitted: Fitted
    scores: Mapping[str, float] = field(default_factory=dict)
    features: tuple[str, ...] = ()
    reason: str = ""
    trials: tuple[Trial, ...] = ()
    prices: PriceTable | None = None


def fit(pool: Pool, history: History, *, family: Family | None = None) -> Candidate:
    """Fit one family on the whole history: the one named, or the best that the history is long enough for.

    Raises :class:`TrainingRefused` saying what the history lacks.
    """
    if isinstance(pool.sizing, ResponseTimeSizing):
        fitted = fit_response_time(history)
        scores = {f"r2_{name}": score for name, score in fitted.r2.items()}
        scores["next_completion_time_s"] = float(response_time_forecast(fitted.models, history)[0, 0])
        return Candidate(fitted=fitted_of(Family.RESPONSE_TIME, fitted.models, history, horizon=1), scores=scores)
    horizon = pool.horizon(history.step)
    able = eligible(history, pool=pool.name)
    chosen = able.preferred if family is None else family
    if chosen in able.left_out:
        raise TrainingRefused(able.left_out[chosen])
    if chosen is not Family.SEASONAL_NAIVE:
        try:
            return _demand_model(chosen, pool, history, horizon=horizon)
        except TrainingRefused as exc:
            if family is not None:
                raise
            able = replace(able, left_out={**able.left_out, chosen: str(exc)})
    naive = fitted_of(Family.SEASONAL_NAIVE, {}, history, horizon=horizon)
    return Candidate(fitted=naive, reason=able.told)


def _demand_model(family: Family, pool: Pool, history: History, *, horizon: int) -> Candidate:
    calendar = {"timezone": pool.calendar.timezone, "holidays": pool.calendar.holidays or ""}
    rows = rows_of(history, feature_spec(history, horizon=horizon, calendar=calendar))
    return Candidate(fitted=fitted_of(family, FITS[family](rows), history, horizon=horizon))


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
        forescale=VERSION,
        libraries=library_versions(),
        training=TrainingWindow(start_utc=history.start_utc, end_utc=history.end_utc, intervals=len(history)),
        scores=dict(candidate.scores),
        trials=candidate.trials,
        prices=candidate.prices,
        reason=candidate.reason,
        created_at=now_utc,
        sha256="",
        size_bytes=0,
    )
    return store.publish(draft, candidate.fitted.content)


def fitted_of(family: Family, content: Mapping[str, Any], history: History, *, horizon: int) -> Fitted:
    """Return a content as a model for what the history looks like."""
    return Fitted(family=family, content=content, signals=history.signals, step=history.step, horizon=horizon)
