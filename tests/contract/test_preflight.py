"""``pools check`` against the fake Resource Manager: what it finds out, and that it touches nothing."""

import pytest

from scaler.cloud.aks_inspection import AksInspector, grants
from scaler.preflight import Allowed, PoolCheck, Quota, check_pools
from shared.pools import Pool
from tests.fakes.arm import LEAST_RIGHTS
from tests.fakes.arm_answers import Answer
from tests.fakes.arm_cluster import Body, autoscaled, properties
from tests.fakes.arm_harness import AksOnFake, pool_named

WRITE = "Microsoft.ContainerService/managedClusters/agentPools/write"


def usage(name: str, used: int, limit: int) -> Body:
    return {"unit": "Count", "currentValue": used, "limit": limit, "name": {"value": name, "localizedValue": name}}


def size(name: str, family: str, cores: int) -> Body:
    capabilities = [{"name": "vCPUs", "value": str(cores)}, {"name": "MemoryGB", "value": "16"}]
    return {"resourceType": "virtualMachines", "name": name, "family": family, "capabilities": capabilities}


@pytest.fixture
def region(aks: AksOnFake) -> AksOnFake:
    aks.arm.usages = [
        usage("availabilitySets", 0, 2500),
        usage("cores", 40, 100),
        usage("standardDSv5Family", 40, 80),
        usage("lowPriorityCores", 4, 12),
    ]
    aks.arm.sizes = [
        {"resourceType": "disks", "name": "Standard_D4s_v5"},
        size("Standard_D2s_v5", "standardDSv5Family", 2),
        size("Standard_D4s_v5", "standardDSv5Family", 4),
    ]
    return aks


def checked(aks: AksOnFake, pool: Pool) -> PoolCheck:
    clients = aks.pools._clients  # noqa: SLF001 - the same connections
    return check_pools([pool], AksInspector(clients, aks.pools))[0]


def findings(aks: AksOnFake, pool: Pool) -> str:
    return "\n".join(f"{found.severity.value}: {found.message}" for found in checked(aks, pool).findings)


def test_a_healthy_pool_can_act_and_nothing_was_written(region: AksOnFake) -> None:
    pool, _ = region.add("web")

    result = checked(region, pool_named("web", max_nodes=12))

    assert result.can_act
    assert result.findings == ()
    assert result.inspection.may_write is Allowed.YES
    assert region.arm.asked("PUT") == 0
    assert pool.name == "web"


def test_the_quota_left_is_told_in_nodes_of_this_pool(region: AksOnFake) -> None:
    pool, _ = region.add("web")

    assert checked(region, pool).inspection.quotas == (
        Quota(name="cores", used=40, limit=100, nodes_left=15),
        Quota(name="standardDSv5Family", used=40, limit=80, nodes_left=10),
    )
    assert "leaves room for 10 more nodes; max_nodes needs 17" in findings(region, pool)


def test_a_spot_pool_counts_against_the_spot_quota(region: AksOnFake) -> None:
    pool, _ = region.add("web", **properties(scaleSetPriority="Spot"))

    assert checked(region, pool).inspection.quotas == (Quota(name="lowPriorityCores", used=4, limit=12, nodes_left=2),)


def test_a_missing_right_to_write_is_found_without_writing(region: AksOnFake) -> None:
    region.arm.rights = ({"actions": ["*/read"], "notActions": []},)
    pool, _ = region.add("web")

    result = checked(region, pool)

    assert not result.can_act
    assert result.inspection.missing_rights == (WRITE,)
    assert region.arm.asked("PUT") == 0


def test_least_rights_leave_the_own_rights_and_the_quota_unknown_but_refuse_nothing(region: AksOnFake) -> None:
    region.arm.rights = LEAST_RIGHTS
    pool, _ = region.add("web")

    result = checked(region, pool)

    assert result.can_act
    assert result.inspection.may_write is Allowed.UNKNOWN
    assert "Microsoft.Authorization/permissions/read" in findings(region, pool)
    assert "Microsoft.Compute/locations/usages/read" in findings(region, pool)


def test_a_list_of_several_pages_is_read_to_its_end(region: AksOnFake) -> None:
    pool, _ = region.add("web")
    checked(region, pool)
    more = f"{region.arm.url}/subscriptions/s/providers/Microsoft.Compute/skus?api-version=2021-07-01&page=2"
    region.arm.pages["skus"] = Answer(200, {"value": [{"resourceType": "disks"}, "odd"], "nextLink": more})

    assert checked(region, pool).inspection.quotas[0].nodes_left == 15


def test_an_unknown_vm_size_leaves_the_nodes_left_unknown(region: AksOnFake) -> None:
    pool, _ = region.add("web", **properties(vmSize="Standard_New"))

    assert checked(region, pool).inspection.quotas == (Quota(name="cores", used=40, limit=100),)
    assert "lists no VM size 'Standard_New'" in findings(region, pool)


@pytest.mark.parametrize(
    ("described", "asked", "finding"),
    [
        (properties(type="VirtualMachines"), {}, "refused: pool 'web' is of type VirtualMachines"),
        (properties(powerState={"code": "Stopped"}), {}, "refused: the pool is stopped"),
        (autoscaled(1, 5), {"min_nodes": 6}, "refused: min_nodes is 6, above the autoscaler's maxCount of 5"),
        (autoscaled(1, 5), {"max_nodes": 9}, "limited: max_nodes is 9, but the autoscaler's maxCount is 5"),
        (autoscaled(3, 30), {}, "note: the autoscaler's minCount is 3: Forescale will move it"),
        (properties(mode="System"), {"min_nodes": 0}, "limited: min_nodes is 0, but a System pool keeps"),
        (properties(scaleSetPriority="Spot"), {}, "note: a spot pool"),
    ],
)
def test_what_would_be_refused_or_held_is_said_before(
    region: AksOnFake, described: Body, asked: dict[str, int], finding: str
) -> None:
    region.add("web", **described)

    assert finding in findings(region, pool_named("web", **asked))


def test_a_pool_at_work_and_a_pool_that_failed_are_told(region: AksOnFake) -> None:
    busy, found = region.add("busy")
    found.state = "Upgrading"
    failed, found = region.add("failed")
    found.state = "Failed"

    assert "limited: an operation is in progress" in findings(region, busy)
    assert "limited: the last operation failed" in findings(region, failed)


def test_a_pool_that_does_not_exist_cannot_act(region: AksOnFake) -> None:
    region.add("web")

    result = checked(region, pool_named("other"))

    assert not result.can_act
    assert result.fields()["exists"] is False
    assert result.row()["can act"] == "NO"


def test_a_pool_without_a_cluster_is_a_mistake_in_the_pools_file(region: AksOnFake) -> None:
    assert "names no cluster" in findings(region, pool_named("web", cluster=None))


@pytest.mark.parametrize(
    ("roles", "granted"),
    [
        ([], False),
        ([{"actions": ["*"], "notActions": []}], True),
        ([{"actions": ["microsoft.containerservice/MANAGEDCLUSTERS/agentpools/*"], "notActions": []}], True),
        ([{"actions": ["*/read"], "notActions": []}], False),
        ([{"actions": ["*"], "notActions": ["*/write"]}], False),
        ([{"actions": ["*"], "notActions": ["*/write"]}, {"actions": [WRITE], "notActions": []}], True),
        ([{"actions": None}], False),
    ],
)
def test_rights_add_up_over_roles_and_each_role_takes_back_only_its_own(roles: list[Body], *, granted: bool) -> None:
    assert grants(roles, WRITE) is granted
