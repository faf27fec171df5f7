"""AKS as docs and issues describe it (the facts in docs/decisions/0010), against the real SDK over HTTP."""

from datetime import timedelta

import pytest

from scaler.core.pool import AutoscalerBounds, Lever, PoolState, Provisioning, Resize
from scaler.ports import Operation, OperationOutcome, OperationStatus
from shared.errors import (
    CloudError,
    Forbidden,
    NoCapacity,
    PoolBusy,
    PoolChanged,
    PoolNotFound,
    PoolUnsupported,
    QuotaExceeded,
    Throttled,
    Transient,
)
from tests.fakes.arm import LEAST_RIGHTS
from tests.fakes.arm_cluster import autoscaled, properties
from tests.fakes.arm_faults import Fault
from tests.fakes.arm_harness import AksOnFake, aks_on_fake, pool_named

# reading ---------------------------------------------------------------------------------------------------------


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


def test_a_pool_that_is_not_there_is_named_with_those_that_are(aks: AksOnFake) -> None:
    aks.add("web")

    with pytest.raises(PoolNotFound, match="no node pool 'wbe'; it has: web"):
        aks.read(pool_named("wbe"))


def test_a_cluster_that_is_not_there_is_not_found(aks: AksOnFake) -> None:
    with pytest.raises(PoolNotFound, match="cluster 'shop' in 'rg-shop'"):
        aks.pools.read(pool_named("web"))


# the lever -------------------------------------------------------------------------------------------------------


def test_without_an_autoscaler_the_count_is_set(aks: AksOnFake) -> None:
    pool, found = aks.add("web")

    aks.scale(pool, 7)
    aks.clock.advance(minutes=10)

    assert aks.read(pool).nodes == 7
    assert found.real_nodes == 7


def test_with_an_autoscaler_the_floor_is_raised_and_the_autoscaler_brings_the_nodes(aks: AksOnFake) -> None:
    pool, _ = aks.add("web", **autoscaled(2, 9))

    aks.scale(pool, 6, Lever.MIN_COUNT)
    aks.clock.advance(minutes=10)

    assert aks.read(pool).nodes == 6
    assert (aks.sent()["count"], aks.sent()["minCount"], aks.sent()["maxCount"]) == (3, 6, 9)


def test_a_lowered_floor_leaves_the_scale_in_to_the_autoscaler(aks: AksOnFake) -> None:
    pool, found = aks.add("web", **autoscaled(6, 9, count=6))
    found.pods_need_nodes = 5

    aks.scale(pool, 2, Lever.MIN_COUNT)
    nodes = []
    aks.clock.advance(minutes=5)
    nodes.append(aks.read(pool).nodes)
    aks.clock.advance(minutes=11)
    nodes.append(aks.read(pool).nodes)

    assert nodes == [6, 5]


def test_a_floor_never_passes_max_count_and_max_count_never_moves(aks: AksOnFake) -> None:
    pool, _ = aks.add("web", **autoscaled(2, 9))

    operation = aks.scale(pool, 30, Lever.MIN_COUNT)

    assert operation.resize == Resize(lever=Lever.MIN_COUNT, nodes=9)
    assert (aks.sent()["minCount"], aks.sent()["maxCount"]) == (9, 9)


@pytest.mark.parametrize(("mode", "lowest"), [("System", 1), ("User", 0)])
def test_a_system_pool_keeps_one_node_and_a_user_pool_may_go_to_none(aks: AksOnFake, mode: str, lowest: int) -> None:
    pool, _ = aks.add("web", **properties(mode=mode))

    aks.scale(pool, 0)

    assert aks.sent()["count"] == lowest


def test_a_system_pools_floor_stays_at_one(aks: AksOnFake) -> None:
    pool, _ = aks.add("web", **autoscaled(2, 9, mode="System"))

    aks.scale(pool, 0, Lever.MIN_COUNT)

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
        aks.pools.resize(pool, state, Resize(lever=Lever.COUNT, nodes=5))
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


# the PUT ---------------------------------------------------------------------------------------------------------


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
    found.change(tags={"by": "an operator"})

    with pytest.raises(PoolChanged, match="is not what was read"):
        aks.pools.resize(pool, state, Resize(lever=Lever.COUNT, nodes=7))
    assert aks.arm.asked("PUT") == 0


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
        aks.pools.resize(pool, state, Resize(lever=Lever.COUNT, nodes=7))


# the operation ---------------------------------------------------------------------------------------------------


def test_a_resize_returns_once_accepted_and_is_followed_later(aks: AksOnFake) -> None:
    pool, _ = aks.add("web")

    operation = aks.scale(pool, 7)
    early = aks.pools.outcome(pool, operation)
    aks.clock.advance(minutes=5)
    late = aks.pools.outcome(pool, operation)

    assert early.status is OperationStatus.RUNNING
    assert late == OperationOutcome(status=OperationStatus.SUCCEEDED, took=timedelta(minutes=4))
    assert aks.arm.asked("PUT") == 1


