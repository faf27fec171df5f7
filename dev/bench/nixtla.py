"""AutoETS and MSTL of ``statsforecast``, with their own prediction intervals."""

from typing import Any

import numpy as np

from dev.bench.rolling import Block, Floats

LONGEST_ETS_SEASON = 24
"""``statsforecast``, like R's ``ets``, holds no longer season: for shorter steps than an hour AutoETS goes without."""
JUMPS_A_DAY = 10
"""LOESS is evaluated ten times a day and interpolated between, as R's ``stl`` does by default."""


def auto_ets(block: Block, *, slo: float) -> Floats:
    """Return the upper quantiles of AutoETS after each decision: components chosen at the fit, then carried forward."""
    from statsforecast.models import AutoETS  # noqa: PLC0415 - a peer's package

    season = block.per_day if block.per_day <= LONGEST_ETS_SEASON else 1
    model = AutoETS(season_length=season).fit(block.training)
    return _forwarded(model, block.known[block.training_from :], block, slo=slo)


def mstl(block: Block, *, slo: float) -> Floats:
    """Return the upper quantiles of MSTL after each decision.

    Between fits the seasons repeat themselves, as in the model's own forecasts, and its trend forecaster (AutoETS
    without a season) is carried forward over what remains of the demand without them.
    """
    from statsforecast.models import MSTL  # noqa: PLC0415 - a peer's package

    training = block.training
    day, week = block.per_day, 7 * block.per_day
    jump = max(1, day // JUMPS_A_DAY)
    seasons = [day, week] if len(training) >= 2 * week else [day]
    model = MSTL(season_length=seasons, stl_kwargs={"trend_jump": jump, "low_pass_jump": jump}).fit(training)
    parts = model.model_
    adjusted = parts["trend"].to_numpy() + parts["remainder"].to_numpy()
    ahead = len(block.known) - len(training) - block.training_from + block.horizon
    repeated = [
        _repeated(parts["seasonal" if len(seasons) == 1 else f"seasonal{length}"].to_numpy(), length, ahead)
        for length in seasons
    ]
    seasonal: Floats = np.sum(repeated, axis=0)
    later = block.known[block.first + 1 :]
    without = np.concatenate([adjusted, later - seasonal[: len(later)]])
    uppers = _forwarded(model.trend_forecaster, without, block, slo=slo)
    coming: Floats = np.lib.stride_tricks.sliding_window_view(seasonal, block.horizon)[: len(uppers)]
    return uppers + coming


def _forwarded(model: Any, values: Floats, block: Block, *, slo: float) -> Floats:  # noqa: ANN401 - a peer's class
    """Filter the values with the fitted parameters, forecasting after each decision."""
    level = round(100 * (2 * slo - 1), 6)
    known_at = range(block.first + 1 - block.training_from, len(values) + 1)
    rows = [model.forward(values[:known], h=block.horizon, level=[level]) for known in known_at]
    return np.array([row[f"hi-{level}"] for row in rows])


def _repeated(season: Floats, length: int, ahead: int) -> Floats:
    return np.resize(season[-length:], ahead)
