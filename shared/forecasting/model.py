"""The families of models, by name, and a model in memory: fitted, or published with its card."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np

from shared.demand.history import History
from shared.errors import ModelRefused
from shared.forecasting.boosting import BoostingForecaster
from shared.forecasting.card import ModelCard
from shared.forecasting.features import Floats
from shared.forecasting.forecast import Forecast
from shared.forecasting.forecaster import Forecaster, Parameters
from shared.forecasting.forest import ForestForecaster
from shared.forecasting.history_spec import HistorySpec
from shared.forecasting.response_time import ResponseTimeForecaster
from shared.forecasting.ridge import RidgeForecaster
from shared.forecasting.seasonal_naive import NAIVE_LEVELS, SeasonalNaiveForecaster, naive_quantiles

DEMAND_FAMILIES: tuple[type[Forecaster], ...] = (
    SeasonalNaiveForecaster,
    RidgeForecaster,
    ForestForecaster,
    BoostingForecaster,
)
"""Those that forecast the demand itself and compete with each other, simplest first: a new family is a line here."""
_ALL: tuple[type[Forecaster], ...] = (*DEMAND_FAMILIES, ResponseTimeForecaster)
FAMILIES: Mapping[str, type[Forecaster]] = {family.family: family for family in _ALL}
"""Every family by the name that its cards have."""
NAIVE_VERSION = "seasonal-naive"


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedModel:
    """A fitted model, published or not, and what it expects of a history."""

    forecaster: Forecaster
    spec: HistorySpec

    @property
    def family(self) -> str:
        """The name of its family."""
        return self.forecaster.family

    @property
    def quantile_levels(self) -> Floats:
        """The quantile levels that it forecasts, increasing, shape ``(levels,)``."""
        return self.forecaster.quantile_levels

    def refresh(self, history: History) -> "FittedModel":
        """Return the model with what the history says now; see :meth:`Forecaster.refresh`."""
        return replace(self, forecaster=self.forecaster.refresh(history))

    def check(self, history: History, *, version: str) -> None:
        """Refuse a history of other signals or another step; raises :class:`ModelRefused`."""
        if (history.signals, history.step) != (self.spec.signals, self.spec.step):
            msg = (
                f"model {version} was fitted on {', '.join(self.spec.signals)} every {self.spec.step}, "
                f"the history has {', '.join(history.signals)} every {history.step}: train again"
            )
            raise ModelRefused(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedModel:
    """A published model that loaded well."""

    card: ModelCard
    fitted: FittedModel

    @property
    def size_bytes(self) -> int:
        """What its arrays take in memory."""
        return sum(array.nbytes for array in self.fitted.forecaster.to_parameters().values())

    def refresh(self, history: History) -> "PublishedModel":
        """Return the model with what the history says now; see :meth:`Forecaster.refresh`."""
        return replace(self, fitted=self.fitted.refresh(history))

    def forecast(self, history: History, *, now_utc: datetime) -> Forecast:
        """Forecast the intervals that follow the history.

        Raises :class:`~shared.errors.DemandError` if the history is too short, :class:`ModelRefused` if it is not what
        the model was fitted on or if the model's numbers lead to something that is not a forecast.
        """
        version = self.card.version
        self.fitted.check(history, version=version)
        try:
            with np.errstate(
                over="ignore", invalid="ignore"
            ):  # what comes of it is checked: Forecast takes no infinity
                quantiles = self.fitted.forecaster.quantiles(history)
            return Forecast(
                quantile_levels=self.fitted.quantile_levels,
                quantiles=quantiles,
                first_utc=history.end_utc,
                step=history.step,
                made_at_utc=now_utc,
                model_version=version,
                unit=self.card.unit,
            )
        except ValueError as exc:
            msg = f"model {version} did not answer with a forecast ({exc}): train again"
            raise ModelRefused(msg) from exc


def load_model(card: ModelCard, parameters: Parameters, *, name: str) -> PublishedModel:
    """Return the model of a card from the arrays of its file, trusting neither; ``name`` is the file's, for the error.

    Raises :class:`ModelRefused` for a family, a time zone or a country that nobody knows, and for arrays that are not
    those of the family.
    """
    family = FAMILIES.get(card.family)
    if family is None:
        msg = f"{name} is of the family {card.family!r}, this app knows {', '.join(FAMILIES)}: train again"
        raise ModelRefused(msg)
    spec = HistorySpec(
        signals=card.signals, step=card.step, horizon=card.horizon, timezone=card.timezone, holidays=card.holidays
    )
    try:
        ZoneInfo(spec.timezone)
        forecaster = family.from_parameters(parameters, spec)
    except ModelRefused as exc:
        msg = f"{name}: {exc}: train and publish it again"
        raise ModelRefused(msg) from exc
    except (LookupError, ValueError, NotImplementedError, OSError) as exc:
        msg = f"{name}: the time zone {spec.timezone!r} or the holidays {spec.holidays!r} are not known ({exc})"
        raise ModelRefused(msg) from exc
    return PublishedModel(card=card, fitted=FittedModel(forecaster=forecaster, spec=spec))


def naive_forecast(history: History, *, horizon: int, now_utc: datetime) -> Forecast:
    """Forecast without a published model: what the fallback takes when none can serve."""
    return Forecast(
        quantile_levels=NAIVE_LEVELS,
        quantiles=naive_quantiles(history, horizon=horizon),
        first_utc=history.end_utc,
        step=history.step,
        made_at_utc=now_utc,
        model_version=NAIVE_VERSION,
        unit=history.unit,
    )
