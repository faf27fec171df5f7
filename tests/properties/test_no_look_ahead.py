"""A history cut short leads to the same decisions up to the cut: nothing in a replay knows what comes later."""

import numpy as np
import pytest

from scaler.replay.replay import BacktestWindows, ReplayResult, backtest, replay
from shared.demand.csv_format import read_demand_csv
from shared.demand.history import History
from shared.forecasting.eligibility import fit_family, fit_preferred, training_set_of
from shared.forecasting.model import FittedModel
from shared.pools import Pool
from tests.builders import pool
from tests.conftest import DATA
from tests.demand import daily, history_of

DAY = 48
DAYS = 10
POOL = pool(lead_time_min=60, max_nodes=1000, sizing={"kind": "capacity", "units_per_node": 50, "slo": 0.95})
WINDOWS = BacktestWindows(begins=6 * DAY, scored_from=7 * DAY, origins=frozenset({6 * DAY, 7 * DAY, 9 * DAY}))
DEMAND = daily(DAYS)
DEMAND[8 * DAY : 8 * DAY + 5] = np.nan


def backtested(family: str, history: History) -> ReplayResult:
    def fit(for_pool: Pool, past: History) -> FittedModel:
        return fit_family(for_pool, training_set_of(for_pool, past), family)

    return backtest(history, POOL, WINDOWS, fit=fit)


@pytest.mark.parametrize("family", ["seasonal_naive", "ridge"])
def test_decisions_before_a_cut_do_not_depend_on_what_comes_after(family: str) -> None:
    whole = backtested(family, history_of(DEMAND))
    cuts = (7 * DAY + 1, 8 * DAY + 3, 9 * DAY + 20)

    assert [backtested(family, history_of(DEMAND[:cut])).desired.tolist() for cut in cuts] == [
        whole.desired[:cut].tolist() for cut in cuts
    ]


@pytest.mark.parametrize("family", ["seasonal_naive", "ridge"])
def test_another_future_changes_no_decision_of_the_past(family: str) -> None:
    other = DEMAND.copy()
    other[9 * DAY :] *= np.linspace(1, 9, DAY)

    one, two = backtested(family, history_of(DEMAND)), backtested(family, history_of(other))

    np.testing.assert_array_equal(one.desired[: 9 * DAY], two.desired[: 9 * DAY])
    assert (one.desired[9 * DAY :] != two.desired[9 * DAY :]).any()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["nab-elb-requests-5min", "ms-mongodb-machine-5min"])
def test_a_real_series_replayed_with_forests_and_cut_is_the_same_up_to_the_cut(name: str) -> None:
    history = read_demand_csv((DATA / f"{name}.csv").read_text(), name=name)
    units = float(np.nanmean(history.demand)) / 20
    real = POOL.model_copy(update={"lead_time_min": 10.0, "max_nodes": 10**6})
    real = real.model_copy(update={"sizing": POOL.sizing.model_copy(update={"units_per_node": units})})

    def replayed(past: History, *, evaluate_from: float) -> list[float]:
        found = replay(past, real, fit=lambda p, h: fit_preferred(p, h).model, evaluate_from=evaluate_from)
        return [float(nodes) for nodes in found.desired]

    whole = replayed(history, evaluate_from=0.5)
    cuts = (900, 1123)

    assert [replayed(history.first(cut), evaluate_from=700.5 / cut) for cut in cuts] == [whole[:cut] for cut in cuts]
