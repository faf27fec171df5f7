"""Joins the scaler's ports to Azure or to this machine, by settings, on first use."""

from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from scaler.fallback import Models
from scaler.fan_out import FanOut
from scaler.local.simulated_pools import SimulatedPools
from scaler.preflight import PoolInspector, ReadOnlyInspector
from scaler.record import Record
from scaler.stores import DecisionLog, MemoryStore
from scaler.tick import Tick
from shared.demand.archive import ArchivedDemand
from shared.demand.blob_source import BlobDemandSource
from shared.forecasting.store import ModelStore
from shared.pools import BlobDemand, Pool
from shared.settings import Backend, Settings, load_settings
from shared.wiring import blobs_of, clock_of, pools

if TYPE_CHECKING:
    from scaler.ports import NodePools
    from shared.demand.source import DemandSource


def scale() -> list[Record]:
    """Run one tick of every pool, by the settings in the environment.

    Raises :class:`ConfigurationError` for settings or a pools file that are wrong, and what ``FanOut.run`` raises.
    """
    settings = load_settings()
    return fan_out_of(settings).run(pools(settings), now_utc=now(settings))


def now(settings: Settings) -> datetime:
    """Return the present instant by the clock that the settings choose."""
    return clock_of(settings)()


def fan_out_of(settings: Settings) -> FanOut:
    """Return what serves all pools in one tick."""
    return FanOut(tick=tick_of(settings))


@lru_cache(maxsize=4)
def tick_of(settings: Settings) -> Tick:
    """Build the tick once per settings: what it holds in memory (models, parsed demand) serves the next one."""
    blobs = blobs_of(settings)

    @lru_cache(maxsize=1000)
    def demand_of(pool: Pool) -> "DemandSource":
        if isinstance(pool.demand, BlobDemand):
            return BlobDemandSource(blobs, pool.demand, pool=pool.name)
        from scaler.cloud.prometheus import PrometheusDemandSource  # noqa: PLC0415 - S4
        from shared.cloud.identity import app_credential  # noqa: PLC0415 - S4

        live = PrometheusDemandSource(pool.demand, app_credential(settings))
        return ArchivedDemand(live, blobs, pool=pool.name)

    return Tick(
        demand=demand_of,
        node_pools=node_pools_of(settings),
        models=Models(store=ModelStore(blobs)),
        memories=MemoryStore(blobs),
        log=DecisionLog(blobs),
    )


def pool_inspector_of(settings: Settings) -> PoolInspector:
    """Return what looks at node pools without touching them."""
    if settings.backend is Backend.LOCAL:
        return ReadOnlyInspector(node_pools_of(settings))
    from scaler.cloud.aks_inspection import aks_inspector  # noqa: PLC0415 - S4

    return aks_inspector(settings)


def node_pools_of(settings: Settings) -> "NodePools":
    """Return the node pools that the settings choose."""
    if settings.backend is Backend.LOCAL:
        return SimulatedPools(blobs_of(settings), clock_of(settings))
    from scaler.cloud.aks import aks_node_pools  # noqa: PLC0415 - S4

    return aks_node_pools(settings)