def test_nothing_is_written_while_an_operation_is_in_flight(aks: AksOnFake) -> None:
    pool, _ = aks.add("web")
    aks.scale(pool, 7)
    aks.clock.advance(minutes=2)

    with pytest.raises(PoolBusy):
        aks.scale(pool, 9)
    assert aks.arm.asked("PUT") == 1


def test_a_failed_operation_tells_its_code_and_what_it_means(aks: AksOnFake) -> None:
    pool, _ = aks.add("web")
    aks.arm.faults.script("PUT", Fault.OPERATION_FAILS)

    operation = aks.scale(pool, 7)
    aks.clock.advance(minutes=5)
    outcome = aks.pools.outcome(pool, operation)

    assert (outcome.status, outcome.error_code, outcome.cause) == (
        OperationStatus.FAILED,
        "AllocationFailed",
        NoCapacity,
    )
    assert aks.read(pool).has_failed


def test_operation_not_allowed_at_the_end_of_an_accepted_operation_is_quota(aks: AksOnFake) -> None:
    pool, _ = aks.add("web")
    operation = aks.scale(pool, 7)
    aks.arm.cluster().operations["op-1"].error = {"code": "OperationNotAllowed", "message": "exceeding quota limits"}
    aks.clock.advance(minutes=5)

    assert aks.pools.outcome(pool, operation).cause is QuotaExceeded


@pytest.mark.parametrize("how", ["the right is missing", "Azure forgot it", "the address is foreign"])
def test_an_operation_that_cannot_be_read_is_told_from_the_pool(aks: AksOnFake, how: str) -> None:
    pool, found = aks.add("web")
    operation = aks.scale(pool, 7)
    aks.clock.advance(minutes=5)
    aks.arm.rights = LEAST_RIGHTS if how == "the right is missing" else aks.arm.rights
    aks.arm.cluster().operations = {}
    found.state = "Failed"
    found.error = {"code": "SkuNotAvailable", "message": "not here"}
    handle = "https://elsewhere.test/op-1" if how == "the address is foreign" else operation.handle

    outcome = aks.pools.outcome(
        pool, Operation(handle=handle, resize=operation.resize, started_at=operation.started_at)
    )

    assert (outcome.status, outcome.cause, outcome.took) == (OperationStatus.FAILED, NoCapacity, timedelta(minutes=5))


def test_a_write_whose_answer_is_lost_is_seen_at_the_next_read(aks: AksOnFake) -> None:
    pool, _ = aks.add("web")
    aks.arm.faults.script("PUT", Fault.RESET)

    with pytest.raises(Transient):
        aks.scale(pool, 7)

    assert aks.read(pool).provisioning is Provisioning.BUSY


def test_an_accepted_write_with_a_broken_body_is_still_followed(aks: AksOnFake) -> None:
    pool, _ = aks.add("web")
    aks.arm.faults.script("PUT", Fault.MALFORMED)

    operation = aks.scale(pool, 7)
    aks.clock.advance(minutes=5)

    assert aks.pools.outcome(pool, operation).status is OperationStatus.SUCCEEDED


# what is refused -------------------------------------------------------------------------------------------------


def test_operation_not_allowed_while_something_is_at_work_means_busy(aks: AksOnFake) -> None:
    pool, _ = aks.add("web")
    aks.arm.faults.script("PUT", Fault.BUSY)

    with pytest.raises(PoolBusy) as refusal:
        aks.scale(pool, 7)
    assert refusal.value.code == "OperationNotAllowed"


def test_operation_not_allowed_while_the_cluster_is_at_work_means_busy(aks: AksOnFake) -> None:
    pool, _ = aks.add("web")
    aks.arm.cluster().busy_until = aks.clock() + timedelta(minutes=3)

    with pytest.raises(PoolBusy):
        aks.scale(pool, 7)


def test_operation_not_allowed_while_all_is_settled_means_quota(aks: AksOnFake) -> None:
    pool, _ = aks.add("web")
    aks.arm.faults.script("PUT", Fault.OVER_QUOTA)

    with pytest.raises(QuotaExceeded) as refusal:
        aks.scale(pool, 7)
    assert refusal.value.code == "OperationNotAllowed"


def test_operation_not_allowed_for_a_smaller_pool_cannot_be_quota(aks: AksOnFake) -> None:
    pool, _ = aks.add("web")
    aks.arm.faults.script("PUT", Fault.OVER_QUOTA)

    with pytest.raises(PoolBusy):
        aks.scale(pool, 2)


def test_operation_not_allowed_without_the_right_to_look_counts_as_busy(aks: AksOnFake) -> None:
    pool, _ = aks.add("web")
    aks.arm.rights = ({"actions": ["*/agentPools/*"], "notActions": []},)
    aks.arm.faults.script("PUT", Fault.OVER_QUOTA)

    with pytest.raises(PoolBusy):
        aks.scale(pool, 7)


