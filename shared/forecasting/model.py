"""A model in memory: what it holds, how it is packed, and how each family forecasts."""

import importlib.metadata
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, assert_never

import numpy as np
from numpy.typing import NDArray

from shared.demand.history import History
from shared.errors import ModelRefused
from shared.forecasting.card import Family, ModelCard
from shared.forecasting.features import FeatureSpec
from shared.forecasting.forecast import Forecast
from shared.forecasting.mixture import LEVELS, demand_quantiles, demand_quantiles_since, spec_of
from shared.forecasting.response_time import response_time_forecast
from shared.forecasting.seasonal_naive import seasonal_naive
from shared.forecasting.training_set import refreshed

NAIVE_LEVELS = np.array([0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999])
NAIVE_VERSION = "seasonal-naive"
MIDDLE = np.array([0.5])

BAD_CONTENT = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError)
"""What arithmetic on a content that is not its family's may raise."""
TRUSTED = ("sklearn.tree._tree.Tree",)
"""Types that a model file may hold besides those skops itself knows to be harmless."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A fitted model, published or not: its family, the content that the family knows how to use, what it expects."""

    family: Family
    content: Mapping[str, Any]
    signals: tuple[str, ...]
    step: timedelta
    horizon: int

    @property
    def levels(self) -> NDArray[np.float64]:
        """The quantile levels it forecasts, increasing, shape ``(levels,)``."""
        match self.family:
            case Family.SEASONAL_NAIVE:
                return NAIVE_LEVELS
            case Family.RIDGE | Family.BOOSTING | Family.FOREST:
                return LEVELS
            case Family.RESPONSE_TIME:
                return MIDDLE
            case _:
                assert_never(self.family)

    def quantiles(self, history: History) -> NDArray[np.float64]:
        """Forecast the intervals after the history's end: shape ``(horizon, levels)``, in the demand's unit.

        Raises :class:`~shared.errors.DemandError` if the history is too short for it.
        """
        match self.family:
            case Family.SEASONAL_NAIVE:
                return seasonal_naive(history, horizon=self.horizon, levels=self.levels)
            case Family.RIDGE | Family.BOOSTING | Family.FOREST:
                return demand_quantiles(self.content, history, self._spec)
            case Family.RESPONSE_TIME:
                return response_time_forecast(self.content, history)
            case _:
                assert_never(self.family)

    def quantiles_since(self, history: History, *, first: int) -> NDArray[np.float64]:
        """Forecast from every interval since ``first``, each time knowing nothing after it.

        Row ``r`` is what :meth:`quantiles` says to ``history.first(first + r + 1)``; shape ``(rows, horizon, levels)``.
        A row whose past is too short is NaN.
        """
        if self.family in {Family.RIDGE, Family.BOOSTING, Family.FOREST}:
            return demand_quantiles_since(self.content, history, self._spec, first=first)
        rows = np.full((len(history) - first, self.horizon, len(self.levels)), np.nan)
        for row in range(len(rows)):
            rows[row] = self.quantiles(history.first(first + row + 1))
        return rows

    def refreshed(self, history: History) -> "Fitted":
        """Return the model with what the history says now; other families are as they were.

        Raises :class:`~shared.errors.TrainingRefused` if the history is too short for it.
        """
        if self.family is not Family.FOREST:
            return self
        return replace(self, content=refreshed(self.content, history, self._spec))

    @property
    def _spec(self) -> FeatureSpec:
        return spec_of(self.content, step=self.step, horizon=self.horizon)

    def check(self, history: History, *, version: str) -> None:
        """Refuse a history of other signals or another step; raises :class:`ModelRefused`."""
        if (history.signals, history.step) != (self.signals, self.step):
            msg = (
                f"model {version} was fitted on {', '.join(self.signals)} every {self.step}, "
                f"the history has {', '.join(history.signals)} every {history.step}: train again"
            )
            raise ModelRefused(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A published model that loaded well."""

    card: ModelCard
    fitted: Fitted

    def refreshed(self, history: History) -> "Model":
        """Return the model with what the history says now; see :meth:`Fitted.refreshed`.

        Raises :class:`ModelRefused` too, if its content is not what its family needs.
        """
        try:
            return replace(self, fitted=self.fitted.refreshed(history))
        except BAD_CONTENT as exc:
            msg = f"model {self.card.version} could not be refreshed ({type(exc).__name__}: {exc}): train again"
            raise ModelRefused(msg) from exc

    def forecast(self, history: History, *, now_utc: datetime) -> Forecast:
        """Forecast the intervals that follow the history.

        Raises :class:`~shared.errors.DemandError` if the history is too short, :class:`ModelRefused` if it is not what
        the model was fitted on or if the model answers with something that is no forecast.
        """
        version = self.card.version
        self.fitted.check(history, version=version)
        try:
            return Forecast(
                levels=self.fitted.levels,
                values=self.fitted.quantiles(history),
                first_utc=history.end_utc,
                step=history.step,
                made_at_utc=now_utc,
                model_version=version,
                unit=self.card.unit,
            )
        except BAD_CONTENT as exc:
            msg = f"model {version} answered with no forecast ({type(exc).__name__}: {exc}): train again"
            raise ModelRefused(msg) from exc


def loaded(card: ModelCard, data: bytes, *, name: str) -> Model:
    """Return the model of a card from the bytes of its file, trusting neither.

    Raises :class:`ModelRefused` for another scikit-learn, a type that is not trusted, or a file that cannot be read.
    """
    check_libraries(card)
    fitted = Fitted(
        family=card.family,
        content=unpack(data, name=name),
        signals=card.signals,
        step=card.step,
        horizon=card.horizon,
    )
    return Model(card=card, fitted=fitted)


def naive_forecast(history: History, *, horizon: int, now_utc: datetime) -> Forecast:
    """Forecast without a published model: the third rung of the fallback ladder."""
    return Forecast(
        levels=NAIVE_LEVELS,
        values=seasonal_naive(history, horizon=horizon, levels=NAIVE_LEVELS),
        first_utc=history.end_utc,
        step=history.step,
        made_at_utc=now_utc,
        model_version=NAIVE_VERSION,
        unit=history.unit,
    )


def pack(content: Mapping[str, Any]) -> bytes:
    """Return the bytes of a model file."""
    import skops.io  # noqa: PLC0415 - the timer's import path stays free of scikit-learn

    data: bytes = skops.io.dumps(dict(content), compression=zipfile.ZIP_DEFLATED, compresslevel=9)
    return data


def unpack(data: bytes, *, name: str) -> Mapping[str, Any]:
    """Return the content of a model file; raises :class:`ModelRefused` naming the first type that is not trusted."""
    import skops.io  # noqa: PLC0415 - the timer's import path stays free of scikit-learn

    try:
        untrusted = sorted(set(skops.io.get_untrusted_types(data=data)) - set(TRUSTED))
        content = None if untrusted else skops.io.loads(data, trusted=list(TRUSTED))
    except Exception as exc:
        msg = f"{name} is no readable model file ({type(exc).__name__}: {exc}): train and publish it again"
        raise ModelRefused(msg) from exc
    if untrusted:
        msg = f"{name} holds the untrusted type {untrusted[0]}: train and publish it again"
        raise ModelRefused(msg)
    if not isinstance(content, dict):
        msg = f"{name} holds a {type(content).__name__}, not a model's content: train and publish it again"
        raise ModelRefused(msg)
    return content


def check_libraries(card: ModelCard) -> None:
    """Refuse a model whose scikit-learn is of another minor version: its inner state may mean other things there."""
    made_with = card.libraries.get("scikit-learn", "")
    here = importlib.metadata.version("scikit-learn")
    if made_with.split(".")[:2] != here.split(".")[:2]:
        msg = f"model {card.version} was made with scikit-learn {made_with or 'unknown'}, here is {here}: train again"
        raise ModelRefused(msg)
