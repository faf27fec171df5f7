"""Walks of weeks with a model that never learns (the seasonal naive): what comes right is the doing of the price."""

from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import TypeAdapter

from scaler.core.decide import decide
from scaler.core.memory import Memory
from scaler.core.pool import PoolState, Provisioning
from scaler.core.reasons import Reason
from scaler.core.situation import Situation
from scaler.replay.scorecard import Workload, scored
from shared.forecasting.forecast import Forecast
from shared.pools import CapacitySizing, Pool
from tests.builders import draft_card, pool
from tests.demand import HALF_HOUR, daily, history_of

SLO = 0.95
POOL = pool(
    lead_time_min=30,
    max_nodes=1000,
    sizing={"kind": "capacity", "units_per_node": 20, "slo": SLO},
    scale_in={"stabilisation_min": 0, "max_nodes_per_tick": 1000},
    scale_out={"max_nodes_per_tick": 1000},
)
LEVELS = np.array([0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999])
NORMAL = np.array([-1.645, -0.674, 0.0, 0.674, 1.282, 1.645, 2.054, 2.326, 2.576, 3.09])
DAY = 48
MEMORY = TypeAdapter(Memory)


class Walked(NamedTuple):
    desired: NDArray[np.float64]
    memory: Memory

    def attained(self, demand: NDArray[np.float64], *, first: int) -> float:
        workload = Workload(demand=demand, units_per_node=20, lead_intervals=1, first=first)
        return scored(workload, self.desired[: len(demand)]).attained


