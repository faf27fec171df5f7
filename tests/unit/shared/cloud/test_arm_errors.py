"""One reader of what Azure refuses: the same answer means what the context of the call says."""

import json
from datetime import timedelta

import pytest
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError, ServiceResponseError

from scaler.cloud.arm_calls import Action, pool_context
from shared.cloud.arm_errors import ArmError, CallContext, Refusal, error_for, translate
from shared.errors import (
    CloudError,
    ComputeNotFound,
    Forbidden,
    JobNotFound,
    PoolBusy,
    PoolNotFound,
    QuotaExceeded,
    Throttled,
    Transient,
    WorkspaceNotFound,
)
from tests.builders import pool
from training.cloud.workspace import compute_context, job_context, submit_context, workspace_context

POOL = pool_context("resizing", Action.WRITE_POOL, pool())
COMPUTE = compute_context("cluster")
JOB = job_context("reading", "one")


def refused(status: int, code: str, **headers: str) -> Refusal:
    spelled = {name.replace("_", "-"): value for name, value in headers.items()}
    return Refusal.from_answer(status, spelled, {"error": {"code": code, "message": "words"}})


@pytest.mark.parametrize(
    ("context", "status", "code", "kind"),
    [
        (POOL, 404, "ResourceNotFound", PoolNotFound),
        (COMPUTE, 404, "ResourceNotFound", ComputeNotFound),
        (JOB, 404, "NotFound", JobNotFound),
        (submit_context("one"), 404, "NotFound", CloudError),
        (workspace_context("ws"), 404, "ResourceNotFound", WorkspaceNotFound),
        (POOL, 404, "ResourceGroupNotFound", PoolNotFound),
        (COMPUTE, 404, "ResourceGroupNotFound", WorkspaceNotFound),
        (JOB, 404, "ParentResourceNotFound", WorkspaceNotFound),
        (POOL, 409, "SomethingNew", PoolBusy),
        (JOB, 409, "SomethingNew", CloudError),
        (JOB, 400, "OperationNotAllowed", QuotaExceeded),
        (JOB, 400, "ClusterCoreQuotaReached", QuotaExceeded),
        (JOB, 401, "", Forbidden),
        (JOB, 403, "", Forbidden),
        (JOB, 503, "", Transient),
        (JOB, 200, "", Transient),
        (JOB, 418, "", CloudError),
    ],
)
def test_a_refusal_means_what_the_context_of_the_call_says(
    context: CallContext, status: int, code: str, kind: type[CloudError]
) -> None:
    assert type(error_for(refused(status, code), context)) is kind


@pytest.mark.parametrize(
    ("context", "refusal", "words"),
    [
        (POOL, refused(403, ""), "resizing pool 'nodepool1' failed (403 words): grant the app Microsoft.Container"),
        (COMPUTE, refused(403, ""), "grant the app the role 'AzureML Data Scientist' on the workspace"),
        (COMPUTE, refused(404, "NotFound"), "create a compute cluster 'cluster'"),
        (COMPUTE, refused(404, "SubscriptionNotFound"), "check FORESCALE_AML_SUBSCRIPTION_ID"),
        (POOL, refused(404, "NotFound"), "correct the cluster or the node pool in the pools file"),
        (JOB, refused(400, "QuotaExceeded"), "ask for more quota"),
        (JOB, refused(401, ""), "check its identity and tenant"),
        (POOL, refused(409, "ScopeLocked"), "remove the lock"),
    ],
)
def test_a_refusal_says_what_was_done_and_what_to_do(context: CallContext, refusal: Refusal, words: str) -> None:
    assert words in str(error_for(refusal, context))


def test_a_wait_that_azure_asks_for_is_passed_on() -> None:
    error = error_for(refused(429, "TooManyRequests", Retry_After="17"), JOB)

    assert isinstance(error, Throttled)
    assert error.retry_after == timedelta(seconds=17)


@pytest.mark.parametrize(
    ("raised", "kind", "words"),
    [
        (ServiceRequestError("no route"), Transient, "could not reach Azure: ServiceRequestError: no route"),
        (ServiceResponseError("cut off"), Transient, "got no complete answer: ServiceResponseError: cut off"),
        (ClientAuthenticationError("no identity"), Forbidden, "no identity could sign in: no identity"),
    ],
)
def test_what_came_instead_of_an_answer_is_told_by_its_type(
    raised: ServiceRequestError, kind: type[CloudError], words: str
) -> None:
    error = translate(raised, JOB)

    assert type(error) is kind
    assert f"reading job one: {words}" in str(error)


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal(),
        Refusal(error=ArmError(message="got no complete answer")),
        refused(429, "Throttled", Retry_After="17"),
        Refusal.from_answer(400, {}, {"code": "BadRequest", "details": [{"code": "AllocationFailed"}]}),
    ],
)
def test_a_refusal_crosses_to_another_process_and_stays_what_it_is(refusal: Refusal) -> None:
    assert Refusal.from_json(json.loads(json.dumps(refusal.to_json()))) == refusal
