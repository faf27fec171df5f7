"""Which families a history is long enough for, and the model to fit where nothing is judged.

It stands here, and not in ``training``, because a replay fits models as it goes, and must not know of training
(docs/decisions/0003). Which family is best on a pool's own demand is for ``training.selection`` to find out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from shared.demand.history import History
from shared.errors import TrainingRefused
from shared.forecasting.forest import ForestForecaster
from shared.forecasting.model import DEMAND_FAMILIES, FAMILIES, FittedModel
from shared.forecasting.response_time import ResponseTimeForecaster
from shared.forecasting.ridge import RidgeForecaster
from shared.forecasting.seasonal_naive import MIN_KNOWN, SeasonalNaiveForecaster
from shared.forecasting.training_set import TrainingSet
from shared.pools import Pool, ResponseTimeSizing

PREFERRED = (ForestForecaster.family, RidgeForecaster.family, SeasonalNaiveForecaster.family)
"""What is fitted where nothing is judged; docs/decisions/0002 has what speaks for the forests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Eligibility:
    """The families that may compete, simplest first, and why the others may not."""

    families: tuple[str, ...]
    left_out: Mapping[str, str]

    @property
    def preferred(self) -> str:
        """The family to fit where nothing is judged."""
        return next(family for family in PREFERRED if family in self.families)

    @property
    def reason(self) -> str:
        """Why families were left out, for the card; empty if none was."""
        return "; ".join(self.left_out.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFit:
    """A fitted model, and what a person may want to read about how it was chosen."""

    model: FittedModel
    reason: str = ""


def eligible_families(history: History, *, pool: str) -> Eligibility:
    """Return which families of demand models the history is enough for.

    Raises :class:`TrainingRefused` if it is enough for none, or has nothing to learn: unknown, or always the same.
    """
    demand = history.demand[np.isfinite(history.demand)]
    if len(demand) < MIN_KNOWN:
        msg = f"{pool}: {len(demand)} intervals of demand are known, a forecast needs {MIN_KNOWN}"
        raise TrainingRefused(msg)
    if demand.min() == demand.max():
        msg = f"{pool}: the demand is {demand[0]:g} in all of {len(demand)} intervals: nothing to learn from"
        raise TrainingRefused(msg)
    shortfalls = {family.family: family.shortfall(history) for family in DEMAND_FAMILIES}
    return Eligibility(
        families=tuple(family for family, shortfall in shortfalls.items() if not shortfall),
        left_out={family: shortfall for family, shortfall in shortfalls.items() if shortfall},
    )


def training_set_of(pool: Pool, history: History) -> TrainingSet:
    """Return what a pool's models are fitted on; a response time is forecast for the next interval alone."""
    return TrainingSet(
        history=history,
        horizon=1 if isinstance(pool.sizing, ResponseTimeSizing) else pool.horizon(history.step),
        timezone=pool.calendar.timezone,
        holidays=pool.calendar.holidays or "",
    )


def fit_family(pool: Pool, training_set: TrainingSet, family: str) -> FittedModel:
    """Fit one family; raises :class:`TrainingRefused` saying what the history lacks."""
    if family != ResponseTimeForecaster.family:
        left_out = eligible_families(training_set.history, pool=pool.name).left_out
        if family in left_out:
            raise TrainingRefused(left_out[family])
    return FittedModel(forecaster=FAMILIES[family].fit(training_set), spec=training_set.history_spec)


def fit_preferred(pool: Pool, history: History) -> ModelFit:
    """Fit the family that is preferred for the pool's sizing and the length of its history.

    A family that the history is too short for after all gives way to the seasonal naive, with a reason.
    Raises :class:`TrainingRefused` saying what the history lacks.
    """
    training_set = training_set_of(pool, history)
    if isinstance(pool.sizing, ResponseTimeSizing):
        return ModelFit(model=fit_family(pool, training_set, ResponseTimeForecaster.family))
    eligibility = eligible_families(history, pool=pool.name)
    preferred, naive = eligibility.preferred, SeasonalNaiveForecaster.family
    if preferred != naive:
        try:
            return ModelFit(model=fit_family(pool, training_set, preferred))
        except TrainingRefused as exc:
            eligibility = replace(eligibility, left_out={**eligibility.left_out, preferred: str(exc)})
    return ModelFit(model=fit_family(pool, training_set, naive), reason=eligibility.reason)
