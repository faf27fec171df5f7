"""What AKS refuses, and what it asks to wait for; against the real SDK over HTTP."""

from dataclasses import replace
from datetime import timedelta

import pytest

from scaler.core.pool import Operation, Resize, ScaledField
from shared.errors import (
    CloudError,
    PoolBusy,
    PoolChanged,
    QuotaExceeded,
    Throttled,
    Transient,
)
from tests.fakes.arm_answers import Answer
from tests.fakes.arm_faults import Fault
from tests.fakes.arm_harness import IMPATIENT, AksOnFake, aks_on_fake


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

    with pytest.raises(CloudError) as refusal:
        aks.scale(pool, 7)
    assert type(refusal.value) is kind
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
    with aks_on_fake(replace(IMPATIENT, read=timedelta(milliseconds=100))) as aks:
        pool, _ = aks.add("web")
        aks.arm.faults.script("GET", *[Fault.SLOW] * 3)

        with pytest.raises(Transient):
            aks.read(pool)


def test_a_body_without_properties_is_an_error_that_says_so(aks: AksOnFake) -> None:
    pool, _ = aks.add("web")
    aks.arm.answer_next("GET", Answer(200, {"value": [{"name": "web"}]}))

    with pytest.raises(CloudError, match="it has no properties"):
        aks.pools.read(pool)


def test_a_body_that_is_no_agent_pool_is_an_error_that_says_so(aks: AksOnFake) -> None:
    pool, found = aks.add("web")
    del found.properties["count"]

    with pytest.raises(CloudError, match="count None"):
        aks.pools.read(pool)


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
    untracked = Operation(
        handle="untracked", resize=Resize(scaled_field=ScaledField.COUNT, nodes=1), started_at=aks.clock()
    )
    [aks.pools.outcome(pool, untracked) for _ in range(250)]

    with pytest.raises(Throttled, match="reads of subscription"):
        aks.read(pool)
    aks.clock.advance(seconds=1)
    assert aks.read(pool).nodes == 3
