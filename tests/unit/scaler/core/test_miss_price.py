import numpy as np
import pytest

from scaler.core.miss_price import Budget, Calibration, ruling_price
from scaler.core.sizing import PRICES

BUDGET = Budget(slo=0.99)
RATES = np.geomspace(0.5, 1e-5, len(PRICES))
"""A forecast that expects fewer misses the higher the price."""
SURE = np.zeros(len(PRICES))
"""A forecast that expects none at any price."""


def seen(intervals: float, *, misses: float = 0.0) -> Calibration:
    """A table in which every price missed as often."""
    return Calibration(missed=(misses,) * len(PRICES), seen=intervals)


def test_a_new_pool_begins_with_what_the_forecast_expects() -> None:
    assert ruling_price(Calibration(), RATES, BUDGET) == np.flatnonzero(RATES <= 0.01)[0]


def test_the_forecasts_opinion_counts_no_more_once_the_table_has_seen_enough() -> None:
    assert ruling_price(seen(500), 1 - SURE, BUDGET) == 0


@pytest.mark.parametrize(
    ("calibration", "ruling"),
    [
        pytest.param(seen(150, misses=1), len(PRICES) - 1, id="1 of 150 could as well be 2"),
        pytest.param(seen(250, misses=1), 0, id="1 of 250 could not"),
    ],
)
def test_a_short_history_is_doubted_by_one_miss(calibration: Calibration, ruling: int) -> None:
    assert ruling_price(calibration, SURE, BUDGET) == ruling
