"""The whole demand that a pool's model may learn from."""

from datetime import datetime

from shared.demand.blob_source import BlobDemandSource
from shared.demand.history import History
from shared.pools import BlobDemand, Pool
from shared.ports import Blobs


def training_history(blobs: Blobs, pool: Pool, *, now_utc: datetime) -> History:
    """Return everything known at ``now_utc``: the pool's blobs, or what the scaler kept of a live source.

    Raises :class:`shared.errors.DemandError`.
    """
    demand = pool.demand if isinstance(pool.demand, BlobDemand) else BlobDemand(source="blob")
    return BlobDemandSource(blobs, demand, pool=pool.name, days=None).history(now_utc)
