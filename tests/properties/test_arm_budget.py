from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaler.cloud.arm_budget import READS, WRITES, ArmBudget, ArmCall
from shared.errors import Throttled
from tests.fakes.clock import FakeClock

A_POOL = "/subscriptions/s1/resourceGroups/g/providers/Microsoft.ContainerService/managedClusters/c/agentPools/a"
waits_s = st.lists(st.floats(min_value=0, max_value=120), max_size=60)


def granted(budget: ArmBudget, call: ArmCall) -> bool:
    try:
        budget.take(call)
    except Throttled:
        return False
    return True


@given(waits=waits_s)
def test_a_pool_is_never_written_twice_within_a_minute(waits: list[float]) -> None:
    clock = FakeClock()
    budget = ArmBudget(clock)
    written = []

    for wait_s in waits:
        clock.advance(seconds=wait_s)
        written += [clock()] if granted(budget, ArmCall(method="PUT", path=A_POOL)) else []

    gaps = [after - before for before, after in pairwise(written)]
    assert all(gap >= timedelta(seconds=59.999) for gap in gaps)


@given(waits=waits_s)
def test_waiting_as_long_as_told_is_always_enough(waits: list[float]) -> None:
    clock = FakeClock()
    budget = ArmBudget(clock)

    for wait_s in waits:
        clock.advance(seconds=wait_s)
        try:
            budget.take(ArmCall(method="PUT", path=A_POOL))
        except Throttled as exc:
            clock.advance(seconds=exc.retry_after.total_seconds() + 1e-3)
            budget.take(ArmCall(method="PUT", path=A_POOL))


def test_reads_of_one_subscription_leave_those_of_another_alone() -> None:
    budget = ArmBudget(FakeClock())
    one, other = (ArmCall(method="GET", path=f"/subscriptions/{name}/resourceGroups") for name in ("s1", "s2"))

    first = [granted(budget, one) for _ in range(READS.burst + 1)]

    assert (first.count(True), granted(budget, other)) == (READS.burst, True)


def test_writes_of_a_subscription_are_counted_over_all_its_pools() -> None:
    budget = ArmBudget(FakeClock())

    taken = [granted(budget, ArmCall(method="PUT", path=f"{A_POOL}{number}")) for number in range(WRITES.burst + 1)]

    assert taken.count(True) == WRITES.burst


def test_a_refused_call_is_not_counted() -> None:
    clock = FakeClock()
    budget = ArmBudget(clock)
    call = ArmCall(method="PUT", path=A_POOL)
    budget.take(call)
    [granted(budget, call) for _ in range(500)]
    clock.advance(minutes=1)

    assert granted(budget, ArmCall(method="PUT", path=A_POOL + "2"))
    assert granted(budget, call)


def test_a_clock_that_steps_back_neither_frees_nor_blocks_for_ever() -> None:
    clock = FakeClock()
    budget = ArmBudget(clock)
    call = ArmCall(method="PUT", path=A_POOL)
    budget.take(call)
    clock.advance(hours=-1)

    at_once = granted(budget, call)
    clock.advance(minutes=1)

    assert (at_once, granted(budget, call)) == (False, True)


def test_what_azure_asks_for_holds_back_that_call_only() -> None:
    clock = FakeClock()
    budget = ArmBudget(clock)
    call = ArmCall(method="GET", path=A_POOL)
    budget.hold(call, timedelta(seconds=90))

    with pytest.raises(Throttled) as refusal:
        budget.take(ArmCall(method="GET", path=A_POOL.upper()))
    assert refusal.value.retry_after == timedelta(seconds=90)
    assert granted(budget, ArmCall(method="GET", path=A_POOL + "2"))
    assert granted(budget, ArmCall(method="PUT", path=A_POOL))
    clock.advance(seconds=90)
    assert granted(budget, call)
