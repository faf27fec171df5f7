"""An accepted resize and its end, however Azure tells it; against the real SDK over HTTP."""

from datetime import timedelta

import pytest

from scaler.core.pool import Operation, Provisioning
from scaler.ports import OperationOutcome, OperationStatus
from shared.errors import (
    NoCapacity,
    PoolBusy,
    QuotaExceeded,
    Transient,
)
from tests.fakes.arm import LEAST_RIGHTS
from tests.fakes.arm_answers import Answer
from tests.fakes.arm_faults import Fault
from tests.fakes.arm_harness import AksOnFake


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


def test_an_operation_that_never_ends_does_not_hold_its_pool_for_ever(aks: AksOnFake) -> None:
    pool, found = aks.add("web")
    operation = aks.scale(pool, 7)
    aks.arm.cluster().operations["op-1"].takes = timedelta(days=9)
    found.state, found.operation = "Succeeded", None

    aks.clock.advance(minutes=59)
    early = aks.pools.outcome(pool, operation)
    aks.clock.advance(minutes=1)
    late = aks.pools.outcome(pool, operation)

    assert (early.status, late.status) == (OperationStatus.RUNNING, OperationStatus.SUCCEEDED)


@pytest.mark.parametrize(
    ("answer", "took_min"),
    [
        ({"status": "Succeeded"}, 5),
        ({"status": "Succeeded", "startTime": "soon", "endTime": 7}, 5),
        ({"status": "Succeeded", "startTime": "2026-03-02T08:00:00", "endTime": "2026-03-02T08:03:00.1234567Z"}, 3),
        ({"status": "Succeeded", "startTime": "2026-03-02T09:00:00Z", "endTime": "2026-03-02T08:03:00Z"}, 0),
    ],
)
def test_how_long_it_took_is_azures_word_or_our_own_clock(
    aks: AksOnFake, answer: dict[str, object], took_min: int
) -> None:
    pool, _ = aks.add("web")
    operation = aks.scale(pool, 7)
    aks.clock.advance(minutes=5)
    aks.arm.answer_next("GET", Answer(200, answer))

    took = aks.pools.outcome(pool, operation).took

    assert took is not None
    assert took // timedelta(minutes=1) == took_min


@pytest.mark.parametrize("answer", [{}, {"status": "Accepted"}, {"status": None}, {"status": "AWordOfTomorrow"}])
def test_an_operation_that_does_not_say_it_is_over_is_running(aks: AksOnFake, answer: dict[str, object]) -> None:
    pool, _ = aks.add("web")
    operation = aks.scale(pool, 7)
    aks.arm.answer_next("GET", Answer(200, answer))

    assert aks.pools.outcome(pool, operation).status is OperationStatus.RUNNING


def test_a_cancelled_operation_is_told_as_such(aks: AksOnFake) -> None:
    pool, _ = aks.add("web")
    operation = aks.scale(pool, 7)
    aks.arm.cluster().operations["op-1"].is_cancelled = True
    aks.clock.advance(minutes=5)

    assert aks.pools.outcome(pool, operation).status is OperationStatus.CANCELED


def test_an_untracked_operation_runs_as_long_as_its_pool_is_at_work(aks: AksOnFake) -> None:
    pool, _ = aks.add("web")
    made = aks.scale(pool, 7)
    untracked = Operation(handle="untracked", resize=made.resize, started_at=made.started_at)
    early = aks.pools.outcome(pool, untracked)
    aks.clock.advance(minutes=5)

    assert (early.status, aks.pools.outcome(pool, untracked).status) == (
        OperationStatus.RUNNING,
        OperationStatus.SUCCEEDED,
    )


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, b"<html>", {"Content-Type": "text/html"}),
        Answer(200, b"[1]"),
        Answer(200, b'{"status": '),
    ],
)
def test_an_operations_answer_that_is_no_object_did_not_arrive(aks: AksOnFake, answer: Answer) -> None:
    pool, _ = aks.add("web")
    operation = aks.scale(pool, 7)
    aks.arm.answer_next("GET", answer)

    with pytest.raises(Transient):
        aks.pools.outcome(pool, operation)


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
