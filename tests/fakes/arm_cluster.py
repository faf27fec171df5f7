"""An AKS cluster as seen from outside: pools that take their time, an autoscaler, a core quota, and a jealous lock."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.fakes.arm_schema import NAMES, WRITABLE, faults_in

OPERATION_TAKES = timedelta(minutes=4)
UNNEEDED_FOR = timedelta(minutes=10)
"""The autoscaler's scale-down-unneeded-time by default."""

Body = dict[str, Any]


class Refused(Exception):
    """An answer that is not 2xx; AKS itself writes its errors bare, Resource Manager in an envelope."""

    def __init__(self, status: int, code: str, message: str = "", *, subcode: str | None = "") -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        error: Body = {"code": code, "message": message or code, "details": None}
        self.body: Body = {"error": error} if subcode is None else {**error, "subcode": subcode}


@dataclass(slots=True)
class AsyncOperation:
    name: str
    began: datetime
    takes: timedelta = OPERATION_TAKES
    error: Body | None = None
    is_cancelled: bool = False

    def is_over(self, now: datetime) -> bool:
        return now >= self.began + self.takes

    def body(self, now: datetime) -> Body:
        answer: Body = {"name": self.name, "startTime": self.began.isoformat(), "status": "InProgress"}
        if not self.is_over(now):
            return answer
        answer["endTime"] = (self.began + self.takes).isoformat()
        answer["status"] = "Canceled" if self.is_cancelled else "Failed" if self.error else "Succeeded"
        return answer | ({"error": self.error} if self.error else {})


def properties(**changed: object) -> Body:
    """Return an agent pool as AKS describes one, with properties that this SDK does not know yet."""
    return {
        "count": 3,
        "vmSize": "Standard_D4s_v5",
        "osDiskSizeGB": 128,
        "osDiskType": "Managed",
        "maxPods": 110,
        "osType": "Linux",
        "osSKU": "Ubuntu",
        "type": "VirtualMachineScaleSets",
        "mode": "User",
        "orchestratorVersion": "1.34.1",
        "currentOrchestratorVersion": "1.34.1",
        "enableAutoScaling": False,
        "scaleDownMode": "Delete",
        "nodeImageVersion": "AKSUbuntu-2204gen2containerd-202602.10.0",
        "upgradeSettings": {"maxSurge": "10%", "aSettingOfTomorrow": 7},
        "powerState": {"code": "Running"},
        "availabilityZones": ["1", "2", "3"],
        "nodeLabels": {"team": "shop"},
        "nodeTaints": ["shop=true:NoSchedule"],
        "tags": {"cost-centre": "42"},
        "aPropertyOfTomorrow": {"kept": [1, {"and": "nested"}]},
        **changed,
    }


def autoscaled(minimum: int, maximum: int, **changed: object) -> Body:
    return properties(enableAutoScaling=True, minCount=minimum, maxCount=maximum, **changed)


@dataclass(slots=True)
class FakePool:
    name: str
    properties: Body
    resource_id: str
    version: int = 1
    operation: AsyncOperation | None = None
    real_nodes: int = 0
    pods_need_nodes: int = 0
    unneeded_since: datetime | None = None
    has_etag: bool = True
    told_etag: str | None = None
    rollbacks: int = 0
    marks: list[str] = field(default_factory=list)
    state: str = "Succeeded"
    error: Body | None = None

    def __post_init__(self) -> None:
        self.real_nodes = self.real_nodes or int(self.properties["count"])

    @property
    def etag(self) -> str | None:
        return f'W/"{self.name}-{self.version}"' if self.has_etag else None

    @property
    def is_at_work(self) -> bool:
        return self.state not in {"Succeeded", "Failed", "Canceled"}

    def body(self) -> Body:
        properties = copy.deepcopy(self.properties) | {"provisioningState": self.state}
        properties |= {"eTag": self.etag} if self.has_etag else {}
        self.told_etag = self.etag
        properties |= {"status": {"provisioningError": self.error}} if self.error else {}
        kind = "Microsoft.ContainerService/managedClusters/agentPools"
        return {"id": self.resource_id, "name": self.name, "type": kind, "properties": properties}

    def settle(self, now: datetime) -> None:
        """Let time pass: operations end, the autoscaler looks at its pods."""
        if self.operation is not None and self.operation.is_over(now):
            self._end(self.operation)
        if not self.is_at_work and self.properties["enableAutoScaling"]:
            self._autoscale(now)

    def change(self, **changed: object) -> None:
        """Let somebody else change the pool."""
        self.properties |= changed
        self.version += 1

    def change_by_others(self) -> None:
        """Let an operator leave a mark that must not get lost."""
        self.marks.append(f"mark-{self.version}")
        self.change(tags={**self.properties["tags"], self.marks[-1]: "by an operator"})

    def _end(self, operation: AsyncOperation) -> None:
        self.operation = None
        self.version += 1
        self.error = operation.error
        self.state = "Canceled" if operation.is_cancelled else "Failed" if operation.error else "Succeeded"
        if self.state == "Succeeded" and not self.properties["enableAutoScaling"]:
            self.real_nodes = int(self.properties["count"])

    def _autoscale(self, now: datetime) -> None:
        low, high = int(self.properties["minCount"]), int(self.properties["maxCount"])
        need = min(max(low, self.pods_need_nodes), high)
        if need >= self.real_nodes:
            self.unneeded_since = None
        elif self.unneeded_since is None:
            self.unneeded_since = now
        is_unneeded = self.unneeded_since is not None and now - self.unneeded_since >= UNNEEDED_FOR
        if need > self.real_nodes or is_unneeded:
            self.real_nodes = need
            self.unneeded_since = None
            self.change(count=need)


