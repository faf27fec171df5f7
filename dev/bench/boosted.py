"""LightGBM with the quantile objective: features and direct forecasts by ``mlforecast``."""

from datetime import UTC

import numpy as np

from dev.bench.rolling import Block, Floats
from dev.bench.trace import Trace

RECENT_LAGS = (1, 2, 3, 4, 6, 12)
SEED = 7


def light_gbm(trace: Trace, block: Block, *, slo: float) -> Floats:
    """Return the upper quantiles of LightGBM after each decision.

    ``mlforecast`` makes the features of all decisions in one pass; each row holds lags only, so that none knows more
    than it may. All of the past is trained on.
    """
    import pandas as pd  # noqa: PLC0415 - a peer's package
    from lightgbm import LGBMRegressor  # noqa: PLC0415 - a peer's package
    from mlforecast import MLForecast  # noqa: PLC0415 - a peer's package
    from mlforecast.lag_transforms import RollingMax, RollingMean  # noqa: PLC0415 - a peer's package

    start = trace.history.start_utc.astimezone(UTC).replace(tzinfo=None)
    # One more row than is known: the features after the last decision stand in the row of the interval that follows.
    values = np.append(block.known, block.known[-1])
    stamps = pd.date_range(start, periods=len(values), freq=trace.history.step)
    frame = pd.DataFrame({"unique_id": 0, "ds": stamps, "y": values})
    model = LGBMRegressor(objective="quantile", alpha=slo, n_estimators=200, verbosity=-1, n_jobs=1, random_state=SEED)
    pipeline = MLForecast(
        models={"upper": model},
        freq=f"{trace.step_min:g}min",
        lags=_lags(block),
        lag_transforms={1: [RollingMean(window_size=12), RollingMax(window_size=12)]},
        date_features=["dayofweek", _minute_of_day],
    )
    pipeline.fit(frame.iloc[: block.first + 1], max_horizon=block.horizon)
    features = pipeline.preprocess(frame, dropna=False)
    rows = features.iloc[block.first + 1 :][pipeline.ts.features_order_]
    return np.column_stack([model.predict(rows) for _, model in sorted(pipeline.models_["upper"].items())])


def _lags(block: Block) -> list[int]:
    """Return the recent lags, and those a day and a week before the lead window where the history reaches back."""
    seasons = [days * block.per_day for days in (1, 7) if block.first >= 2 * days * block.per_day]
    around = [season + offset for season in seasons for offset in range(-block.horizon, 2)]
    return sorted({*RECENT_LAGS, *(lag for lag in around if lag > 0)})


def _minute_of_day(stamps: "object") -> "object":
    return stamps.hour * 60 + stamps.minute  # type: ignore[attr-defined]
