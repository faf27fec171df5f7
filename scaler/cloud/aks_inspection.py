"""Looks at an AKS node pool without touching it: its state, the app's own rights there, and the quota left."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from scaler.cloud.aks import AksNodePools, arm_clients
from scaler.cloud.arm_calls import Action, cluster_of, items_of, pool_context
from scaler.preflight import Allowed, Inspection, Quota
from shared.clock import system_clock
from shared.cloud.arm_errors import translate_refusals
from shared.errors import CloudError, ConfigurationError

if TYPE_CHECKING:
    from azure.mgmt.containerservice import ContainerServiceClient

    from scaler.cloud.arm_client import ArmClients
    from scaler.core.pool import PoolState
    from shared.pools import Pool
    from shared.settings import Settings

PERMISSIONS_API = "2022-04-01"
USAGES_API = "2024-07-01"
SIZES_API = "2021-07-01"
ALL_CORES = "cores"
SPOT_CORES = "lowprioritycores"
WRITING = (Action.WRITE_POOL,)
"""What a resize needs beyond the reading, which the inspection itself has just done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Size:
    """A VM size: the quota family it counts in, and its cores."""

    family: str
    cores: int


class AksInspector:
    """``scaler.preflight.PoolInspector`` over AKS: reads only."""

    def __init__(self, clients: "ArmClients", node_pools: AksNodePools) -> None:
        self._clients = clients
        self._node_pools = node_pools

    def inspect(self, pool: "Pool") -> Inspection:
        """See :meth:`scaler.preflight.PoolInspector.inspect`."""
        try:
            state = self._node_pools.read(pool)
        except (CloudError, ConfigurationError) as exc:
            return Inspection(fault=str(exc))
        client = self._clients.of(cluster_of(pool).subscription_id)
        found = Inspection(state=state)
        found = _unless_refused(found, lambda so_far: _with_rights(so_far, pool, client))
        return _unless_refused(found, lambda so_far: _with_quotas(so_far, pool, state, client))


def aks_inspector(settings: "Settings") -> AksInspector:
    """Return the inspector of the cloud that the settings name, through the app's identity."""
    clients = arm_clients(settings)
    return AksInspector(clients, AksNodePools(clients, system_clock))


def grants(permissions: Iterable[Mapping[str, Any]], action: str) -> bool:
    """Tell whether roles allow an action: one that names it, by name or ``*``, and does not take it back.

    A role's ``notActions`` take back from that role only; what another one gives stays.
    """
    return any(
        _names(role.get("actions"), action) and not _names(role.get("notActions"), action) for role in permissions
    )


def _unless_refused(found: Inspection, more: Callable[[Inspection], Inspection]) -> Inspection:
    """Add what may be asked; what may not is an unknown, not an error: the scaler itself does not need it."""
    try:
        return more(found)
    except CloudError as exc:
        return replace(found, unknowns=(*found.unknowns, str(exc)))


def _with_rights(found: Inspection, pool: "Pool", client: "ContainerServiceClient") -> Inspection:
    """Add what the app's own roles allow on the pool; locks, policies and deny assignments are not in them."""
    cluster = cluster_of(pool)
    scope = (
        f"/subscriptions/{_part(cluster.subscription_id)}/resourceGroups/{_part(cluster.resource_group)}"
        f"/providers/Microsoft.ContainerService/managedClusters/{_part(cluster.name)}/agentPools/{_part(pool.node_pool)}"
    )
    url = f"{scope}/providers/Microsoft.Authorization/permissions?api-version={PERMISSIONS_API}"
    with translate_refusals(pool_context("reading the app's own rights on", Action.READ_PERMISSIONS, pool)):
        roles = list(items_of(client, url))
    missing = tuple(str(action) for action in WRITING if not grants(roles, action))
    return replace(found, may_write=Allowed.NO if missing else Allowed.YES, missing_rights=missing)


def _with_quotas(found: Inspection, pool: "Pool", state: "PoolState", client: "ContainerServiceClient") -> Inspection:
    """Add the quotas that the pool's nodes count against: the region's cores, and those of its VM family."""
    cluster = cluster_of(pool)
    with translate_refusals(pool_context("finding the region of", Action.READ_CLUSTER, pool)):
        location = str(client.managed_clusters.get(cluster.resource_group, cluster.name).location)
    compute = f"/subscriptions/{_part(cluster.subscription_id)}/providers/Microsoft.Compute"
    with translate_refusals(pool_context("reading the quotas of", Action.READ_USAGES, pool)):
        usages = list(items_of(client, f"{compute}/locations/{_part(location)}/usages?api-version={USAGES_API}"))
    found = replace(found, quotas=tuple(_quotas(usages, {SPOT_CORES if state.is_spot else ALL_CORES}, cores=None)))
    with translate_refusals(pool_context("reading the VM sizes of", Action.READ_SIZES, pool)):
        region = quote(f"location eq '{location}'")
        sizes = items_of(client, f"{compute}/skus?api-version={SIZES_API}&$filter={region}")
        size = next((_size(item) for item in sizes if _is_size(item, state.vm_size)), None)
    if size is None:
        unknown = f"Azure lists no VM size {state.vm_size!r} in {location}: the quota left in nodes is unknown"
        return replace(found, unknowns=(*found.unknowns, unknown))
    names = {SPOT_CORES} if state.is_spot else {ALL_CORES, size.family}
    return replace(found, quotas=tuple(_quotas(usages, names, cores=size.cores)))


def _quotas(usages: Iterable[Mapping[str, Any]], names: set[str], *, cores: int | None) -> Iterable[Quota]:
    for usage in usages:
        name = str((usage.get("name") or {}).get("value", ""))
        if name.lower() in names:
            used, limit = int(usage.get("currentValue") or 0), int(usage.get("limit") or 0)
            left = None if cores is None else max(0, limit - used) // cores
            yield Quota(name=name, used=used, limit=limit, nodes_left=left)


def _is_size(item: Mapping[str, Any], name: str) -> bool:
    return item.get("resourceType") == "virtualMachines" and str(item.get("name", "")).lower() == name.lower()


def _size(item: Mapping[str, Any]) -> _Size:
    values = {str(capability.get("name")): capability.get("value") for capability in item.get("capabilities") or ()}
    cores = max(1, math.ceil(float(values.get("vCPUs") or 1)))
    return _Size(family=str(item.get("family", "")).lower(), cores=cores)


def _names(patterns: Iterable[str] | None, action: str) -> bool:
    return any(fnmatchcase(action.lower(), pattern.lower()) for pattern in patterns or ())


def _part(value: str) -> str:
    return quote(value, safe="")
