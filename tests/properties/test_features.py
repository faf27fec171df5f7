"""Features: causal, and the same whether one row is asked for or all."""

from datetime import timedelta

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.demand.history import History
from shared.forecasting.features import FeatureSpec, Floats, features_of, rolling_max
from tests.builders import history

HALF_HOUR = timedelta(minutes=30)
SPEC = FeatureSpec(step=HALF_HOUR, horizon=2, floor=1.0, timezone="Europe/Madrid")
DAYS = 10

seeds = st.integers(0, 2**32 - 1)
maybe_known = st.lists(st.one_of(st.just(float("nan")), st.floats(0, 1e6)), min_size=1, max_size=60)


def gappy(seed: int) -> History:
    """Ten days of demand, a tenth of it unknown."""
    noise = np.random.default_rng(seed)
    demand = noise.lognormal(3, 1, DAYS * SPEC.per_day)
    demand[noise.random(len(demand)) < 0.1] = np.nan
    return history(demand.tolist(), step=HALF_HOUR)


def same(one: Floats, other: Floats) -> bool:
    return bool(np.allclose(one, other, rtol=1e-9, atol=1e-9, equal_nan=True))


@settings(max_examples=15)
@given(seed=seeds, newest=st.integers(1, 2 * DAYS * SPEC.per_day))
def test_the_newest_rows_are_those_of_the_whole(seed: int, newest: int) -> None:
    known = gappy(seed)

    few, every = features_of(known, SPEC, newest=newest), features_of(known, SPEC)

    assert few.names == every.names
    assert same(few.matrix, every.matrix[-newest:])
    assert same(few.now, every.now[-newest:])
    assert same(few.log_demand, every.log_demand[-newest:])


@settings(max_examples=15)
@given(seed=seeds, cut=st.integers(1, DAYS * SPEC.per_day))
def test_a_row_knows_nothing_after_its_interval(seed: int, cut: int) -> None:
    known = gappy(seed)

    assert same(features_of(known.first(cut), SPEC).matrix, features_of(known, SPEC).matrix[:cut])


@given(values=maybe_known, width=st.integers(1, 70))
def test_the_running_maximum_is_that_of_the_known_values(values: list[float], width: int) -> None:
    array = np.array(values)

    by_hand = [np.fmax.reduce(array[max(0, end - width) : end]) for end in range(1, len(array) + 1)]

    assert same(rolling_max(array, width), np.array(by_hand))
