"""Each answer of Resource Manager becomes one of our errors, by status and code, whatever its words are."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from shared.errors import (
    CloudError,
    Forbidden,
    NoCapacity,
    PoolBusy,
    PoolChanged,
    PoolNotFound,
    QuotaExceeded,
    SubnetFull,
    Throttled,
    Transient,
)
from tests.fakes.arm_answers import Answer
from tests.fakes.arm_harness import AksOnFake


def bare(code: str, **more: Any) -> dict[str, Any]:
    """Return an error as AKS itself writes it."""
    return {"code": code, "message": "words of no meaning", "details": None, "subcode": ""} | more


def enveloped(code: str, **more: Any) -> dict[str, Any]:
    """Return an error as Resource Manager writes it."""
    return {"error": bare(code, **more)}


@pytest.mark.parametrize("shape", [bare, enveloped])
@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "QuotaExceeded", QuotaExceeded),
        (400, "InsufficientVCPUQuota", QuotaExceeded),
        (400, "OperationNotAllowed", QuotaExceeded),
        (409, "AllocationFailed", NoCapacity),
        (409, "ZonalAllocationFailed", NoCapacity),
        (409, "OverconstrainedAllocationRequest", NoCapacity),
        (409, "OverconstrainedZonalAllocationRequest", NoCapacity),
        (409, "SkuNotAvailable", NoCapacity),
        (400, "AksCapacityHeavyUsage", NoCapacity),
        (400, "SubnetIsFull", SubnetFull),
        (400, "InsufficientSubnetSize", SubnetFull),
        (409, "EtagMismatch", PoolChanged),
        (412, "EtagMismatch", PoolChanged),
        (412, "SomethingNew", PoolChanged),
        (409, "AKSOperationPreempted", PoolBusy),
        (409, "AKSOperationPreemptedByDelete", PoolBusy),
        (409, "SomethingNew", PoolBusy),
        (403, "AuthorizationFailed", Forbidden),
        (403, "SomethingNew", Forbidden),
        (409, "ScopeLocked", Forbidden),
        (404, "ResourceGroupNotFound", PoolNotFound),
        (404, "SomethingNew", PoolNotFound),
        (429, "Throttled", Throttled),
        (429, "TooManyRequests", Throttled),
        (500, "InternalOperationError", Transient),
        (408, "SomethingNew", Transient),
        (400, "InvalidParameter", CloudError),
        (400, "PropertyChangeNotAllowed", CloudError),
        (409, "MissingSubscriptionRegistration", CloudError),
        (418, "SomethingNew", CloudError),
    ],
)
def test_a_status_and_a_code_make_one_error(
    aks: AksOnFake,
    shape: Callable[[str], dict[str, Any]],
    status: int,
    code: str,
    kind: type[CloudError],
) -> None:
    pool, _ = aks.add("web")
    aks.arm.answer_next("PUT", Answer(status, shape(code)))

    with pytest.raises(CloudError) as refusal:
        aks.scale(pool, 7)
    assert type(refusal.value) is kind
    assert refusal.value.code == code


@pytest.mark.parametrize(
    "body",
    [
        bare("CreateVMSSAgentPoolFailed", details=[bare("AllocationFailed")]),
        bare("BadRequest", details=[bare("InvalidTemplateDeployment", details=[bare("AllocationFailed")])]),
        bare("BadRequest", innererror={"code": "AllocationFailed"}),
        bare("BadRequest", subcode="AllocationFailed"),
    ],
)
def test_the_code_nearest_to_the_cause_decides(aks: AksOnFake, body: dict[str, Any]) -> None:
    pool, _ = aks.add("web")
    aks.arm.answer_next("PUT", Answer(400, body))

    with pytest.raises(NoCapacity) as refusal:
        aks.scale(pool, 7)
    assert refusal.value.code == "AllocationFailed"


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        ("AuthorizationFailed", "Microsoft.ContainerService/managedClusters/agentPools/write"),
        ("LinkedAuthorizationFailed", "Microsoft.Network/virtualNetworks/subnets/join/action"),
        ("RequestDisallowedByPolicy", "Azure Policy"),
        ("ScopeLocked", "remove the lock"),
    ],
)
def test_a_refused_right_says_what_to_do(aks: AksOnFake, code: str, remedy: str) -> None:
    pool, _ = aks.add("web")
    aks.arm.answer_next("PUT", Answer(403, enveloped(code)))

    with pytest.raises(Forbidden, match=re.escape(remedy)):
        aks.scale(pool, 7)


def test_nothing_is_registered_in_the_operators_subscription(aks: AksOnFake) -> None:
    pool, _ = aks.add("web")
    message = "The subscription is not registered to use namespace 'Microsoft.ContainerService'"
    aks.arm.answer_next("GET", Answer(409, enveloped("MissingSubscriptionRegistration", message=message)))

    with pytest.raises(CloudError):
        aks.read(pool)
    assert [method for method, _ in aks.arm.log] == ["GET"]


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"Retry-After": "17"}, 17),
        ({}, 60),
        ({"Retry-After": "soon"}, 60),
        ({"Retry-After": "-5"}, 60),
        ({"Retry-After": "Sun, 06 Nov 1994 08:49:37 GMT"}, 60),
    ],
)
def test_a_throttle_waits_as_long_as_it_is_told_or_a_minute(
    aks: AksOnFake, headers: dict[str, str], wait_s: float
) -> None:
    pool, _ = aks.add("web")
    aks.arm.answer_next("PUT", Answer(429, bare("Throttled"), headers))

    with pytest.raises(Throttled) as refusal:
        aks.scale(pool, 7)
    assert refusal.value.retry_after.total_seconds() == wait_s


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b'"text"', b"<html>", b'{"error": "text"}', b'{"error": {"details": [1]}}']
)
def test_a_body_that_is_none_of_azures_leaves_the_status_to_decide(aks: AksOnFake, body: bytes) -> None:
    pool, _ = aks.add("web")
    aks.arm.answer_next("PUT", Answer(412, body))

    with pytest.raises(PoolChanged):
        aks.scale(pool, 7)
