"""The workshop's four models: completion time from the counts, and each count from its own past."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from shared.demand.history import History
from shared.demand.workshop_log import COUNTS, SIGNALS
from shared.errors import DemandError, TrainingRefused
from shared.forecasting.features import Floats
from shared.forecasting.forecaster import Parameters
from shared.forecasting.history_spec import HistorySpec
from shared.forecasting.parameter_reader import ParameterReader
from shared.forecasting.training_set import TrainingSet

COMPLETION_TIME = "avg_completion_time"
WINDOW_DAYS: Mapping[str, int] = {"admin_users": 5, "config_users": 7, "end_users": 21}
"""Days of its own past that each count's autoregression looks at (the workshop's values)."""
TRAINING_SHARE = 0.8
"""The workshop's split: the first 80 % of the days train, the rest test."""
MIDDLE = np.array([0.5])


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearModel:
    """An ordinary least squares regression; ``coefficients`` has shape ``(columns,)``."""

    coefficients: Floats
    intercept: float

    def predict(self, rows: Floats) -> Floats:
        """Return one number a row; ``rows`` has shape ``(rows, columns)``."""
        predicted: Floats = rows @ self.coefficients + self.intercept
        return predicted

    def r2(self, rows: Floats, outcome: Floats) -> float:
        """Return the share of the outcome's variance that the model explains, 1 at best; of none it explains 0."""
        unexplained = float(((outcome - self.predict(rows)) ** 2).sum())
        variation = float(((outcome - outcome.mean()) ** 2).sum())
        return 1.0 - unexplained / variation if variation > 0 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseTimeForecaster:
    """The completion time of the next interval, the middle only; ``models`` has ``COMPLETION_TIME`` and each count."""

    family: ClassVar[str] = "response_time"

    models: Mapping[str, LinearModel]

    @property
    def quantile_levels(self) -> Floats:
        """See :class:`Forecaster`."""
        return MIDDLE

    @property
    def feature_names(self) -> tuple[str, ...]:
        """See :class:`Forecaster`."""
        return COUNTS

    @classmethod
    def shortfall(cls, history: History) -> str:
        """See :class:`Forecaster`."""
        if set(history.signals) != set(SIGNALS):
            return f"a response-time pool needs the signals {', '.join(SIGNALS)}; the history has {history.signals}"
        if np.isnan(history.values).any():
            day = history.instant(int(np.argwhere(np.isnan(history.values))[0][0]))
            return f"the log has no complete row for {day.date()}: the workshop's models need every day"
        cut, longest = _cut(history), max(WINDOW_DAYS.values())
        if min(cut, len(history) - cut) <= longest + 1:
            return f"{len(history)} days are too few: the longest window is {longest} days on both sides of the split"
        return ""

    @classmethod
    def fit(cls, training_set: TrainingSet) -> Self:
        """Fit ordinary least squares for the completion time, and one autoregression for each count.

        Trains on the first ``TRAINING_SHARE`` of the days. Raises :class:`TrainingRefused`.
        """
        history = training_set.history
        shortfall = cls.shortfall(history)
        if shortfall:
            raise TrainingRefused(shortfall)
        pairs = _pairs(history.first(_cut(history)))
        return cls(models={name: _fit_linear(rows, outcome) for name, (rows, outcome) in pairs.items()})

    def refresh(self, history: History) -> Self:
        """Return itself: the workshop's models are fitted once."""
        del history
        return self

    def r2(self, history: History) -> dict[str, float]:
        """Return each model's R² on the days that it was not fitted on; a test window lies wholly in those."""
        pairs = _pairs(history.last(len(history) - _cut(history)))
        return {name: self.models[name].r2(rows, outcome) for name, (rows, outcome) in pairs.items()}

    def next_counts(self, history: History) -> dict[str, float]:
        """Forecast each count for the interval after the history, from the most recent window of that same count.

        Raises :class:`DemandError` for a count whose window is incomplete.
        """
        return {count: float(self.models[count].predict(_window(history, count)[np.newaxis, :])[0]) for count in COUNTS}

    def completion_time(self, counts: Mapping[str, float]) -> float:
        """Return the completion time in seconds that the counts lead to; never below zero."""
        row = np.array([[counts[count] for count in COUNTS]])
        return max(0.0, float(self.models[COMPLETION_TIME].predict(row)[0]))

    def quantiles(self, history: History) -> Floats:
        """Return the completion time of the next interval in seconds, shape ``(1, 1)``; see :class:`Forecaster`."""
        return np.array([[self.completion_time(self.next_counts(history))]])

    def historical_forecasts(self, history: History, *, first: int) -> Floats:
        """See :class:`Forecaster`."""
        ends = range(first + 1, len(history) + 1)
        return np.array([self.quantiles(history.first(end)) for end in ends]).reshape(len(ends), 1, 1)

    def to_parameters(self) -> Parameters:
        """See :class:`Forecaster`."""
        return {
            **{f"{name}.coefficients": model.coefficients for name, model in self.models.items()},
            **{f"{name}.intercept": np.array(model.intercept) for name, model in self.models.items()},
        }

    @classmethod
    def from_parameters(cls, parameters: Parameters, spec: HistorySpec) -> Self:
        """See :class:`Forecaster`."""
        del spec
        reader = ParameterReader(parameters, family=cls.family)
        models = {
            name: LinearModel(
                coefficients=reader.take(f"{name}.coefficients", np.float64, (width,)),
                intercept=reader.number(f"{name}.intercept"),
            )
            for name, width in {COMPLETION_TIME: len(COUNTS), **WINDOW_DAYS}.items()
        }
        reader.finish()
        return cls(models=models)


def _cut(history: History) -> int:
    """Return how many days train."""
    return int(len(history) * TRAINING_SHARE)


def _pairs(history: History) -> dict[str, tuple[Floats, Floats]]:
    """Return what each model looks at, ``(rows, columns)``, and what comes of it, ``(rows,)``."""
    counts = history.values[:, [history.signals.index(count) for count in COUNTS]]
    seconds = history.values[:, history.signals.index(SIGNALS[0])]
    pairs: dict[str, tuple[Floats, Floats]] = {COMPLETION_TIME: (counts, seconds)}
    for column, count in enumerate(COUNTS):
        series, days = counts[:, column], WINDOW_DAYS[count]
        pairs[count] = (np.lib.stride_tricks.sliding_window_view(series, days)[:-1], series[days:])
    return pairs


def _fit_linear(rows: Floats, outcome: Floats) -> LinearModel:
    from sklearn.linear_model import LinearRegression  # not at the top: a tick forecasts without scikit-learn

    model = LinearRegression().fit(rows, outcome)
    return LinearModel(coefficients=np.asarray(model.coef_, dtype=np.float64), intercept=float(model.intercept_))


def _window(history: History, count: str) -> Floats:
    days = WINDOW_DAYS[count]
    window = history.last(days).values[:, history.signals.index(count)]
    if len(window) < days or np.isnan(window).any():
        msg = f"{count} needs its last {days} days complete, {np.isfinite(window).sum()} are known"
        raise DemandError(msg)
    return window
