"""A published model in memory: what it holds, how it is packed, and how each family forecasts."""

import importlib.metadata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, assert_never

import numpy as np

from shared.errors import ModelRefused
from shared.forecast import Forecast
from shared.model_card import Family, ModelCard
from shared.response_time import response_time_forecast
from shared.seasonal_naive import seasonal_naive
from shared.series import History

NAIVE_LEVELS = np.array([0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999])
NAIVE_VERSION = "seasonal-naive"
MIDDLE = np.array([0.5])

TRUSTED = (
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn._loss.link.IdentityLink",
    "sklearn._loss.link.Interval",
    "sklearn._loss.loss.PinballLoss",
    "sklearn._loss.loss.HalfSquaredError",
)
"""Types that a model file may hold besides those skops itself knows to be harmless."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model that loaded well: its card, and the content that its family knows how to use."""

    card: ModelCard
    content: Mapping[str, Any]

    def forecast(self, history: History, *, now_utc: datetime) -> Forecast:
        """Forecast the intervals that follow the history; scikit-learn is imported only for families that need it.

        Raises :class:`DemandError` if the history is not what the model was fitted on or too short,
        :class:`ModelRefused` if the model answers with something that is no forecast.
        """
        card = self.card
        if (history.signals, history.step) != (card.signals, card.step):
            msg = (
                f"model {card.version} was fitted on {card.signals} every {card.step}, "
                f"the history has {history.signals} every {history.step}: train again"
            )
            raise ModelRefused(msg)
        match card.family:
            case Family.SEASONAL_NAIVE:
                levels = NAIVE_LEVELS
                values = seasonal_naive(history, horizon=card.horizon, levels=levels)
            case Family.RESPONSE_TIME:
                levels = MIDDLE
                values = response_time_forecast(self.content, history)
            case _:
                assert_never(card.family)
        try:
            return Forecast(
                levels=levels,
                values=values,
                first_utc=history.end_utc,
                step=history.step,
                made_at_utc=now_utc,
                model_version=card.version,
                unit=card.unit,
            )
        except ValueError as exc:
            msg = f"model {card.version} answered with no forecast: {exc}"
            raise ModelRefused(msg) from exc


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

    data: bytes = skops.io.dumps(dict(content))
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
    """Refuse a model whose scikit-learn is of another minor version: its pickled inner state may mean other things."""
    made_with = card.libraries.get("scikit-learn", "")
    here = importlib.metadata.version("scikit-learn")
    if made_with.split(".")[:2] != here.split(".")[:2]:
        msg = f"model {card.version} was made with scikit-learn {made_with or 'unknown'}, here is {here}: train again"
        raise ModelRefused(msg)
