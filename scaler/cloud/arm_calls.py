"""What a call about a pool needs and means, and the calls to Resource Manager that the AKS client has no method for."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import HttpResponseError
from azure.core.rest import HttpRequest

from shared.cloud.arm_errors import CallContext
from shared.errors import ConfigurationError, PoolBusy, PoolNotFound

if TYPE_CHECKING:
    from azure.mgmt.containerservice import ContainerServiceClient

    from shared.pools import Cluster, Pool

MOST_PAGES = 100
"""A list that goes on for longer does not end; the longest that we read, the VM sizes of a region, has a few pages."""


class Action(StrEnum):
    """The rights that Forescale uses, by their names in a role definition."""

    READ_POOL = "Microsoft.ContainerService/managedClusters/agentPools/read"
    WRITE_POOL = "Microsoft.ContainerService/managedClusters/agentPools/write"
    READ_CLUSTER = "Microsoft.ContainerService/managedClusters/read"
    READ_OPERATION = "Microsoft.ContainerService/locations/operations/read"
    READ_PERMISSIONS = "Microsoft.Authorization/permissions/read"
    READ_USAGES = "Microsoft.Compute/locations/usages/read"
    READ_SIZES = "Microsoft.Compute/skus/read"


def cluster_of(pool: "Pool") -> "Cluster":
    """Cluster of a pool; raises :class:`~shared.errors.ConfigurationError` for a pool that names none."""
    if pool.cluster is None:
        msg = f"pool {pool.name!r} names no cluster: the azure backend needs one"
        raise ConfigurationError(msg)
    return pool.cluster


def pool_context(doing: str, action: Action, pool: "Pool") -> CallContext:
    """Return the context of a call about a pool that needs the right ``action``."""
    cluster = pool.cluster
    where = "" if cluster is None else f" of cluster {cluster.name!r} in {cluster.resource_group!r}"
    return CallContext(
        doing=doing,
        target=f"pool {pool.node_pool!r}{where}",
        right=f"{action} on the cluster",
        missing=PoolNotFound,
        remedy="correct the cluster or the node pool in the pools file",
        conflict=PoolBusy,
    )


def answer_of(client: "ContainerServiceClient", url: str) -> Mapping[str, Any]:
    """GET the JSON object at ``url`` through the client's pipeline; raises what ``translate_refusals`` translates."""
    answer = client.send_request(HttpRequest("GET", url))
    if answer.status_code not in {HTTPStatus.OK, HTTPStatus.ACCEPTED}:
        raise HttpResponseError(response=answer)
    body = answer.json()
    if not isinstance(body, Mapping):
        msg = f"an object was expected, not {type(body).__name__}"
        raise ValueError(msg)  # noqa: TRY004 - an answer of the wrong shape, not an argument of the wrong type
    return body


def items_of(client: "ContainerServiceClient", url: str) -> Iterator[Mapping[str, Any]]:
    """Every object of a list, page by page."""
    for _ in range(MOST_PAGES):
        page = answer_of(client, url)
        items = page.get("value")
        yield from (item for item in items if isinstance(item, Mapping)) if isinstance(items, list) else ()
        url = str(page.get("nextLink") or "")
        if not url:
            return
