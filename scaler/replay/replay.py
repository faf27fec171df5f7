"""Walks through past demand as if it were happening: the same ``decide`` as in a tick, models refitted as time goes by.

Nothing ever sees the future: a model is fitted on what was known at its origin, a forecast on what was known at its
interval, and the decision on both.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from scaler.core.decide import decide
from scaler.core.memory import Memory
from scaler.core.miss_price import MissPriceState
from scaler.core.plausibility import check_demand
from scaler.core.pool import PoolState, Provisioning
from scaler.core.reasons import Reason
from scaler.core.situation import Situation
from scaler.replay.scorecard import Workload
from shared.demand.history import History
from shared.errors import ConfigurationError, DemandError, TrainingRefused
from shared.forecasting.forecast import Forecast, repair_quantiles
from shared.forecasting.metrics import SCORED_LEVELS
from shared.forecasting.model import FittedModel, naive_forecast
from shared.pools import CapacitySizing, Pool

REFIT_EVERY = timedelta(days=7)
REFRESH_EVERY = timedelta(days=1)
RECENT = timedelta(days=2)
"""History that a decision is given; what it judges anew is the last interval."""
WARM_UP_SHARE = 0.4
"""Share of the training part that is walked through before scoring begins, so that the price of a miss is learnt."""
SHOWN_LEVEL = 0.99

Fit = Callable[[Pool, History], FittedModel]
Progress = Callable[[int, int, str], None]
"""Takes the intervals done, the intervals in all, and what is being done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayResult:
    """What was decided, and what had been forecast, for each interval of the history; NaN before the first decision.

    ``desired[i]`` was decided after interval ``i``. ``median[i]`` and ``upper[i]`` are the forecast *for* interval
    ``i`` at the last moment to order nodes for it, one lead time before; ``upper`` is at the SLO's level,
    ``scored_quantiles[i]`` at ``SCORED_LEVELS``. ``miss_price`` is what was learnt by the end.
    """

    workload: Workload
    desired: NDArray[np.float64]
    median: NDArray[np.float64]
    upper: NDArray[np.float64]
    scored_quantiles: NDArray[np.float64]
    miss_price: MissPriceState
    refits: int
    families: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestWindows:
    """Where decisions begin, where scoring begins, and before which intervals a model is fitted, all as indices.

    What lies between ``begins`` and ``scored_from`` is decided too, so that the price of a miss is learnt.
    """

    begins: int
    scored_from: int
    origins: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Block:
    """A stretch of intervals served by one model: fitted at its beginning, or only refreshed."""

    first: int
    stop: int
    fits: bool


def replay(
    history: History, pool: Pool, *, fit: Fit, evaluate_from: float = 0.5, progress: Progress = lambda *_: None
) -> ReplayResult:
    """Walk through the history and return the decisions; the part from ``evaluate_from`` on (a share) is scored.

    Raises :class:`ConfigurationError` if the share leaves nothing to learn from or nothing to score.
    """
    scored_from = int(len(history) * evaluate_from)
    begins = int(scored_from * (1 - WARM_UP_SHARE))
    if begins < 1 or scored_from >= len(history):
        msg = f"scoring from {evaluate_from:g} of {len(history)} intervals leaves nothing to learn from or to score"
        raise ConfigurationError(msg)
    weekly = range(scored_from, len(history), max(1, round(REFIT_EVERY / history.step)))
    windows = BacktestWindows(begins=begins, scored_from=scored_from, origins=frozenset({begins, *weekly}))
    return backtest(history, pool, windows, fit=fit, progress=progress)


def backtest(
    history: History, pool: Pool, windows: BacktestWindows, *, fit: Fit, progress: Progress = lambda *_: None
) -> ReplayResult:
    """Decide through the windows of a history; see :func:`replay`."""
    sizing = pool.sizing
    if not isinstance(sizing, CapacitySizing):
        msg = f"pool {pool.name!r} is sized by response time: only capacity can be replayed"
        raise ConfigurationError(msg)
    run = _Backtest(history, pool)
    for block in _blocks(history, windows):
        progress(block.first, len(history), "fitting" if block.fits else "deciding")
        if block.fits:
            run.fit(fit, block.first)
        else:
            run.refresh(block.first)
        if block.first == windows.scored_from:
            run.open_budget()
        run.decide_through(block)
    workload = Workload(
        demand=history.demand,
        units_per_node=sizing.units_per_node,
        lead_intervals=run.lead,
        first=windows.scored_from,
    )
    return run.result(workload)


def _blocks(history: History, windows: BacktestWindows) -> Iterator[_Block]:
    """Cut the history: a fit at each origin, a refresh every day once scoring has begun."""
    daily = range(windows.scored_from, len(history), max(1, round(REFRESH_EVERY / history.step)))
    cuts = sorted(cut for cut in windows.origins.union(daily) if cut < len(history))
    for first, stop in pairwise([*cuts, len(history)]):
        yield _Block(first=first, stop=stop, fits=first in windows.origins)


