"""How AKS is read, and with which rights: docs and issues as facts, against the real SDK over HTTP."""

import pytest

from scaler.core.pool import AutoscalerBounds, PoolState, Provisioning
from scaler.ports import OperationStatus
from shared.errors import (
    Forbidden,
    PoolNotFound,
    PoolUnsupported,
)
from tests.fakes.arm import LEAST_RIGHTS
from tests.fakes.arm_cluster import autoscaled, properties
from tests.fakes.arm_faults import Fault
from tests.fakes.arm_harness import AksOnFake, pool_named


def test_a_pool_is_read_with_everything_a_decision_looks_at(aks: AksOnFake) -> None:
    pool, _ = aks.add("web", **autoscaled(2, 9, mode="System", scaleSetPriority="Spot"))

    assert aks.read(pool) == PoolState(
        nodes=3,
        provisioning=Provisioning.READY,
        autoscaler=AutoscalerBounds(min_count=2, max_count=9),
        is_system=True,
        etag='W/"web-1"',
        vm_size="Standard_D4s_v5",
        zones=("1", "2", "3"),
        is_spot=True,
    )


def test_one_list_call_serves_every_pool_of_a_cluster_within_a_tick(aks: AksOnFake) -> None:
    pools = [aks.add(name)[0] for name in ("web", "batch", "gpu")]

    states = [aks.read(pool) for pool in pools]

    assert [state.nodes for state in states] == [3, 3, 3]
    assert aks.arm.asked("GET") == 1


def test_the_next_tick_lists_again(aks: AksOnFake) -> None:
    pool, found = aks.add("web")
    aks.read(pool)
    found.change(count=7)
    aks.clock.advance(minutes=1)

    assert aks.read(pool).nodes == 7


@pytest.mark.parametrize("state", ["Updating", "Creating", "Scaling", "UpgradingNodeImageVersion", "AStateOfTomorrow"])
def test_a_pool_in_any_unsettled_state_is_busy(aks: AksOnFake, state: str) -> None:
    pool, found = aks.add("web")
    found.state = state

    assert aks.read(pool).provisioning is Provisioning.BUSY


@pytest.mark.parametrize("state", ["Failed", "Canceled"])
def test_a_pool_whose_last_operation_failed_can_be_written_to_repair_it(aks: AksOnFake, state: str) -> None:
    pool, found = aks.add("web")
    found.state = state

    assert aks.read(pool).provisioning is Provisioning.FAILED


def test_a_stopped_pool_is_read_as_stopped_and_not_resized(aks: AksOnFake) -> None:
    pool, _ = aks.add("web", **properties(powerState={"code": "Stopped"}))

    assert aks.read(pool).provisioning is Provisioning.STOPPED
    with pytest.raises(PoolUnsupported, match="stopped"):
        aks.scale(pool, 5)


def test_a_virtual_machines_pool_is_refused_by_its_kind(aks: AksOnFake) -> None:
    pool, _ = aks.add("web", **properties(type="VirtualMachines"))

    with pytest.raises(PoolUnsupported, match="VirtualMachines"):
        aks.read(pool)


def test_a_gateway_pool_is_refused_by_its_mode(aks: AksOnFake) -> None:
    pool, _ = aks.add("web", **properties(mode="Gateway"))

    with pytest.raises(PoolUnsupported, match="Gateway"):
        aks.read(pool)


def test_a_pool_that_is_not_there_is_named_with_those_that_are(aks: AksOnFake) -> None:
    aks.add("web")

    with pytest.raises(PoolNotFound, match="no node pool 'wbe'; it has: web"):
        aks.read(pool_named("wbe"))


def test_a_cluster_that_is_not_there_is_not_found(aks: AksOnFake) -> None:
    with pytest.raises(PoolNotFound, match="cluster 'shop' in 'rg-shop'"):
        aks.pools.read(pool_named("web"))


def test_least_rights_suffice_to_read_resize_and_follow(aks: AksOnFake) -> None:
    aks.arm.rights = LEAST_RIGHTS
    pool, _ = aks.add("web")

    operation = aks.scale(pool, 7)
    aks.clock.advance(minutes=5)
    aks.read(pool)

    assert aks.pools.outcome(pool, operation).status is OperationStatus.SUCCEEDED


def test_a_missing_right_to_write_is_named(aks: AksOnFake) -> None:
    aks.arm.rights = ({"actions": ["*/read"], "notActions": []},)
    pool, _ = aks.add("web")

    with pytest.raises(Forbidden, match=r"grant the app Microsoft\.ContainerService/managedClusters/agentPools/write"):
        aks.scale(pool, 7)


def test_a_missing_right_to_read_is_named(aks: AksOnFake) -> None:
    aks.arm.rights = ()
    pool, _ = aks.add("web")

    with pytest.raises(Forbidden, match="managedClusters/agentPools/read"):
        aks.read(pool)


def test_an_expired_token_is_replaced_once_for_a_write(aks: AksOnFake) -> None:
    pool, _ = aks.add("web")
    aks.arm.faults.script("PUT", Fault.EXPIRED_TOKEN)

    aks.scale(pool, 7)

    assert aks.sent()["count"] == 7
    assert aks.credential.issued == ["token-1", "token-2"]


def test_a_token_is_asked_for_with_the_clouds_scope_and_kept(aks: AksOnFake) -> None:
    pool, _ = aks.add("web")

    aks.scale(pool, 7)

    assert aks.credential.scopes == {"https://management.test/.default"}
    assert aks.credential.issued == ["token-1"]


def test_a_second_refused_token_is_an_error_for_a_person(aks: AksOnFake) -> None:
    pool, _ = aks.add("web")
    aks.arm.faults.script("GET", Fault.EXPIRED_TOKEN, Fault.EXPIRED_TOKEN)

    with pytest.raises(Forbidden, match="does not take the app's token"):
        aks.read(pool)
