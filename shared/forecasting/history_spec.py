"""What a model and a history must have in common."""

from dataclasses import dataclass
from datetime import timedelta

from shared.forecasting.features import FeatureSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class HistorySpec:
    """What a model expects of a history, and for how many intervals after it the model forecasts.

    ``timezone`` is an IANA name; ``holidays`` an ISO 3166 country with an optional subdivision (``ES``, ``DE-BY``), or
    empty. Both matter only to families that look at the calendar.
    """

    signals: tuple[str, ...]
    step: timedelta
    horizon: int
    timezone: str = "UTC"
    holidays: str = ""

    def feature_spec(self, *, floor: float) -> FeatureSpec:
        """Return how the features of such a history are computed."""
        return FeatureSpec(
            step=self.step, horizon=self.horizon, floor=floor, timezone=self.timezone, holidays=self.holidays
        )
