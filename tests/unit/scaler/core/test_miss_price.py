"""Which price of a miss is selected."""

import numpy as np
import pytest

from scaler.core.miss_price import ErrorBudget, MissPriceState, select_miss_price
from scaler.core.sizing import MISS_PRICES

BUDGET = ErrorBudget(slo=0.99)
RATES = np.geomspace(0.5, 1e-5, len(MISS_PRICES))
"""A forecast that expects fewer misses the higher the price."""
SURE = np.zeros(len(MISS_PRICES))
"""A forecast that expects none at any price."""


def observed(intervals: float, *, misses: float = 0.0) -> MissPriceState:
    """A table in which every price missed as often."""
    return MissPriceState(plan_misses=(misses,) * len(MISS_PRICES), plan_intervals=intervals)


def test_a_new_pool_begins_with_what_the_forecast_expects() -> None:
    assert select_miss_price(MissPriceState(), RATES, BUDGET) == np.flatnonzero(RATES <= 0.01)[0]


def test_the_forecasts_opinion_counts_no_more_once_the_table_has_seen_enough() -> None:
    assert select_miss_price(observed(500), 1 - SURE, BUDGET) == 0


@pytest.mark.parametrize(
    ("state", "price"),
    [
        pytest.param(observed(150, misses=1), len(MISS_PRICES) - 1, id="1 of 150 could as well be 2"),
        pytest.param(observed(250, misses=1), 0, id="1 of 250 could not"),
    ],
)
def test_a_short_history_is_doubted_by_one_miss(state: MissPriceState, price: int) -> None:
    assert select_miss_price(state, SURE, BUDGET) == price
