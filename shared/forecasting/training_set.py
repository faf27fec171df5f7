"""What a family is fitted on: features and targets of a history, computed when first asked for and then kept.

Several families are fitted on one set; a family that looks at no features never pays for them.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from shared.demand.history import History
from shared.errors import TrainingRefused
from shared.forecasting.features import (
    LOOK_BACK,
    FeatureSpec,
    Floats,
    Ints,
    feature_names,
    features_of,
    targets,
)
from shared.forecasting.history_spec import HistorySpec
from shared.forecasting.parameters import FLOOR_SHARE, MAX_TRAINING_DAYS, MIN_TRAINING_ROWS


@dataclass(frozen=True, kw_only=True)
class TrainingSet:
    """A history, and for how many intervals ahead a model of it shall forecast.

    ``floor`` is the one of :class:`FeatureSpec`: None for a share of this history's mean, or that of the model that is
    refreshed. Whatever needs features raises :class:`TrainingRefused` if the history has too few rows, or if its
    demand is nowhere above zero.
    """

    history: History
    horizon: int
    timezone: str = "UTC"
    holidays: str = ""
    floor: float | None = None

    @classmethod
    def for_refresh(cls, history: History, spec: FeatureSpec) -> "TrainingSet":
        """Return the set whose features are those that a model was fitted on."""
        return cls(
            history=history,
            horizon=spec.horizon,
            timezone=spec.timezone,
            holidays=spec.holidays,
            floor=spec.floor,
        )

    @property
    def history_spec(self) -> HistorySpec:
        """What a model fitted on this set expects of a history."""
        return HistorySpec(
            signals=self.history.signals,
            step=self.history.step,
            horizon=self.horizon,
            timezone=self.timezone,
            holidays=self.holidays,
        )

    @cached_property
    def feature_spec(self) -> FeatureSpec:
        """How the features are computed."""
        return self.history_spec.feature_spec(floor=self._learnt_floor() if self.floor is None else self.floor)

    @property
    def features(self) -> Floats:
        """The features of each row, shape ``(rows, columns)``, NaN where unknown."""
        return self._rows.features

    @property
    def targets(self) -> Floats:
        """The log-ratios of the demand 1 to ``horizon`` intervals ahead to the demand now: ``(rows, horizon)``."""
        return self._rows.targets

    @property
    def intervals(self) -> Ints:
        """Each row's place on the grid: rows whose future is unknown are left out."""
        return self._rows.intervals

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The names of the columns of ``features``."""
        return feature_names(self.feature_spec)

    def faded(self, half_life_days: float) -> Floats:
        """Return weights of the rows that halve with each half-life."""
        weights: Floats = 0.5 ** (self._rows.age_days / half_life_days)
        return weights

    @cached_property
    def _rows(self) -> "_Rows":
        """The rows of the last ``MAX_TRAINING_DAYS`` whose present and whole future are known.

        The first day is left out where there are more: its lags look at nothing.
        """
        spec = self.feature_spec
        longest = MAX_TRAINING_DAYS * spec.per_day
        recent = self.history.last(longest + spec.intervals(LOOK_BACK))
        features = features_of(recent, spec)
        ahead = targets(features, spec.horizon)
        rows = np.arange(len(recent))
        chosen = np.isfinite(ahead).all(axis=1) & np.isfinite(features.log_demand)
        chosen &= rows >= max(len(recent) - longest, min(spec.per_day, len(recent) // 4))
        if chosen.sum() < MIN_TRAINING_ROWS:
            msg = f"{chosen.sum()} intervals with a known future are too few to fit on: {MIN_TRAINING_ROWS} are needed"
            raise TrainingRefused(msg)
        return _Rows(
            features=features.matrix[chosen],
            targets=ahead[chosen],
            age_days=(len(recent) - rows[chosen]) / spec.per_day,
            intervals=rows[chosen],
        )

    def _learnt_floor(self) -> float:
        known = self.history.demand[np.isfinite(self.history.demand)]
        mean = float(known.mean()) if len(known) else 0.0
        if not mean > 0:
            msg = "the demand is unknown or zero everywhere: there is nothing to learn from"
            raise TrainingRefused(msg)
        return FLOOR_SHARE * mean


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    features: Floats
    targets: Floats
    age_days: Floats
    intervals: Ints
