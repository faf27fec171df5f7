"""What the fake Resource Manager serves, at which address, and the right that each needs."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.fakes.arm_answers import Answer, Asked
from tests.fakes.arm_cluster import FakeCluster, FakePool, Refused
from tests.fakes.arm_faults import Fault
from tests.fakes.arm_schema import API_VERSION

if TYPE_CHECKING:
    from tests.fakes.arm import FakeArm

Serve = Callable[..., Answer]


@dataclass(frozen=True, slots=True)
class Route:
    pattern: re.Pattern[str]
    rights: Mapping[str, str]
    serve: Serve

    def right(self, method: str) -> str:
        if method not in self.rights:
            raise Refused(405, "MethodNotAllowed", method, subcode=None)
        return self.rights[method]


def _serve_pool(arm: "FakeArm", asked: Asked, fault: Fault | None, cluster: str, pool: str) -> Answer:
    found = arm.pool(cluster, pool)
    if asked.query["api-version"] != [API_VERSION]:
        raise Refused(400, "NoRegisteredProviderFound", str(asked.query), subcode=None)
    if asked.method == "GET":
        return Answer(200, found.body(), {"ETag": found.etag} if found.etag else {})
    return _put(arm, asked, fault, (arm.clusters[cluster.lower()], found))


def _put(arm: "FakeArm", asked: Asked, fault: Fault | None, target: tuple[FakeCluster, FakePool]) -> Answer:
    cluster, pool = target
    match fault:
        case Fault.BUSY:
            if not pool.is_at_work:
                cluster.start_own_operation(pool, arm.clock())
        case Fault.OVER_QUOTA:
            raise Refused(409, "OperationNotAllowed", "It results in exceeding quota limits of Core.")
        case Fault.PREEMPTED:
            raise Refused(409, "AKSOperationPreempted", "This operation has been preempted by another one.")
        case Fault.ETAG:
            raise Refused(412, "EtagMismatch", "the etag is not the pool's", subcode="PutAgentPool_FailedPrecondition")
        case _:
            pass
    operation = cluster.put(pool, json.loads(asked.body), asked.headers.get("if-match"), arm.clock())
    if fault is Fault.OPERATION_FAILS:
        operation.error = {"code": "AllocationFailed", "message": "no capacity"}
    location = f"{arm.url}/subscriptions/{cluster.subscription}/providers/Microsoft.ContainerService"
    where = f"{location}/locations/{cluster.location}/operations/{operation.name}?api-version=2016-03-30&t=signed"
    return Answer(201, pool.body(), {"Azure-AsyncOperation": where, "Retry-After": "30"})


def _serve_pools(arm: "FakeArm", asked: Asked, fault: Fault | None, cluster: str) -> Answer:  # noqa: ARG001
    if cluster.lower() not in arm.clusters:
        raise Refused(404, "ResourceNotFound", f"managedClusters/{cluster} was not found", subcode=None)
    return Answer(200, {"value": [pool.body() for pool in arm.clusters[cluster.lower()].pools.values()]})


def _serve_cluster(arm: "FakeArm", asked: Asked, fault: Fault | None, cluster: str) -> Answer:  # noqa: ARG001
    if cluster.lower() not in arm.clusters:
        raise Refused(404, "ResourceNotFound", f"managedClusters/{cluster} was not found", subcode=None)
    return Answer(200, arm.clusters[cluster.lower()].body(arm.clock()))


def _serve_operation(arm: "FakeArm", asked: Asked, fault: Fault | None, operation: str) -> Answer:  # noqa: ARG001
    known = {name: found for cluster in arm.clusters.values() for name, found in cluster.operations.items()}
    if operation not in known:
        raise Refused(404, "NotFound", f"no operation {operation}")
    return Answer(200, known[operation].body(arm.clock()))


def _serve_permissions(arm: "FakeArm", asked: Asked, fault: Fault | None, cluster: str, pool: str) -> Answer:  # noqa: ARG001
    return Answer(200, {"value": list(arm.rights)})


def _serve_usages(arm: "FakeArm", asked: Asked, fault: Fault | None) -> Answer:  # noqa: ARG001
    return Answer(200, {"value": arm.usages})


def _serve_sizes(arm: "FakeArm", asked: Asked, fault: Fault | None) -> Answer:  # noqa: ARG001
    return Answer(200, {"value": arm.sizes})


CLUSTER = (
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.ContainerService/managedClusters/(?P<cluster>[^/]+)"
)
POOL = CLUSTER + r"/agentPools/(?P<pool>[^/]+)"
AKS = "Microsoft.ContainerService/"
ROUTES = (
    Route(re.compile(CLUSTER, re.IGNORECASE), {"GET": f"{AKS}managedClusters/read"}, _serve_cluster),
    Route(
        re.compile(CLUSTER + "/agentPools", re.IGNORECASE),
        {"GET": f"{AKS}managedClusters/agentPools/read"},
        _serve_pools,
    ),
    Route(
        re.compile(POOL, re.IGNORECASE),
        {"GET": f"{AKS}managedClusters/agentPools/read", "PUT": f"{AKS}managedClusters/agentPools/write"},
        _serve_pool,
    ),
    Route(
        re.compile(POOL + "/providers/Microsoft.Authorization/permissions", re.IGNORECASE),
        {"GET": "Microsoft.Authorization/permissions/read"},
        _serve_permissions,
    ),
    Route(
        re.compile(rf"/subscriptions/[^/]+/providers/{AKS}locations/[^/]+/operations/(?P<operation>[^/]+)"),
        {"GET": f"{AKS}locations/operations/read"},
        _serve_operation,
    ),
    Route(
        re.compile(r"/subscriptions/[^/]+/providers/Microsoft.Compute/locations/[^/]+/usages"),
        {"GET": "Microsoft.Compute/locations/usages/read"},
        _serve_usages,
    ),
    Route(
        re.compile(r"/subscriptions/[^/]+/providers/Microsoft.Compute/skus"),
        {"GET": "Microsoft.Compute/skus/read"},
        _serve_sizes,
    ),
)


def route_of(asked: Asked) -> tuple[Route, dict[str, str]]:
    for route in ROUTES:
        found = route.pattern.fullmatch(asked.path)
        if found is not None:
            return route, found.groupdict()
    raise Refused(404, "InvalidResourceType", asked.path, subcode=None)
