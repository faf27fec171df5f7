"""AKS node pools, read and resized through Azure Resource Manager."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from threading import Lock
from typing import TYPE_CHECKING, Any

from azure.core import MatchConditions
from azure.core.exceptions import AzureError

from scaler.cloud.agent_pool import resized, state_of, within_limits
from scaler.cloud.arm_budget import ArmBudget
from scaler.cloud.arm_calls import Action, answer_of, cluster_of, pool_context
from scaler.cloud.arm_client import ArmClients
from scaler.cloud.arm_operation import UNCHANGED, Accepted, outcome_by_state, outcome_of
from scaler.core.pool import Operation, PoolState, Provisioning
from scaler.ports import OperationOutcome, OperationStatus
from shared.clock import Clock, system_clock
from shared.cloud.arm_endpoint import arm_endpoint
from shared.cloud.arm_errors import Refusal, translate, translate_refusals
from shared.cloud.identity import app_credential
from shared.errors import (
    CloudError,
    Forbidden,
    PoolBusy,
    PoolChanged,
    PoolNotFound,
    PoolUnsupported,
    QuotaExceeded,
)

if TYPE_CHECKING:
    from azure.mgmt.containerservice.models import AgentPool

    from scaler.core.pool import Resize
    from shared.pools import Cluster, Pool
    from shared.settings import Settings

SAME_TICK = timedelta(seconds=20)
"""How long one list of a cluster's pools answers for all of them; far less than the minute between two ticks."""
BELIEVED_FOR = timedelta(hours=1)
"""Resizes take minutes, and the autoscaler gives up on a node after 15: an operation of an hour is stuck."""


@dataclass(slots=True)
class _Listing:
    """The pools of one cluster as last listed, by name, without those that we have written since.

    The lock lets one thread ask while the others wait for its answer.
    """

    lock: Lock = field(default_factory=Lock)
    at: datetime | None = None
    pools: dict[str, "AgentPool"] = field(default_factory=dict)
    written: set[str] = field(default_factory=set)

    def answers(self, now: datetime) -> bool:
        """Whether it is fresh; a clock that stepped back makes it stale."""
        return self.at is not None and timedelta() <= now - self.at < SAME_TICK


