"""Fitted models of each family, small and quick to make."""

from typing import Any

from shared.demand.history import History
from shared.forecasting.file_format import read_model, write_model
from shared.forecasting.forest import ForestForecaster, ForestSettings
from shared.forecasting.model import FAMILIES, FittedModel, PublishedModel, load_model
from shared.forecasting.training_set import TrainingSet
from tests.builders import draft_card

SMALL_FORESTS = (
    ForestSettings(share=0.65, linear=True, trees=3, leaves=20),
    ForestSettings(share=0.35, linear=False, trees=2, leaves=20),
)
DEMAND_FAMILIES = ("seasonal_naive", "ridge", "boosting", "forest")
"""The families that forecast the demand itself."""


def training_set_on(history: History, *, horizon: int = 3, timezone: str = "UTC", holidays: str = "") -> TrainingSet:
    """What a model of that many intervals ahead is fitted on."""
    return TrainingSet(history=history, horizon=horizon, timezone=timezone, holidays=holidays)


def fitted(family: str, training_set: TrainingSet) -> FittedModel:
    """A model of that family; a forest has five trees."""
    forecaster = (
        ForestForecaster.fit(training_set, SMALL_FORESTS) if family == "forest" else FAMILIES[family].fit(training_set)
    )
    return FittedModel(forecaster=forecaster, spec=training_set.history_spec)


def published(model: FittedModel, **card: Any) -> PublishedModel:
    """The model as a store gives it: through its file, with a card that fits it."""
    spec = model.spec
    drafted = draft_card(
        **{
            "family": model.family,
            "signals": spec.signals,
            "step_s": spec.step.total_seconds(),
            "horizon": spec.horizon,
            "timezone": spec.timezone,
            "holidays": spec.holidays,
            **card,
        }
    )
    return load_model(drafted, read_model(write_model(model.forecaster.to_parameters()), name="m"), name="m")
