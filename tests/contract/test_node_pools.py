"""What ``scaler.ports.NodePools`` promises: held against AKS over HTTP, the simulated pools and, when asked, Azure.

``pytest -m live`` makes a real pool some nodes larger. It needs a developer login and LIVE_AKS_SUBSCRIPTION,
LIVE_AKS_RESOURCE_GROUP, LIVE_AKS_CLUSTER and LIVE_AKS_POOL: a User pool of one node or more that nobody depends on.
"""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from scaler.cloud.aks import AksNodePools, aks_node_pools
from scaler.core.pool import Operation, PoolState, Provisioning, Resize, ScaledField
from scaler.local.simulated_pools import SimulatedPools
from scaler.ports import NodePools, OperationOutcome, OperationStatus
from shared.errors import CloudError, PoolBusy, PoolChanged, PoolNotFound
from shared.local.directory_blobs import DirectoryBlobs
from shared.pools import Cluster, Pool
from shared.settings import Settings
from tests.fakes.arm_harness import aks_on_fake, pool_named
from tests.fakes.clock import FakeClock

SETTLES_WITHIN = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Subject:
    """One implementation, a pool of it, and how to let time pass until an operation may be over."""

    node_pools: NodePools
    pool: Pool
    wait: Callable[[], object]

    def settled(self) -> PoolState:
        """Return the pool's state once nothing is in progress."""
        for _ in range(int(SETTLES_WITHIN / timedelta(minutes=1))):
            state = self.node_pools.read(self.pool)
            if state.provisioning is not Provisioning.BUSY:
                return state
            self.wait()
        pytest.fail(f"pool {self.pool.name} did not settle within {SETTLES_WITHIN}")

    def resize(self, state: PoolState, nodes: int) -> Operation:
        return self.node_pools.resize(self.pool, state, Resize(scaled_field=state.scaled_field, nodes=nodes))

    def outcome(self, operation: Operation) -> OperationOutcome:
        """Return the outcome once the operation is over."""
        self.settled()
        return self.node_pools.outcome(self.pool, operation)


def _aks() -> Iterator[Subject]:
    with aks_on_fake() as aks:
        pool, _ = aks.add("web")

        def wait() -> None:
            aks.clock.advance(minutes=1)
            aks.arm.cluster()

        yield Subject(aks.pools, pool, wait)


def _simulated(folder: Path) -> Iterator[Subject]:
    clock = FakeClock()
    pools = SimulatedPools(DirectoryBlobs(folder), clock)
    yield Subject(pools, pool_named("web", min_nodes=3), lambda: clock.advance(minutes=1))


def _live() -> Iterator[Subject]:
    named = {part: os.environ[f"LIVE_AKS_{part}"] for part in ("SUBSCRIPTION", "RESOURCE_GROUP", "CLUSTER", "POOL")}
    cluster = Cluster(
        subscription_id=named["SUBSCRIPTION"], resource_group=named["RESOURCE_GROUP"], name=named["CLUSTER"]
    )
    pool = pool_named("live", cluster=cluster, node_pool=named["POOL"])
    pools: AksNodePools = aks_node_pools(Settings(storage_account_url="https://unused.test"))
    yield Subject(pools, pool, lambda: time.sleep(60))
    pools.close()


@pytest.fixture(params=["aks", "simulated", pytest.param("live", marks=[pytest.mark.live, pytest.mark.timeout(7200)])])
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Subject]:
    made = {"aks": _aks, "simulated": lambda: _simulated(tmp_path), "live": _live}
    yield from made[request.param]()


def test_a_pool_can_be_read_and_tells_its_lever_and_its_setting(subject: Subject) -> None:
    state = subject.settled()

    assert state.nodes >= 1
    assert state.configured_nodes == (
        state.nodes if state.scaled_field is ScaledField.COUNT else state.autoscaler and state.autoscaler.min_count
    )


def test_a_resize_is_accepted_at_once_and_keeps_the_pool_busy_until_it_is_over(subject: Subject) -> None:
    state = subject.settled()

    operation = subject.resize(state, state.configured_nodes + 1)
    at_once = subject.node_pools.outcome(subject.pool, operation)
    busy = subject.node_pools.read(subject.pool).provisioning

    assert (at_once.status, busy) == (OperationStatus.RUNNING, Provisioning.BUSY)
    assert subject.outcome(operation).status is OperationStatus.SUCCEEDED
    assert subject.settled().configured_nodes == state.configured_nodes + 1


def test_an_outcome_tells_how_long_it_took(subject: Subject) -> None:
    state = subject.settled()

    took = subject.outcome(subject.resize(state, state.configured_nodes + 1)).took

    assert took is not None
    assert timedelta() < took < SETTLES_WITHIN


def test_a_busy_pool_refuses_another_resize(subject: Subject) -> None:
    state = subject.settled()
    subject.resize(state, state.configured_nodes + 1)

    with pytest.raises(PoolBusy):
        subject.resize(subject.node_pools.read(subject.pool), state.configured_nodes + 2)


def test_a_decision_on_an_old_state_is_refused(subject: Subject) -> None:
    old = subject.settled()
    subject.outcome(subject.resize(old, old.configured_nodes + 1))

    with pytest.raises(PoolChanged):
        subject.resize(old, old.configured_nodes + 2)


def test_what_is_in_the_operation_is_enough_to_follow_it_after_a_restart(subject: Subject) -> None:
    state = subject.settled()
    made = subject.resize(state, state.configured_nodes + 1)

    known_again = Operation(handle=str(made.handle), resize=made.resize, started_at=made.started_at)

    assert subject.outcome(known_again).status is OperationStatus.SUCCEEDED


def test_a_pool_is_made_smaller_again(subject: Subject) -> None:
    state = subject.settled()
    subject.outcome(subject.resize(state, state.configured_nodes + 1))

    subject.outcome(subject.resize(subject.settled(), state.configured_nodes))

    assert subject.settled().configured_nodes == state.configured_nodes


def test_the_other_lever_is_refused(subject: Subject) -> None:
    state = subject.settled()
    other = ScaledField.MIN_COUNT if state.scaled_field is ScaledField.COUNT else ScaledField.COUNT

    with pytest.raises(CloudError):
        subject.node_pools.resize(subject.pool, state, Resize(scaled_field=other, nodes=state.configured_nodes + 1))


def test_a_pool_that_aks_does_not_have_is_not_found() -> None:
    with aks_on_fake() as aks:
        aks.add("web")

        with pytest.raises(PoolNotFound):
            aks.pools.read(pool_named("other"))
