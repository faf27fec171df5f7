"""What is compared: each method's name, how it is run, and what must be computed anew when it changes."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from dev.bench.boosted import light_gbm
from dev.bench.holt_winters import holt_winters
from dev.bench.nixtla import auto_ets, mstl
from dev.bench.policies import (
    ANY_WINDOW_MIN,
    Setting,
    as_yesterday,
    at_70,
    by_forecast,
    by_forescale,
    with_hindsight,
)
from dev.bench.prophet_peer import prophet
from dev.bench.trace import Trace
from scaler.replay.baselines import POD_AUTOSCALER_WINDOWS_MIN

FORESCALE = "forescale"
HINDSIGHT = "reactive_hindsight"

Run = Callable[[Trace, Setting], dict[str, Any]]
"""Returns the scores (as :class:`Scorecard` names them) and whatever else is worth keeping in the raw results."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A method, and what its results depend on: files (as globs from the repository's root) and packages."""

    key: str
    title: str
    how: str
    run: Run
    sources: tuple[str, ...]
    packages: tuple[str, ...] = ()
    hindsight: bool = False


_PROTOCOL = ("dev/bench/trace.py", "dev/bench/policies.py", "scaler/replay/scorecard.py")
_ROLLING = (*_PROTOCOL, "dev/bench/rolling.py")
_REACTIVE = (*_PROTOCOL, "scaler/replay/baselines.py")

_REPLAY = ("shared/**/*.py", "scaler/**/*.py", "training/**/*.py")
"""Whole packages, so that no file of ours that a replay comes to need is forgotten here."""

METHODS = (
    Method(
        key="reactive_70",
        title="reactive 70 %",
        how="`ceil(demand / 0.7 / units_per_node)`, scale-in after 5 minutes; what most clusters do today",
        run=at_70,
        sources=_REACTIVE,
    ),
    Method(
        key=HINDSIGHT,
        title="reactive, hindsight",
        how="the cheapest constant headroom and scale-in window, chosen afterwards to meet the SLO; windows up to one "
        "hour, the most that a pod autoscaler accepts; headroom bisected up to 1000",
        run=partial(with_hindsight, windows_min=POD_AUTOSCALER_WINDOWS_MIN),
        sources=_REACTIVE,
        hindsight=True,
    ),
    Method(
        key="reactive_any_window",
        title="reactive, hindsight, any window",
        how="the same with windows up to two days: no autoscaler offers it, and it is the hardest hindsight to beat",
        run=partial(with_hindsight, windows_min=ANY_WINDOW_MIN),
        sources=_REACTIVE,
        hindsight=True,
    ),
    Method(
        key="seasonal_naive",
        title="seasonal naive, hindsight",
        how="max(now, yesterday's values over the lead window) times the cheapest constant headroom, chosen afterwards",
        run=as_yesterday,
        sources=(*_ROLLING, "scaler/replay/baselines.py"),
        hindsight=True,
    ),
    Method(
        key="holt_winters",
        title="Holt-Winters",
        how="additive trend, additive one-day season, normal interval; parameters fitted daily on the last 28 days, "
        "state updated every interval",
        run=partial(by_forecast, uppers=holt_winters),
        sources=(*_ROLLING, "dev/bench/holt_winters.py"),
        packages=("statsmodels",),
    ),
    Method(
        key="auto_ets",
        title="AutoETS",
        how="its own prediction interval; components and parameters chosen daily on the last 28 days, `forward` every "
        "interval; the package holds no season longer than 24, so only hourly series have one",
        run=partial(by_forecast, uppers=auto_ets),
        sources=(*_ROLLING, "dev/bench/nixtla.py"),
        packages=("statsforecast",),
    ),
    Method(
        key="mstl",
        title="MSTL",
        how="day and (from two weeks of history on) week, its own prediction interval; decomposed and fitted daily on "
        "the last 28 days, the trend forecaster carried `forward` every interval",
        run=partial(by_forecast, uppers=mstl),
        sources=(*_ROLLING, "dev/bench/nixtla.py"),
        packages=("statsforecast", "statsmodels"),
    ),
    Method(
        key="prophet",
        title="Prophet",
        how="its own prediction interval; fitted daily on all of the past, gaps left as gaps",
        run=partial(by_forecast, uppers=prophet, needs_trace=True),
        sources=(*_ROLLING, "dev/bench/prophet_peer.py"),
        packages=("prophet",),
    ),
    Method(
        key="light_gbm",
        title="LightGBM quantile",
        how="`mlforecast`, quantile objective at the SLO, 200 trees for each interval ahead; lags, rolling mean and "
        "maximum, daily and weekly lags, time of day and weekday; fitted daily on all of the past",
        run=partial(by_forecast, uppers=light_gbm, needs_trace=True),
        sources=(*_ROLLING, "dev/bench/boosted.py"),
        packages=("lightgbm", "mlforecast"),
    ),
    Method(
        key=FORESCALE,
        title="Forescale",
        how="`python -m scaler replay`: refitted weekly, refreshed daily, no per-series settings",
        run=by_forescale,
        sources=(*_PROTOCOL, *_REPLAY),
        packages=("numpy", "scikit-learn"),
    ),
)
