"""From a pool's history to a published model: fit, score, draft the card."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

from shared.demand.history import History
from shared.forecasting.card import ModelCard, PriceTable, TrainingWindow, Trial, version_at
from shared.forecasting.eligibility import fit_family, fit_preferred, training_set_of
from shared.forecasting.model import FittedModel
from shared.forecasting.response_time import ResponseTimeForecaster
from shared.forecasting.store import ModelStore, library_versions
from shared.pools import Pool
from shared.version import VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A fitted model that is not yet published, and what its card will say of it."""

    model: FittedModel
    scores: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""
    trials: tuple[Trial, ...] = ()
    prices: PriceTable | None = None


def fit_candidate(pool: Pool, history: History, *, family: str | None = None) -> Candidate:
    """Fit one family on the whole history: the one named, or the one preferred where nothing is judged.

    Raises :class:`~shared.errors.TrainingRefused` saying what the history lacks.
    """
    if family is not None:
        return Candidate(model=fit_family(pool, training_set_of(pool, history), family))
    preferred = fit_preferred(pool, history)
    return Candidate(
        model=preferred.model,
        scores=_response_time_scores(preferred.model, history),
        reason=preferred.reason,
    )


def publish(store: ModelStore, pool: Pool, history: History, candidate: Candidate, *, now_utc: datetime) -> ModelCard:
    """Store the candidate beside its card; it serves only once it is promoted."""
    spec, forecaster = candidate.model.spec, candidate.model.forecaster
    draft = ModelCard(
        pool=pool.name,
        version=_free_version(store, pool, now_utc),
        family=forecaster.family,
        signals=spec.signals,
        unit=history.unit,
        step_s=spec.step.total_seconds(),
        horizon=spec.horizon,
        timezone=spec.timezone,
        holidays=spec.holidays,
        features=forecaster.feature_names,
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
    return store.publish(draft, forecaster.to_parameters())


def _free_version(store: ModelStore, pool: Pool, now_utc: datetime) -> str:
    """Return the version of this second, or of the first later one that no model has: trainings may share a second."""
    taken = set(store.versions(pool.name))
    seconds = (version_at(now_utc + timedelta(seconds=later)) for later in count())
    return next(version for version in seconds if version not in taken)


def _response_time_scores(model: FittedModel, history: History) -> dict[str, float]:
    """Return what the workshop measured of its models, if this is one of them."""
    if not isinstance(model.forecaster, ResponseTimeForecaster):
        return {}
    scores = {f"r2_{name}": score for name, score in model.forecaster.r2(history).items()}
    return {**scores, "next_completion_time_s": float(model.forecaster.quantiles(history)[0, 0])}
