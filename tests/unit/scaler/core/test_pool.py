"""A node pool as the decision sees it."""

import pytest

from scaler.core.pool import PoolState, Provisioning


def test_no_pool_has_fewer_than_no_nodes() -> None:
    with pytest.raises(ValueError, match="-1 nodes"):
        PoolState(nodes=-1, provisioning=Provisioning.READY)