class _Backtest:
    """The state of a replay as it goes: what was decided so far and what is remembered."""

    def __init__(self, history: History, pool: Pool) -> None:
        self.lead = pool.lead_intervals(history.step)
        self._history = history
        self._pool = pool
        self._memory = Memory()
        self._setting = pool.min_nodes
        self._recent = max(2, round(RECENT / history.step))
        self._desired = np.full(len(history), np.nan)
        self._median = np.full(len(history) + self.lead + 1, np.nan)
        self._upper = np.full(len(history) + self.lead + 1, np.nan)
        self._scored = np.full((len(history) + self.lead + 1, len(SCORED_LEVELS)), np.nan)
        self._model: FittedModel | None = None
        self._families: list[str] = []

    def fit(self, fit: Fit, origin: int) -> None:
        """Fit on what was known at ``origin``; with too little to learn from, go on without a model."""
        try:
            self._model = fit(self._pool, self._history.first(origin))
        except TrainingRefused:
            self._model = None
        self._families.append("none" if self._model is None else self._model.family)

    def refresh(self, origin: int) -> None:
        """Let the model take in what was known at ``origin``, as a tick does once a day."""
        if self._model is not None:
            with contextlib.suppress(TrainingRefused):
                self._model = self._model.refresh(self._history.first(origin))

    def open_budget(self) -> None:
        """Start the budget of misses anew: the warm-up teaches prices, its misses are nobody's."""
        state = replace(self._memory.miss_price, debt_misses=0.0, allowed_misses=0.0, intervals=0, misses=0)
        self._memory = replace(self._memory, miss_price=state)

    def decide_through(self, block: _Block) -> None:
        """Decide after each interval of the block."""
        known = self._history.first(block.stop)
        rows = None if self._model is None else self._model.forecaster.historical_forecasts(known, first=block.first)
        for offset, interval in enumerate(range(block.first, block.stop)):
            past = self._history.first(interval + 1)
            plausibility, believed = check_demand(self._memory.plausibility, past)
            self._memory = replace(self._memory, plausibility=plausibility)
            if plausibility.doubt is None:
                forecast = self._forecast(past, None if rows is None else rows[offset])
            else:
                forecast = self._forecast_without(believed, until_utc=past.end_utc)
            self._decide(interval, believed, forecast)

    def result(self, workload: Workload) -> ReplayResult:
        """Return what was decided; before the first decision that one stands."""
        desired = self._desired
        begins = int(np.flatnonzero(~np.isnan(desired))[0])
        desired[:begins] = desired[begins]
        return ReplayResult(
            workload=workload,
            desired=desired,
            median=self._median[: len(desired)],
            upper=self._upper[: len(desired)],
            scored_quantiles=self._scored[: len(desired)],
            miss_price=self._memory.miss_price,
            refits=len(self._families),
            families=tuple(dict.fromkeys(self._families)),
        )

    def _forecast(self, past: History, row: NDArray[np.float64] | None) -> Forecast | None:
        model = self._model
        if model is None or row is None or np.isnan(row).any():
            try:
                return naive_forecast(past, horizon=self.lead + 1, now_utc=past.end_utc)
            except DemandError:
                return None
        return Forecast(
            quantile_levels=model.quantile_levels,
            quantiles=repair_quantiles(row),
            first_utc=past.end_utc,
            step=past.step,
            made_at_utc=past.end_utc,
            model_version=model.family,
        )

    def _forecast_without(self, believed: History, *, until_utc: datetime) -> Forecast | None:
        """Forecast from the demand that is believed, and reach as far as a tick would."""
        rows = (
            None
            if self._model is None
            else self._model.forecaster.historical_forecasts(believed, first=len(believed) - 1)
        )
        forecast = self._forecast(believed, None if rows is None else rows[0])
        return forecast and forecast.extended_to(until_utc + self._pool.lead_time + believed.step)

    def _decide(self, interval: int, believed: History, forecast: Forecast | None) -> None:
        decision, self._memory = decide(
            Situation(
                pool=self._pool,
                state=PoolState(nodes=self._setting, provisioning=Provisioning.READY),
                memory=self._memory,
                now_utc=self._history.instant(interval + 1),
                history=believed.last(self._recent),
                forecast=forecast,
                forecast_reasons=(Reason.MODEL,),
            )
        )
        self._setting = decision.desired_nodes
        self._desired[interval] = decision.desired_nodes
        if forecast is not None and len(forecast) > self.lead:
            sizing = self._pool.sizing
            level = sizing.slo if isinstance(sizing, CapacitySizing) else SHOWN_LEVEL
            served = interval + self.lead + 1
            shown = np.interp((*SCORED_LEVELS, level), forecast.quantile_levels, forecast.quantiles[self.lead])
            self._scored[served], self._median[served], self._upper[served] = shown[:-1], shown[0], shown[-1]