@dataclass(slots=True)
class FakeCluster:
    subscription: str
    resource_group: str
    name: str
    location: str = "westeurope"
    pools: dict[str, FakePool] = field(default_factory=dict)
    busy_until: datetime | None = None
    cores_limit: int = 4000
    cores_per_node: int = 4
    operations: dict[str, AsyncOperation] = field(default_factory=dict)
    puts: list[tuple[datetime, str, Body]] = field(default_factory=list)
    misdeeds: list[str] = field(default_factory=list)

    @property
    def resource_id(self) -> str:
        group = f"/subscriptions/{self.subscription}/resourceGroups/{self.resource_group}"
        return f"{group}/providers/Microsoft.ContainerService/managedClusters/{self.name}"

    @property
    def cores(self) -> int:
        return sum(pool.real_nodes for pool in self.pools.values()) * self.cores_per_node

    def add(self, name: str, **described: Any) -> FakePool:
        pool = FakePool(name, described or properties(), f"{self.resource_id}/agentPools/{name}")
        self.pools[name] = pool
        return pool

    def body(self, now: datetime) -> Body:
        state = "Updating" if self.busy_until is not None and now < self.busy_until else "Succeeded"
        return {"id": self.resource_id, "name": self.name, "location": self.location} | {
            "properties": {"provisioningState": state, "powerState": {"code": "Running"}}
        }

    def settle(self, now: datetime) -> None:
        for pool in self.pools.values():
            pool.settle(now)

    def put(self, pool: FakePool, sent: Mapping[str, Any], if_match: str | None, now: datetime) -> AsyncOperation:
        """Take a write as AKS does, or refuse it."""
        self._refuse_if_at_work(pool, now)
        if if_match is None and pool.etag is not None:
            self.misdeeds.append(f"PUT of {pool.name} without If-Match although it has an etag")
        if if_match == "*":
            if_match = pool.told_etag = pool.etag
        if if_match is not None and if_match != pool.told_etag:
            self.misdeeds.append(f"PUT of {pool.name} with {if_match}, although {pool.told_etag} was told since")
        if if_match is not None and if_match != pool.etag:
            raise Refused(412, "EtagMismatch", "the etag is not the pool's", subcode="PutAgentPool_FailedPrecondition")
        wanted = self._checked(pool, sent)
        operation = AsyncOperation(name=f"op-{len(self.operations) + 1}", began=now)
        if not wanted["enableAutoScaling"]:
            more = (int(wanted["count"]) - pool.real_nodes) * self.cores_per_node
            if more > 0 and self.cores + more > self.cores_limit:
                raise Refused(400, "ErrCode_InsufficientVCPUQuota", "left regional vcpu quota 0")
        image = pool.properties["nodeImageVersion"]
        pool.properties = copy.deepcopy(wanted) | {"nodeImageVersion": image}
        pool.state, pool.operation = "Updating", operation
        pool.version += 1
        self.operations[operation.name] = operation
        self.puts.append((now, pool.name, copy.deepcopy(dict(sent))))
        return operation

    def start_own_operation(self, pool: FakePool, now: datetime) -> None:
        """Let AKS begin something by itself, as it does."""
        pool.state, pool.operation = "Updating", AsyncOperation(name="aks", began=now, takes=timedelta(minutes=3))
        pool.version += 1

    def _refuse_if_at_work(self, pool: FakePool, now: datetime) -> None:
        if self.busy_until is not None and now < self.busy_until:
            raise Refused(409, "OperationNotAllowed", "Another operation (Updating) is at work.")
        if pool.is_at_work:
            if pool.operation is not None and pool.operation.name != "aks":
                self.misdeeds.append(f"PUT of {pool.name} while {pool.operation.name} is in flight")
            raise Refused(409, "OperationNotAllowed", f"Another agentpool operation ({pool.name}) is at work.")

    def _checked(self, pool: FakePool, sent: Mapping[str, Any]) -> Body:
        """Check a body the way the API does; what is left out falls back to nothing, or is refused."""
        body = dict(sent.get("properties") or {})
        faults = [*faults_in(body), *(f"{key} is read-only" for key in sent if key != "properties")]
        if faults:
            raise Refused(400, "InvalidRequestBody", "; ".join(faults))
        if body.pop("nodeImageVersion", None) is not None:
            pool.rollbacks += 1
        if body.get("nodeTaints") != pool.properties.get("nodeTaints"):
            raise Refused(400, "PropertyChangeNotAllowed", "Changing property 'properties.nodeTaints' is not allowed.")
        self._check_counts(pool, body)
        unknown = {name for name in body if name not in NAMES and name not in pool.properties}
        if unknown:
            raise Refused(400, "InvalidRequestBody", f"unknown {sorted(unknown)}")
        computed = {name: value for name, value in pool.properties.items() if name in NAMES - WRITABLE}
        return {"enableAutoScaling": False, **body, **computed}

    def _check_counts(self, pool: FakePool, body: Body) -> None:
        lowest = 1 if body.get("mode") == "System" else 0
        if not body.get("enableAutoScaling"):
            if not lowest <= body.get("count", -1) <= 1000:
                raise Refused(400, "InvalidParameter", f"count must be {lowest} to 1000")
            return
        if pool.properties["enableAutoScaling"] and body.get("count") != pool.properties["count"]:
            raise Refused(400, "InvalidParameter", "Cannot manually scale AgentPool with cluster autoscaler enabled")
        if not lowest <= body["minCount"] <= body["maxCount"] <= 1000:
            raise Refused(400, "InvalidParameter", f"minCount must be {lowest} to maxCount")
