"""Pooling distributions, and from log-ratios to demand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.forecasting.features import Floats
from shared.forecasting.mixture import around, pool_quantiles
from shared.forecasting.parameters import QUANTILE_LEVELS

MIDDLE = int(np.searchsorted(QUANTILE_LEVELS, 0.5))
RISING = np.linspace(-1.0, 3.0, len(QUANTILE_LEVELS))


def of_one(quantiles: Floats) -> Floats:
    """One row, one interval ahead."""
    return quantiles[np.newaxis, np.newaxis]


def test_one_distribution_is_its_own_mixture() -> None:
    assert pool_quantiles([of_one(RISING)], [0.3]).tolist() == of_one(RISING).tolist()


def test_a_distribution_mixed_with_itself_stays_as_it_is() -> None:
    mixed = pool_quantiles([of_one(RISING), of_one(RISING)], [0.65, 0.35])

    np.testing.assert_allclose(mixed, of_one(RISING), atol=0.15)


def test_a_mixture_keeps_both_humps() -> None:
    low, high = np.zeros(len(QUANTILE_LEVELS)), np.full(len(QUANTILE_LEVELS), 10.0)

    mixed = pool_quantiles([of_one(low), of_one(high)], [0.7, 0.3])[0, 0]

    assert mixed[QUANTILE_LEVELS < 0.65].max() == 0.0
    assert mixed[QUANTILE_LEVELS > 0.75].min() == pytest.approx(10.0)


@given(seed=st.integers(0, 2**32 - 1), share=st.floats(0.01, 0.99))
def test_quantiles_of_a_mixture_rise_and_lie_between_its_components(seed: int, share: float) -> None:
    random = np.random.default_rng(seed)
    one, other = (np.sort(random.normal(size=(4, 2, len(QUANTILE_LEVELS))), axis=2) for _ in range(2))

    mixed = pool_quantiles([one, other], [share, 1 - share])

    assert (np.diff(mixed, axis=2) >= 0).all()
    assert (mixed >= np.minimum(one, other).min(axis=2, keepdims=True)).all()
    assert (mixed <= np.maximum(one, other).max(axis=2, keepdims=True)).all()


def test_errors_lie_around_what_is_expected_and_never_fall() -> None:
    ratios = around(np.array([[1.0, 2.0]]), np.array([[[0.0, -0.5, 0.5], [0.0, 0.1, 0.2]]]))

    assert ratios.tolist() == [[[1.0, 1.0, 1.5], [2.0, 2.1, 2.2]]]
