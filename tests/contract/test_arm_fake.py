"""Guards the fake against drift from the published API, and against the SDK that we rely on."""

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError
from azure.mgmt.containerservice.models import AgentPool

from shared.errors import CloudError
from tests.fakes.arm import SUBSCRIPTION
from tests.fakes.arm_cluster import autoscaled, properties
from tests.fakes.arm_harness import AksOnFake
from tests.fakes.arm_schema import API_VERSION, ENUMS, NAMES, READ_ONLY, WRITABLE, faults_in

OF_TOMORROW = frozenset({"aPropertyOfTomorrow"})


def test_the_fake_tells_only_properties_that_the_api_has(aks: AksOnFake) -> None:
    _, found = aks.add("web", **autoscaled(1, 9))
    found.error = {"code": "AllocationFailed"}

    assert set(found.body()["properties"]) - OF_TOMORROW <= NAMES


def test_the_fakes_pool_is_one_that_the_api_takes() -> None:
    described = {name: value for name, value in properties().items() if name in WRITABLE}

    assert list(faults_in(described)) == []


def test_the_facts_that_we_rely_on_still_hold_in_the_sdks_model() -> None:
    assert {"count", "minCount", "maxCount", "enableAutoScaling", "nodeImageVersion", "nodeTaints"} <= WRITABLE
    assert {"eTag", "provisioningState", "currentOrchestratorVersion"} <= READ_ONLY
    assert ENUMS["type"] == {"VirtualMachineScaleSets", "AvailabilitySet", "VirtualMachines"}
    assert ENUMS["mode"] == {"System", "User", "Gateway"}
    assert API_VERSION == "2026-08-01"


@pytest.mark.parametrize(
    ("sent", "fault"),
    [
        ({"provisioningState": "Succeeded"}, "read-only"),
        ({"mode": "Sytem"}, "none of"),
        ({"count": "3"}, "no whole number"),
        ({"count": True}, "no whole number"),
    ],
)
def test_the_fake_refuses_what_the_api_refuses(sent: dict[str, object], fault: str) -> None:
    assert [fault in fault_seen for fault_seen in faults_in(sent)] == [True]


def test_the_sdk_sends_no_if_match_for_an_etag_alone(aks: AksOnFake) -> None:
    _, found = aks.add("web")
    body = AgentPool({"properties": properties()})
    agent_pools = aks.pools._clients.of(SUBSCRIPTION).agent_pools  # noqa: SLF001 - the SDK itself is under test

    agent_pools.begin_create_or_update("rg-shop", "shop", "web", body, etag=found.etag, polling=False)

    assert aks.arm.cluster().misdeeds == ["PUT of web without If-Match although it has an etag"]


def test_a_body_without_its_taints_is_refused(aks: AksOnFake) -> None:
    aks.add("web")
    body = AgentPool({"properties": {"count": 5, "mode": "User"}})
    agent_pools = aks.pools._clients.of(SUBSCRIPTION).agent_pools  # noqa: SLF001

    with pytest.raises(HttpResponseError, match="PropertyChangeNotAllowed"):
        agent_pools.begin_create_or_update(
            "rg-shop", "shop", "web", body, etag="*", match_condition=MatchConditions.IfPresent, polling=False
        )


def test_the_count_of_an_autoscaled_pool_cannot_be_set(aks: AksOnFake) -> None:
    aks.add("web", **autoscaled(1, 9))
    body = AgentPool({"properties": autoscaled(1, 9, count=5)})
    agent_pools = aks.pools._clients.of(SUBSCRIPTION).agent_pools  # noqa: SLF001

    with pytest.raises(HttpResponseError, match="Cannot manually scale AgentPool"):
        agent_pools.begin_create_or_update("rg-shop", "shop", "web", body, polling=False)


def test_an_agent_pools_bucket_holds_twenty_writes_and_gains_one_a_minute(aks: AksOnFake) -> None:
    _, found = aks.add("web")
    found.has_etag = False
    agent_pools = aks.pools._clients.of(SUBSCRIPTION).agent_pools  # noqa: SLF001
    body = AgentPool({"properties": properties(nodeImageVersion=None)})
    [aks.arm.throttle_of(found.resource_id) for _ in range(20)]

    with pytest.raises(HttpResponseError) as refusal:
        agent_pools.begin_create_or_update("rg-shop", "shop", "web", body, polling=False)
    assert refusal.value.status_code == 429
    assert not isinstance(refusal.value, CloudError)
