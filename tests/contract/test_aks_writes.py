"""What AKS is sent: the lever, and the whole body under If-Match; against the real SDK over HTTP."""

import pytest

from scaler.core.pool import Provisioning, Resize, ScaledField
from scaler.ports import OperationStatus
from shared.errors import (
    PoolChanged,
)
from tests.fakes.arm_cluster import autoscaled, properties
from tests.fakes.arm_faults import Fault
from tests.fakes.arm_harness import AksOnFake


def test_without_an_autoscaler_the_count_is_set(aks: AksOnFake) -> None:
    pool, found = aks.add("web")

    aks.scale(pool, 7)
    aks.clock.advance(minutes=10)

    assert aks.read(pool).nodes == 7
    assert found.real_nodes == 7


def test_with_an_autoscaler_the_floor_is_raised_and_the_autoscaler_brings_the_nodes(aks: AksOnFake) -> None:
    pool, _ = aks.add("web", **autoscaled(2, 9))

    aks.scale(pool, 6, ScaledField.MIN_COUNT)
    aks.clock.advance(minutes=10)

    assert aks.read(pool).nodes == 6
    assert (aks.sent()["count"], aks.sent()["minCount"], aks.sent()["maxCount"]) == (3, 6, 9)


def test_a_lowered_floor_leaves_the_scale_in_to_the_autoscaler(aks: AksOnFake) -> None:
    pool, found = aks.add("web", **autoscaled(6, 9, count=6))
    found.pods_need_nodes = 5

    aks.scale(pool, 2, ScaledField.MIN_COUNT)
    nodes = []
    aks.clock.advance(minutes=5)
    nodes.append(aks.read(pool).nodes)
    aks.clock.advance(minutes=11)
    nodes.append(aks.read(pool).nodes)

    assert nodes == [6, 5]


def test_a_floor_never_passes_max_count_and_max_count_never_moves(aks: AksOnFake) -> None:
    pool, _ = aks.add("web", **autoscaled(2, 9))

    operation = aks.scale(pool, 30, ScaledField.MIN_COUNT)

    assert operation.resize == Resize(scaled_field=ScaledField.MIN_COUNT, nodes=9)
    assert (aks.sent()["minCount"], aks.sent()["maxCount"]) == (9, 9)


@pytest.mark.parametrize(("mode", "lowest"), [("System", 1), ("User", 0)])
def test_a_system_pool_keeps_one_node_and_a_user_pool_may_go_to_none(aks: AksOnFake, mode: str, lowest: int) -> None:
    pool, _ = aks.add("web", **properties(mode=mode))

    aks.scale(pool, 0)

    assert aks.sent()["count"] == lowest


def test_a_system_pools_floor_stays_at_one(aks: AksOnFake) -> None:
    pool, _ = aks.add("web", **autoscaled(2, 9, mode="System"))

    aks.scale(pool, 0, ScaledField.MIN_COUNT)

    assert aks.sent()["minCount"] == 1


def test_no_pool_is_asked_for_more_than_a_thousand_nodes(aks: AksOnFake) -> None:
    aks.arm.cluster().cores_limit = 10_000
    pool, _ = aks.add("web")

    assert aks.scale(pool, 5000).resize.nodes == 1000


def test_an_autoscaler_switched_on_since_the_read_refuses_the_old_lever(aks: AksOnFake) -> None:
    pool, found = aks.add("web")
    state = aks.read(pool)
    found.has_etag = False
    found.change(enableAutoScaling=True, minCount=1, maxCount=5)

    with pytest.raises(PoolChanged, match="autoscaler was switched"):
        aks.pools.resize(pool, state, Resize(scaled_field=ScaledField.COUNT, nodes=5))
    assert aks.arm.asked("PUT") == 0


def test_a_value_that_is_there_already_is_not_written(aks: AksOnFake) -> None:
    pool, _ = aks.add("web")

    operation = aks.scale(pool, 3)

    assert aks.arm.asked("PUT") == 0
    assert aks.pools.outcome(pool, operation).status is OperationStatus.SUCCEEDED


def test_a_failed_pool_is_written_even_at_its_value_because_that_repairs_it(aks: AksOnFake) -> None:
    pool, found = aks.add("web")
    found.state, found.real_nodes = "Failed", 1

    aks.scale(pool, 3)
    aks.clock.advance(minutes=10)

    assert aks.read(pool).provisioning is Provisioning.READY
    assert found.real_nodes == 3


def test_the_whole_body_is_sent_back_but_for_the_count_and_the_image(aks: AksOnFake) -> None:
    before = properties()
    pool, _ = aks.add("web", **before)

    aks.scale(pool, 7)

    kept = {name: value for name, value in before.items() if name != "nodeImageVersion"}
    del kept["currentOrchestratorVersion"]
    assert aks.sent() == kept | {"count": 7}


def test_the_node_image_is_never_rolled_back(aks: AksOnFake) -> None:
    pool, found = aks.add("web")

    aks.scale(pool, 7)

    assert "nodeImageVersion" not in aks.sent()
    assert found.rollbacks == 0


def test_the_taints_of_a_spot_pool_survive(aks: AksOnFake) -> None:
    taint = "kubernetes.azure.com/scalesetpriority=spot:NoSchedule"
    pool, found = aks.add("web", **properties(scaleSetPriority="Spot", nodeTaints=[taint]))

    aks.scale(pool, 7)

    assert found.properties["nodeTaints"] == [taint]


def test_a_pool_changed_since_the_read_is_not_written(aks: AksOnFake) -> None:
    pool, found = aks.add("web")
    state = aks.read(pool)
    found.change(count=4)

    with pytest.raises(PoolChanged, match="is not what was read"):
        aks.pools.resize(pool, state, Resize(scaled_field=ScaledField.COUNT, nodes=7))
    assert aks.arm.asked("PUT") == 0


def test_what_others_changed_beside_the_decision_since_the_read_goes_back_as_it_is(aks: AksOnFake) -> None:
    pool, _ = aks.add("web")
    state = aks.read(pool)
    aks.arm.cluster().pools["web"].change(tags={"by": "an operator"})

    aks.pools.resize(pool, state, Resize(scaled_field=ScaledField.COUNT, nodes=7))

    assert aks.sent()["tags"] == {"by": "an operator"}
    assert aks.arm.cluster().misdeeds == []


def test_a_pool_changed_between_our_get_and_our_put_is_saved_by_if_match(aks: AksOnFake) -> None:
    pool, found = aks.add("web")
    aks.arm.faults.script("PUT", Fault.CHANGED_BY_OTHERS)

    with pytest.raises(PoolChanged):
        aks.scale(pool, 7)
    assert found.properties["tags"]["mark-1"] == "by an operator"
    assert aks.arm.cluster().misdeeds == []


def test_a_pool_without_an_etag_is_written_without_if_match(aks: AksOnFake) -> None:
    pool, found = aks.add("web")
    found.has_etag = False

    aks.scale(pool, 7)

    assert aks.sent()["count"] == 7


def test_a_pool_without_an_etag_that_moved_since_the_read_is_not_written(aks: AksOnFake) -> None:
    pool, found = aks.add("web")
    found.has_etag = False
    state = aks.read(pool)
    found.change(count=4)

    with pytest.raises(PoolChanged):
        aks.pools.resize(pool, state, Resize(scaled_field=ScaledField.COUNT, nodes=7))
