"""The real SDK, pointed at the fake Resource Manager."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from scaler.cloud.aks import AksNodePools
from scaler.cloud.arm_budget import ArmBudget
from scaler.cloud.arm_client import ArmClients
from scaler.core.pool import Operation, PoolState, Resize, ScaledField
from shared.cloud.arm_endpoint import ArmEndpoint
from shared.cloud.http_client import HttpLimits
from shared.pools import BlobDemand, CapacitySizing, Cluster, Pool
from tests.fakes.arm import SUBSCRIPTION, FakeArm, FakeCredential
from tests.fakes.arm_cluster import FakePool
from tests.fakes.clock import FakeClock

IMPATIENT = HttpLimits(
    read=timedelta(seconds=5), pause=timedelta(milliseconds=100), longest_pause=timedelta(milliseconds=100)
)


def pool_named(name: str, **changed: Any) -> Pool:
    """Return the pools file's entry for an agent pool of the fake's cluster."""
    given: dict[str, Any] = {
        "name": name,
        "node_pool": name,
        "cluster": Cluster(subscription_id=SUBSCRIPTION, resource_group="rg-shop", name="shop"),
        "min_nodes": 1,
        "max_nodes": 20,
        "demand": BlobDemand(source="blob"),
        "sizing": CapacitySizing(kind="capacity", units_per_node=10),
    }
    return Pool(**(given | changed))


@dataclass(slots=True)
class AksOnFake:
    """AKS pools over the fake server."""

    arm: FakeArm
    clock: FakeClock
    credential: FakeCredential
    pools: AksNodePools
    budget: ArmBudget

    def add(self, name: str, **described: Any) -> tuple[Pool, FakePool]:
        return pool_named(name), self.arm.cluster().add(name, **described)

    def scale(self, pool: Pool, nodes: int, lever: ScaledField = ScaledField.COUNT) -> Operation:
        """Read, then resize."""
        return self.pools.resize(pool, self.read(pool), Resize(scaled_field=lever, nodes=nodes))

    def read(self, pool: Pool) -> PoolState:
        self.arm.cluster()
        return self.pools.read(pool)

    def sent(self) -> dict[str, Any]:
        """Return the properties of the last body that was accepted."""
        properties: dict[str, Any] = self.arm.cluster().puts[-1][2]["properties"]
        return properties


@contextmanager
def aks_on_fake(limits: HttpLimits = IMPATIENT) -> Iterator[AksOnFake]:
    """Start the server and build the adapter; close both."""
    clock = FakeClock()
    with FakeArm(clock) as arm:
        credential, budget = FakeCredential(), ArmBudget(clock)
        endpoint = ArmEndpoint(url=arm.url, scope="https://management.test/.default")
        clients = ArmClients(endpoint, credential, budget, limits)
        pools = AksNodePools(clients, clock)
        try:
            yield AksOnFake(arm, clock, credential, pools, budget)
        finally:
            pools.close()