def walk(
    demand: NDArray[np.float64],
    *,
    sd: float = 0.1,
    restart_every: int = 10**9,
    versions: tuple[str, ...] = ("one",),
    for_pool: Pool = POOL,
) -> Walked:
    """Decide after each interval with yesterday's demand and a spread of ``sd`` as the forecast, right or wrong."""
    history, memory, nodes = history_of(demand), Memory(), 50
    desired = np.empty(len(demand))
    usual = np.concatenate([np.full(DAY, np.nan), demand])
    for interval in range(len(demand)):
        past = history.first(interval + 1)
        middle = usual[interval + 1 : interval + 3]
        middle = np.where(np.isnan(middle), np.nan_to_num(demand[interval], nan=1000.0), middle)
        decision, memory = decide(
            Situation(
                pool=for_pool,
                state=PoolState(nodes=nodes, provisioning=Provisioning.READY),
                memory=memory,
                now_utc=past.end_utc,
                history=past.last(6),
                forecast=Forecast(
                    quantile_levels=LEVELS,
                    quantiles=middle[:, np.newaxis] * np.exp(sd * NORMAL),
                    first_utc=past.end_utc,
                    step=HALF_HOUR,
                    made_at_utc=past.end_utc,
                    model_version="test",
                ),
                forecast_reasons=(Reason.MODEL,),
                card=draft_card(version=versions[interval * len(versions) // len(demand)]),
            )
        )
        nodes = decision.desired_nodes
        desired[interval] = nodes
        memory = MEMORY.validate_json(MEMORY.dump_json(memory)) if interval % restart_every == 0 else memory
    return Walked(desired, memory)


@cache
def steady() -> NDArray[np.float64]:
    return daily(21, noise=0.07, weekend=1.0)


@cache
def walked_steadily() -> Walked:
    return walk(steady())


@pytest.mark.slow
def test_a_forecast_that_is_too_sure_is_corrected() -> None:
    assert walk(steady(), sd=0.06).attained(steady(), first=7 * DAY) >= SLO - 0.025


@pytest.mark.slow
def test_a_forecast_that_is_too_shy_costs_less_than_it_asks_for() -> None:
    shy = walk(steady(), sd=0.13)
    asked = steady()[6 * DAY : 20 * DAY] * np.exp(0.13 * 1.645) / 20

    assert shy.attained(steady(), first=7 * DAY) >= SLO - 0.02
    assert shy.desired[7 * DAY :].mean() < asked.mean()


@pytest.mark.slow
def test_a_correct_forecast_attains_the_slo() -> None:
    assert walked_steadily().attained(steady(), first=7 * DAY) == pytest.approx(SLO, abs=0.02)


def test_a_restart_at_every_tick_changes_nothing() -> None:
    restarted = walk(steady()[: 2 * DAY], restart_every=1)

    np.testing.assert_array_equal(restarted.desired, walk(steady()[: 2 * DAY]).desired)


@pytest.mark.slow
def test_a_level_shift_is_followed_and_does_not_cost_for_days() -> None:
    demand = steady() * np.where(np.arange(len(steady())) >= 10 * DAY, 1.8, 1.0)

    shifted = walk(demand)

    assert shifted.attained(demand, first=11 * DAY) >= SLO - 0.02  # yesterday cannot foretell the day of the shift
    week_after = slice(15 * DAY, 21 * DAY)
    assert shifted.desired[week_after].mean() <= 1.8 * 1.25 * walked_steadily().desired[week_after].mean()


@pytest.mark.slow
def test_after_a_burst_the_price_returns() -> None:
    demand = steady().copy()
    demand[10 * DAY : 10 * DAY + 12] *= 3

    burst = walk(demand)

    assert burst.attained(demand, first=7 * DAY) >= SLO - 0.02
    days_later = slice(13 * DAY, 21 * DAY)
    assert burst.desired[days_later].mean() <= 1.2 * walked_steadily().desired[days_later].mean()


@pytest.mark.slow
def test_a_gap_teaches_nothing_and_nothing_breaks() -> None:
    demand = steady().copy()
    demand[10 * DAY : 12 * DAY] = np.nan

    gap = walk(demand)

    assert gap.memory.miss_price.intervals <= len(demand) - 2 * DAY
    assert gap.attained(demand, first=13 * DAY) >= SLO - 0.03
    assert np.isfinite(gap.desired).all()


@pytest.mark.slow
def test_a_change_of_model_keeps_the_slo() -> None:
    changed = walk(steady(), versions=("one", "two", "three", "four"))

    assert changed.memory.model_version == "four"
    assert changed.attained(steady(), first=7 * DAY) == pytest.approx(SLO, abs=0.025)
    assert changed.desired.sum() <= 1.05 * walked_steadily().desired.sum()


@pytest.mark.slow
def test_a_short_history_is_served_from_the_first_day() -> None:
    assert walked_steadily().attained(steady()[: 4 * DAY], first=1) >= SLO - 0.06


@pytest.mark.parametrize("slo", [0.9, 0.95, 0.99])
def test_a_cold_start_never_buys_less_than_the_forecasts_own_quantile(slo: float) -> None:
    assert isinstance(POOL.sizing, CapacitySizing)
    sizing = POOL.sizing.model_copy(update={"slo": slo})
    cold = walk(steady()[:3], sd=0.2, for_pool=POOL.model_copy(update={"sizing": sizing}))
    own_quantile = steady()[:3] * np.exp(0.2 * np.interp(slo, LEVELS, NORMAL)) / 20

    assert (cold.desired >= np.ceil(own_quantile)).all()


def test_the_walk_at_any_cut_is_the_walk_so_far() -> None:
    whole = walk(steady()[: 2 * DAY]).desired
    cuts = (7, DAY, DAY + 19)

    assert [walk(steady()[:cut]).desired.tolist() for cut in cuts] == [whole[:cut].tolist() for cut in cuts]


@pytest.mark.slow
def test_memory_outlives_the_test_of_time_in_json() -> None:
    memory = walked_steadily().memory

    assert MEMORY.validate_json(MEMORY.dump_json(memory)) == memory
    assert replace(memory, model_version=None) != memory
    assert memory.miss_price.observed_until == history_of(steady()).end_utc
    assert timedelta(0) < memory.orders[-1].at - memory.orders[0].at
