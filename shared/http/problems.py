"""The one place where our errors become ``application/problem+json`` (RFC 9457), with a ``remedy`` for each."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from shared.errors import (
    BlobChanged,
    BlobNotFound,
    CapacityError,
    CloudError,
    ComputeNotFound,
    ConfigurationError,
    DemandError,
    Forbidden,
    ForescaleError,
    KeyReused,
    ModelRefused,
    NoPreviousModel,
    PoolUnknown,
    RequestRefused,
    RunNotFound,
    RunPending,
    Throttled,
    Transient,
    WorkspaceNotFound,
)
from shared.http.reply import Reply

logger = logging.getLogger(__name__)

PROBLEM = "application/problem+json"
DEFAULT_RETRY_AFTER = timedelta(seconds=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    status: HTTPStatus
    name: str
    title: str
    remedy: str


def _kind(status: HTTPStatus, name: str, title: str, remedy: str) -> _Kind:
    return _Kind(status=status, name=name, title=title, remedy=remedy)


KINDS: tuple[tuple[type[ForescaleError], _Kind], ...] = (
    (KeyReused, _kind(HTTPStatus.UNPROCESSABLE_ENTITY, "key-reused", "The idempotency key is in use",
                      "Send a new Idempotency-Key with a new request.")),
    (RequestRefused, _kind(HTTPStatus.BAD_REQUEST, "bad-request", "The request is not understood",
                           "Correct what the detail names and send the request again.")),
    (RunNotFound, _kind(HTTPStatus.NOT_FOUND, "run-not-found", "There is no such run", "GET /api/retrain lists runs.")),
    (PoolUnknown, _kind(HTTPStatus.NOT_FOUND, "pool-unknown", "There is no such pool",
                        "Use a name from the pools file, or add the pool to it.")),
    (BlobNotFound, _kind(HTTPStatus.NOT_FOUND, "not-found", "Nothing is stored under that name",
                         "Correct the name; GET /api/models/{pool} lists a pool's versions.")),
    (NoPreviousModel, _kind(HTTPStatus.CONFLICT, "no-previous-model", "There is nothing to roll back to",
                            "Promote a version that GET /api/models/{pool} lists.")),
    (ModelRefused, _kind(HTTPStatus.CONFLICT, "model-refused", "The model cannot be trusted",
                         "Choose another version, or train and publish the model again.")),
    (BlobChanged, _kind(HTTPStatus.CONFLICT, "changed", "Somebody else was first", "Read again, then decide again.")),
    (RunPending, _kind(HTTPStatus.SERVICE_UNAVAILABLE, "run-pending", "The run is kept, its job not yet accepted",
                       "Ask for the run at Location, or repeat the request: nothing is started twice.")),
    (Throttled, _kind(HTTPStatus.SERVICE_UNAVAILABLE, "throttled", "Azure asks to wait",
                      "Repeat the request after the seconds in Retry-After.")),
    (Transient, _kind(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", "Azure did not answer",
                      "Repeat the request after the seconds in Retry-After.")),
    (WorkspaceNotFound, _kind(HTTPStatus.BAD_GATEWAY, "no-workspace", "There is no such workspace",
                              "Correct the FORESCALE_AML_* app settings, or create the workspace.")),
    (ComputeNotFound, _kind(HTTPStatus.BAD_GATEWAY, "no-compute", "There is no cluster to train on",
                            "Create the compute cluster, or set FORESCALE_AML_COMPUTE to one that exists.")),
    (CapacityError, _kind(HTTPStatus.BAD_GATEWAY, "quota", "There is no quota or capacity",
                          "Ask for quota of the cluster's VM family, or choose a smaller VM size.")),
    (Forbidden, _kind(HTTPStatus.BAD_GATEWAY, "forbidden", "Azure does not let the app do that",
                      "Grant the app's identity the role that the detail names.")),
    (CloudError, _kind(HTTPStatus.BAD_GATEWAY, "azure-error", "Azure refused",
                       "The detail has Azure's own words; the log has the rest.")),
    (DemandError, _kind(HTTPStatus.CONFLICT, "no-demand", "The demand cannot be used",
                        "Repair what the detail names.")),
    (ConfigurationError, _kind(HTTPStatus.SERVICE_UNAVAILABLE, "not-configured", "The app is not set up for this",
                               "Correct the app settings or files that the detail names.")),
)  # fmt: skip
"""The first kind that fits decides; children stand before their parents."""
UNEXPECTED = _kind(
    HTTPStatus.INTERNAL_SERVER_ERROR, "unexpected", "Something went wrong", "The app's log has the traceback."
)


def answer(call: Callable[[], Reply]) -> Reply:
    """Make the call and return its reply, or the problem that it met; the broad catch of every HTTP function."""
    try:
        return call()
    except ForescaleError as exc:
        return _problem(exc)
    except Exception:
        logger.exception("an HTTP call failed")
        return _reply(UNEXPECTED, "see the app's log", {})


def _problem(exc: ForescaleError) -> Reply:
    kind = next((kind for error, kind in KINDS if isinstance(exc, error)), UNEXPECTED)
    headers: dict[str, str] = {}
    if kind.status is HTTPStatus.SERVICE_UNAVAILABLE and isinstance(exc, Transient):
        wait = getattr(exc, "retry_after", DEFAULT_RETRY_AFTER)
        headers["Retry-After"] = str(max(1, round(wait.total_seconds())))
    extra: dict[str, Any] = {}
    if isinstance(exc, RunPending):
        headers["Location"] = f"/api/retrain/{exc.run_id}"
        extra["run_id"] = exc.run_id
    if kind.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("an HTTP call ended in %s: %s", kind.name, exc)
    return _reply(kind, str(exc), headers, extra)


def _reply(kind: _Kind, detail: str, headers: Mapping[str, str], extra: Mapping[str, Any] | None = None) -> Reply:
    body = {
        "type": f"urn:forescale:problem:{kind.name}",
        "title": kind.title,
        "status": int(kind.status),
        "detail": detail,
        "remedy": kind.remedy,
    }
    return Reply(status=kind.status, body={**body, **(extra or {})}, headers=headers, mimetype=PROBLEM)
