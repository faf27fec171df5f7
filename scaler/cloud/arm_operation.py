"""How an accepted resize stands: what Resource Manager answers about an asynchronous operation."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from azure.core.polling import PollingMethod

from scaler.cloud.agent_pool import provisioning_error_of, state_of
from scaler.core.pool import Provisioning
from scaler.ports import OperationOutcome, OperationStatus
from shared.cloud.arm_errors import ArmError
from shared.errors import CloudError, PoolNotFound, QuotaExceeded

if TYPE_CHECKING:
    from azure.mgmt.containerservice.models import AgentPool

    from scaler.core.pool import Operation


UNCHANGED = "unchanged"
"""Handle of a resize that had nothing to write."""
UNTRACKED = "untracked"
"""Handle of an accepted write whose answer named no operation: its pool's state tells the outcome."""
ASYNC_OPERATION = "Azure-AsyncOperation"
ENDED = {
    "succeeded": OperationStatus.SUCCEEDED,
    "failed": OperationStatus.FAILED,
    "canceled": OperationStatus.CANCELED,
}
"""The settled words of Resource Manager's asynchronous operations; any other is an operation that runs."""
SETTLED = {
    Provisioning.READY: OperationStatus.SUCCEEDED,
    Provisioning.FAILED: OperationStatus.FAILED,
    Provisioning.STOPPED: OperationStatus.CANCELED,
    Provisioning.BUSY: OperationStatus.RUNNING,
}


class Accepted(PollingMethod[str]):
    """Keeps the address of the operation instead of polling it: a tick never waits.

    The SDK's own ``polling=False`` would read the body of the answer first, and fail on a broken one although the write
    was accepted.
    """

    def __init__(self) -> None:
        self.handle = UNTRACKED

    def initialize(self, client: Any, initial_response: Any, deserialization_callback: Any) -> None:  # noqa: ANN401, ARG002 - the SDK's signature
        """Take the address from the answer to the PUT."""
        self.handle = initial_response.http_response.headers.get(ASYNC_OPERATION) or UNTRACKED

    def run(self) -> None:
        """Do not poll."""

    def status(self) -> str:
        """Say that there is nothing to wait for."""
        return "accepted"

    def finished(self) -> bool:
        """Say that there is nothing to wait for."""
        return True

    def resource(self) -> str:
        """Return the operation's handle."""
        return self.handle


def outcome_of(body: object, operation: "Operation", now: datetime) -> OperationOutcome:
    """Read the answer about an operation; one without a status that we know counts as running."""
    answer = body if isinstance(body, Mapping) else {}
    status = ENDED.get(str(answer.get("status", "")).lower(), OperationStatus.RUNNING)
    if status is OperationStatus.RUNNING:
        return OperationOutcome(status=status)
    error = ArmError.of(answer.get("error"))
    began = _instant(answer.get("startTime")) or operation.started_at
    ended = _instant(answer.get("endTime")) or now
    return OperationOutcome(
        status=status,
        took=max(ended - began, timedelta()),
        cause=_cause(error),
        error_code=error.telling_code,
        error_message=error.message,
    )


def outcome_by_state(pool: "AgentPool", operation: "Operation", now: datetime) -> OperationOutcome:
    """Tell the outcome from the pool: for an operation that cannot be read, or that Azure has forgotten."""
    status = SETTLED[state_of(pool).provisioning]
    if status is OperationStatus.RUNNING:
        return OperationOutcome(status=status)
    error = provisioning_error_of(pool) if status is OperationStatus.FAILED else ArmError()
    took = max(now - operation.started_at, timedelta())
    return OperationOutcome(
        status=status, took=took, cause=_cause(error), error_code=error.telling_code, error_message=error.message
    )


def _cause(error: ArmError) -> type[CloudError]:
    """Tell what made an operation fail.

    One that was accepted cannot fail for another one in progress: there ``OperationNotAllowed`` is Compute's word for
    quota.
    """
    if error.is_operation_not_allowed:
        return QuotaExceeded
    return error.kind(missing=PoolNotFound) or CloudError


def _instant(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        instant = datetime.fromisoformat(value)
    except ValueError:
        return None
    return instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC)
