"""Calls to Resource Manager that the AKS client has no method for, and the translation of what any call raises."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import AzureError, HttpResponseError
from azure.core.rest import HttpRequest

from scaler.cloud.arm_errors import Action, Errand, translated
from shared.errors import ConfigurationError, Transient

if TYPE_CHECKING:
    from azure.mgmt.containerservice import ContainerServiceClient

    from shared.pools import Cluster, Pool

MOST_PAGES = 100
"""A list that goes on for longer does not end; the longest that we read, the VM sizes of a region, has a few pages."""


def cluster_of(pool: "Pool") -> "Cluster":
    """Cluster of a pool; raises :class:`~shared.errors.ConfigurationError` for a pool that names none."""
    if pool.cluster is None:
        msg = f"pool {pool.name!r} names no cluster: the azure backend needs one"
        raise ConfigurationError(msg)
    return pool.cluster


@contextmanager
def errand(doing: str, action: Action, pool: "Pool") -> Iterator[None]:
    """Translate whatever the SDK raises inside; a body that is not what was expected counts as one that never came."""
    told = Errand(doing=doing, action=action, pool=pool)
    try:
        yield
    except AzureError as exc:
        raise translated(exc, told) from exc
    except ValueError as exc:
        msg = f"{told}: the answer is not the JSON that was expected: {exc}"
        raise Transient(msg) from exc


def answer_of(client: "ContainerServiceClient", url: str) -> Mapping[str, Any]:
    """GET the JSON object at ``url`` through the client's pipeline; raises what belongs inside an :func:`errand`."""
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