class AksNodePools:
    """``scaler.ports.NodePools`` over AKS; safe to share between threads."""

    def __init__(self, clients: "ArmClients", clock: "Clock") -> None:
        self._clients = clients
        self._clock = clock
        self._lock = Lock()
        self._listings: dict[Cluster, _Listing] = {}

    def read(self, pool: "Pool") -> PoolState:
        """See :meth:`scaler.ports.NodePools.read`; one list call answers for all pools of the cluster."""
        listing = self._listed(pool)
        name = pool.node_pool.lower()
        if name in listing.written:
            return state_of(self._got(pool))
        found = listing.pools.get(name)
        if found is None:
            names = ", ".join(sorted(listing.pools)) or "none"
            msg = f"cluster {cluster_of(pool).name!r} has no node pool {pool.node_pool!r}; it has: {names}"
            raise PoolNotFound(msg)
        return state_of(found)

    def resize(self, pool: "Pool", state: PoolState, resize: "Resize") -> Operation:
        """See :meth:`scaler.ports.NodePools.resize`; the operation says what was really asked for, within AKS's limits.

        A pool that failed is written even at its present value: that is what repairs it.
        """
        found = self._got(pool)
        fresh = state_of(found)
        _refuse_if_moved(pool, state, fresh, resize)
        within = within_limits(fresh, resize)
        if within.nodes == fresh.configured_nodes and fresh.provisioning is Provisioning.READY:
            return Operation(handle=UNCHANGED, resize=within, started_at=self._clock())
        started_at = self._clock()
        handle = self._put(pool, resized(found, within), fresh, adds=within.nodes > fresh.configured_nodes)
        return Operation(handle=handle, resize=within, started_at=started_at)

    def outcome(self, pool: "Pool", operation: Operation) -> OperationOutcome:
        """See :meth:`scaler.ports.NodePools.outcome`.

        Where the operation itself cannot be read (no right to, forgotten by Azure, at a foreign address), or has run
        for so long that it must be stuck, the pool's state tells: it is what AKS itself goes by.
        """
        if operation.handle == UNCHANGED:
            return OperationOutcome(status=OperationStatus.SUCCEEDED, took=timedelta())
        is_recent = self._clock() - operation.started_at < BELIEVED_FOR
        if is_recent and self._clients.endpoint.owns(operation.handle):
            try:
                return outcome_of(self._asked(pool, operation.handle), operation, self._clock())
            except (Forbidden, PoolNotFound):
                pass
        return outcome_by_state(self._got(pool), operation, self._clock())

    def close(self) -> None:
        """Close every connection."""
        self._clients.close()

    def _listed(self, pool: "Pool") -> _Listing:
        cluster = cluster_of(pool)
        listing = self._listing(cluster)
        with listing.lock:
            if not listing.answers(self._clock()):
                client = self._clients.of(cluster.subscription_id)
                listing.written.clear()
                with translate_refusals(pool_context("listing", Action.READ_POOL, pool)):
                    found = list(client.agent_pools.list(cluster.resource_group, cluster.name))
                listing.pools = {str(listed.name).lower(): listed for listed in found}
                listing.at = self._clock()
            return listing

    def _listing(self, cluster: "Cluster") -> _Listing:
        with self._lock:
            return self._listings.setdefault(cluster, _Listing())

    def _got(self, pool: "Pool") -> "AgentPool":
        cluster = cluster_of(pool)
        client = self._clients.of(cluster.subscription_id)
        with translate_refusals(pool_context("reading", Action.READ_POOL, pool)):
            return client.agent_pools.get(cluster.resource_group, cluster.name, pool.node_pool)

    def _put(self, pool: "Pool", body: "AgentPool", fresh: PoolState, *, adds: bool) -> str:
        """Write the body if the pool still is what was read, and return the operation's handle."""
        cluster = cluster_of(pool)
        client = self._clients.of(cluster.subscription_id)
        accepted = Accepted()
        try:
            client.agent_pools.begin_create_or_update(
                cluster.resource_group,
                cluster.name,
                pool.node_pool,
                body,
                polling=accepted,
                **_only_if(fresh.etag),
            )
        except AzureError as exc:
            raise self._refused(exc, pool, adds=adds) from exc
        finally:
            self._listing(cluster).written.add(pool.node_pool.lower())
        return accepted.handle

    def _refused(self, exc: AzureError, pool: "Pool", *, adds: bool) -> CloudError:
        """Translate a refused write.

        AKS answers 409 ``OperationNotAllowed`` both for an operation in progress and for a quota. The states decide: if
        something on the cluster is at work, that is it; if all is settled and the write adds nodes, it is the quota.
        """
        ours, refusal = translate(exc, pool_context("resizing", Action.WRITE_POOL, pool)), Refusal.from_exception(exc)
        is_ambiguous = refusal.status == HTTPStatus.CONFLICT and refusal.error.is_operation_not_allowed
        if not is_ambiguous or not adds or self._is_anything_at_work(pool):
            return ours
        return QuotaExceeded(str(ours), code=ours.code)

    def _is_anything_at_work(self, pool: "Pool") -> bool:
        """Look at the cluster and at all of its pools; what cannot be read may be at work."""
        cluster = cluster_of(pool)
        try:
            client = self._clients.of(cluster.subscription_id)
            with translate_refusals(pool_context("reading the cluster of", Action.READ_CLUSTER, pool)):
                managed = client.managed_clusters.get(cluster.resource_group, cluster.name)
                pools = tuple(client.agent_pools.list(cluster.resource_group, cluster.name))
        except CloudError:
            return True
        states = [managed.provisioning_state, *(found.provisioning_state for found in pools)]
        return any(str(state).lower() not in {"succeeded", "failed", "canceled"} for state in states)

    def _asked(self, pool: "Pool", url: str) -> object:
        """Return the JSON at an address of Resource Manager."""
        client = self._clients.of(cluster_of(pool).subscription_id)
        with translate_refusals(pool_context("following the resize of", Action.READ_OPERATION, pool)):
            return answer_of(client, url)


def aks_node_pools(settings: "Settings") -> AksNodePools:
    """Return the node pools of the cloud that the settings name, through the app's identity."""
    return AksNodePools(arm_clients(settings), system_clock)


def arm_clients(settings: "Settings") -> ArmClients:
    """Return the clients of the cloud that the settings name."""
    return ArmClients(arm_endpoint(settings), app_credential(settings), ArmBudget(system_clock))


def _refuse_if_moved(pool: "Pool", state: PoolState, fresh: PoolState, resize: "Resize") -> None:
    """Refuse to write a pool that is not what the decision rests on, or that AKS would not take a write for.

    A pool with another etag but the same state may be written: what others changed in it is in the body that goes back.
    """
    name = f"pool {pool.node_pool!r}"
    if fresh.is_busy:
        msg = f"{name} has an operation in progress"
        raise PoolBusy(msg)
    if fresh.is_stopped:
        msg = f"{name} is stopped: start it before it is resized"
        raise PoolUnsupported(msg)
    if fresh.scaled_field is not resize.scaled_field:
        msg = f"{name} is sized by its {fresh.scaled_field}, not its {resize.scaled_field}: its autoscaler was switched"
        raise PoolChanged(msg)
    if replace(state, etag=None) != replace(fresh, etag=None):
        msg = f"{name} is not what was read: {state} is now {fresh}"
        raise PoolChanged(msg)


def _only_if(etag: str | None) -> dict[str, Any]:
    """Send If-Match; the SDK leaves the header out unless it gets both arguments. Some API versions give no etag."""
    return {} if etag is None else {"etag": etag, "match_condition": MatchConditions.IfNotModified}