def test_a_quota_that_has_its_own_code_is_told_at_once(aks: AksOnFake) -> None:
    aks.arm.cluster().cores_limit = 16
    pool, _ = aks.add("web")

    with pytest.raises(QuotaExceeded) as refusal:
        aks.scale(pool, 7)
    assert refusal.value.code == "ErrCode_InsufficientVCPUQuota"


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault.PREEMPTED, PoolBusy),
        (Fault.ETAG, PoolChanged),
        (Fault.THROTTLED, Throttled),
        (Fault.UNAVAILABLE, Transient),
        (Fault.PROXY_PAGE, Transient),
        (Fault.RESET, Transient),
        (Fault.RESET_IN_BODY, Transient),
    ],
)
def test_each_refusal_of_a_write_has_its_own_error_and_is_not_repeated(
    aks: AksOnFake, fault: Fault, kind: type[CloudError]
) -> None:
    pool, _ = aks.add("web")
    aks.arm.faults.script("PUT", fault)

    with pytest.raises(kind):
        aks.scale(pool, 7)
    assert aks.arm.asked("PUT") == 1


@pytest.mark.parametrize(
    "fault", [Fault.UNAVAILABLE, Fault.PROXY_PAGE, Fault.RESET, Fault.RESET_IN_BODY, Fault.EXPIRED_TOKEN]
)
def test_a_read_that_fails_in_passing_is_tried_again_at_once(aks: AksOnFake, fault: Fault) -> None:
    pool, _ = aks.add("web")
    aks.arm.faults.script("GET", fault)

    assert aks.read(pool).nodes == 3


def test_a_read_that_keeps_failing_is_left_to_the_next_tick(aks: AksOnFake) -> None:
    pool, _ = aks.add("web")
    aks.arm.faults.script("GET", *[Fault.UNAVAILABLE] * 3)

    with pytest.raises(Transient, match="503 ServerTimeout"):
        aks.read(pool)
    assert aks.arm.asked("GET") == 3


def test_malformed_json_is_an_answer_that_did_not_arrive(aks: AksOnFake) -> None:
    pool, _ = aks.add("web")
    aks.arm.faults.script("GET", Fault.MALFORMED)

    with pytest.raises(Transient):
        aks.read(pool)


def test_an_answer_that_takes_too_long_is_given_up() -> None:
    with aks_on_fake(read_timeout=timedelta(milliseconds=100)) as aks:
        pool, _ = aks.add("web")
        aks.arm.faults.script("GET", *[Fault.SLOW] * 3)

        with pytest.raises(Transient):
            aks.read(pool)


def test_a_body_that_is_no_agent_pool_is_an_error_that_says_so(aks: AksOnFake) -> None:
    pool, found = aks.add("web")
    del found.properties["count"]

    with pytest.raises(CloudError, match="count None"):
        aks.pools.read(pool)


# rights ----------------------------------------------------------------------------------------------------------


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


def test_a_second_refused_token_is_an_error_for_a_person(aks: AksOnFake) -> None:
    pool, _ = aks.add("web")
    aks.arm.faults.script("GET", Fault.EXPIRED_TOKEN, Fault.EXPIRED_TOKEN)

    with pytest.raises(Forbidden, match="does not take the app's token"):
        aks.read(pool)


# throttles -------------------------------------------------------------------------------------------------------


def test_a_throttled_pool_tells_how_long_to_wait_and_holds_back_no_other(aks: AksOnFake) -> None:
    web, _ = aks.add("web")
    batch, _ = aks.add("batch")
    aks.arm.faults.script("PUT", Fault.THROTTLED)

    with pytest.raises(Throttled) as refusal:
        aks.scale(web, 7)
    aks.scale(batch, 7)

    assert refusal.value.retry_after == timedelta(seconds=90)
    assert aks.arm.cluster().puts[-1][1] == "batch"


def test_azure_is_not_asked_again_before_the_time_it_named(aks: AksOnFake) -> None:
    pool, _ = aks.add("web")
    aks.arm.faults.script("PUT", Fault.THROTTLED)
    with pytest.raises(Throttled):
        aks.scale(pool, 7)
    aks.clock.advance(seconds=80)

    with pytest.raises(Throttled, match="held back for 10 s"):
        aks.scale(pool, 7)
    assert aks.arm.asked("PUT") == 1


def test_a_pool_is_written_once_a_minute_at_most(aks: AksOnFake) -> None:
    pool, found = aks.add("web")
    aks.scale(pool, 7)
    aks.clock.advance(seconds=30)
    found.state, found.operation = "Succeeded", None

    with pytest.raises(Throttled) as refusal:
        aks.scale(pool, 8)
    assert refusal.value.retry_after == timedelta(seconds=30)


def test_reads_of_a_subscription_are_counted_and_stop_before_azure_says_so(aks: AksOnFake) -> None:
    pool, _ = aks.add("web")
    [aks.pools.outcome(pool, Operation(handle="untracked", resize=_RESIZE, started_at=aks.clock())) for _ in range(250)]

    with pytest.raises(Throttled, match="reads of subscription"):
        aks.read(pool)
    aks.clock.advance(seconds=1)
    assert aks.read(pool).nodes == 3


_RESIZE = Resize(lever=Lever.COUNT, nodes=1)
