"""What comes of asking for a resize, and of the operation that was accepted."""

from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import pytest

from scaler.core.backoff import Backoff
from scaler.core.decide import Decision, decide
from scaler.core.memory import Memory
from scaler.core.pool import Operation, PoolState, Resize, ScaledField
from scaler.core.reasons import Reason
from scaler.core.situation import Situation
from scaler.ports import OperationOutcome, OperationStatus
from scaler.resizing import NOTHING_ASKED, follow_operation, request_resize
from shared.errors import CloudError, Forbidden, NoCapacity, PoolBusy, Throttled, Transient
from shared.pools import Pool
from tests.builders import NOW, flat, forecast, pool, state

ASKED = Resize(scaled_field=ScaledField.COUNT, nodes=9)
OPERATION = Operation(handle="op-1", resize=ASKED, started_at=NOW)
RUNNING = OperationOutcome(status=OperationStatus.RUNNING)


@dataclass
class OnePool:
    """Node pools that answer what they are told to; ``asked`` is what reached them."""

    answer: Operation | CloudError
    ended: OperationOutcome | CloudError = RUNNING
    asked: Resize | None = None

    def read(self, pool: Pool) -> PoolState:
        raise NotImplementedError(pool)

    def resize(self, pool: Pool, state: PoolState, resize: Resize) -> Operation:
        del pool, state
        self.asked = resize
        return _given(self.answer)

    def outcome(self, pool: Pool, operation: Operation) -> OperationOutcome:
        del pool, operation
        return _given(self.ended)


T = TypeVar("T")


def _given(answer: T | CloudError) -> T:
    if isinstance(answer, CloudError):
        raise answer
    return answer


def decided(*, peak: float = 900.0) -> tuple[Decision, Memory]:
    around = Situation(
        pool=pool(), state=state(4), memory=Memory(), now_utc=NOW, history=flat(400.0), forecast=forecast(peak)
    )
    return decide(around)


def test_a_decision_that_changes_nothing_asks_for_nothing() -> None:
    decision, memory = decided(peak=400.0)
    node_pools = OnePool(answer=OPERATION)

    outcome, after = request_resize(node_pools, pool(), state(4), decision, memory)

    assert (outcome, node_pools.asked) == (NOTHING_ASKED, None)
    assert after is memory


def test_an_accepted_resize_is_the_operation_to_follow() -> None:
    decision, memory = decided()
    node_pools = OnePool(answer=OPERATION)

    outcome, after = request_resize(node_pools, pool(), state(4), decision, memory)

    assert (outcome.reason, outcome.operation, node_pools.asked) == (Reason.RESIZE_ACCEPTED, OPERATION, ASKED)
    assert after.operation == OPERATION
    assert after.orders[-1].desired_nodes == 9


@pytest.mark.parametrize(
    ("refusal", "reason", "needs_person"),
    [
        (PoolBusy("an upgrade runs"), Reason.POOL_BUSY, False),
        (Throttled("429", retry_after=timedelta(minutes=20)), Reason.THROTTLED, False),
        (Transient("no answer"), Reason.CLOUD_UNREACHABLE, False),
        (NoCapacity("none left"), Reason.NO_CAPACITY, True),
        (Forbidden("no right"), Reason.FORBIDDEN, True),
        (CloudError("what?"), Reason.CLOUD_ERROR, True),
    ],
)
def test_a_refusal_is_a_reason_and_a_wait_and_no_order(
    refusal: CloudError, reason: Reason, *, needs_person: bool
) -> None:
    decision, memory = decided()

    outcome, after = request_resize(OnePool(answer=refusal), pool(), state(4), decision, memory)

    assert (outcome.reason, outcome.operation, outcome.note) == (reason, None, str(refusal))
    assert outcome.needs_person is needs_person
    assert after.orders[-1].desired_nodes == 4
    assert after.backoff is not None
    assert after.backoff.reason is reason


def test_a_service_that_names_a_wait_is_waited_for() -> None:
    decision, memory = decided()
    throttled = Throttled("429", retry_after=timedelta(minutes=20))

    _, after = request_resize(OnePool(answer=throttled), pool(), state(4), decision, memory)

    assert after.backoff == Backoff(reason=Reason.THROTTLED, failures=1, until=NOW + timedelta(minutes=20))


def test_an_operation_that_runs_or_cannot_be_asked_about_is_remembered() -> None:
    memory = Memory(operation=OPERATION)
    unknown = OnePool(answer=OPERATION, ended=Transient("no answer"))

    assert follow_operation(OnePool(answer=OPERATION), pool(), memory, now_utc=NOW) == (memory, None)
    assert follow_operation(unknown, pool(), memory, now_utc=NOW) == (memory, None)


def test_an_operation_that_succeeded_ends_the_backoff() -> None:
    backoff = Backoff(reason=Reason.NO_CAPACITY, failures=2, until=NOW)
    done = OperationOutcome(status=OperationStatus.SUCCEEDED, took=timedelta(seconds=95))

    after, ended = follow_operation(
        OnePool(answer=OPERATION, ended=done), pool(), Memory(operation=OPERATION, backoff=backoff), now_utc=NOW
    )

    assert ended is not None
    assert ended.note == "the resize to 9 nodes succeeded after 95 s"
    assert after == Memory()


def test_an_operation_that_failed_backs_off_by_its_cause() -> None:
    failed = OperationOutcome(
        status=OperationStatus.FAILED, cause=NoCapacity, error_code="AllocationFailed", error_message="none left"
    )

    after, ended = follow_operation(
        OnePool(answer=OPERATION, ended=failed), pool(), Memory(operation=OPERATION), now_utc=NOW
    )

    assert ended is not None
    assert ended.note == "the resize to 9 nodes failed: AllocationFailed none left"
    assert after.operation is None
    assert after.backoff is not None
    assert after.backoff.reason is Reason.NO_CAPACITY
