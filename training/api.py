"""The HTTP side of training: parse, call one use case, shape the reply; knows nothing of Azure Functions."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from shared.errors import ConfigurationError, ModelRefused, RequestRefused
from shared.forecasting.store import ModelStore
from shared.http.reply import Reply
from shared.settings import Settings
from shared.validation import validated
from shared.wiring import blobs_of, clock_of, pools
from training.request import Caller, ChangeReason, RetrainRequest
from training.retraining import Report
from training.rollback import roll_back
from training.wiring import fresh_run_id, retraining_of

POLL_AFTER_S = 30
MOST_KEY_CHARACTERS = 255

Version = Annotated[str, Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z._-]{0,99}$")]
"""A version as ``GET /api/models/{pool}`` lists it; it becomes a part of a blob's name."""
Request = TypeVar("Request", bound=BaseModel)


class PromoteRequest(BaseModel):
    """What ``POST /api/models/{pool}/promote`` takes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Version
    reason: ChangeReason = "promoted over HTTP"


class RollbackRequest(BaseModel):
    """What ``POST /api/models/{pool}/rollback`` takes: the version to leave, so that a repeat does not come back."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    from_version: Version
    reason: ChangeReason = "rolled back over HTTP"


def retrain(settings: Settings, body: bytes, headers: Mapping[str, str]) -> Reply:
    """Start a retraining, or return the one that is active for these pools; answers once the job is accepted."""
    request = _parse(RetrainRequest, body)
    named = request.for_pools([pool.name for pool in pools(settings, request.pool_names)])
    key = headers.get("idempotency-key", "").strip()
    if len(key) > MOST_KEY_CHARACTERS:
        msg = f"the Idempotency-Key has {len(key)} characters, {MOST_KEY_CHARACTERS} are allowed"
        raise RequestRefused(msg)
    reservation = retraining_of(settings).start(named, Caller(key=key), run_id=fresh_run_id(settings))
    run = {**Report(run=reservation.run).fields(), "started": reservation.is_new, "already_running": reservation.busy}
    return Reply(status=HTTPStatus.ACCEPTED, body=run, headers=_location(reservation.run.run_id))


def retrain_status(settings: Settings, run_id: str) -> Reply:
    """Tell how a run stands."""
    return _reply_of(retraining_of(settings).status(run_id), HTTPStatus.OK)


def retrain_cancel(settings: Settings, run_id: str) -> Reply:
    """Ask for a run's end."""
    return _reply_of(retraining_of(settings).cancel(run_id), HTTPStatus.ACCEPTED)


def retrain_list(settings: Settings) -> Reply:
    """List the newest runs, as they were last known."""
    return Reply(body={"runs": [report.fields() for report in retraining_of(settings).recent()]})


def models(settings: Settings, pool: str) -> Reply:
    """List a pool's versions, the newest first, and which one serves."""
    name = _name_of(settings, pool)
    store = ModelStore(blobs_of(settings))
    versions = [_version(store, name, version) for version in reversed(store.versions(name))]
    return Reply(body={"pool": name, "serving": _serving(store, name), "versions": versions})


def promote(settings: Settings, pool: str, body: bytes) -> Reply:
    """Let a published version serve."""
    request = _parse(PromoteRequest, body)
    name = _name_of(settings, pool)
    store = ModelStore(blobs_of(settings))
    pointer = store.promote(name, request.version, now_utc=clock_of(settings)(), reason=request.reason)
    return Reply(body={"pool": name, "serving": pointer.model_dump(mode="json")})


def rollback(settings: Settings, pool: str, body: bytes) -> Reply:
    """Let the version before the one named serve again."""
    request = _parse(RollbackRequest, body)
    name = _name_of(settings, pool)
    store, now_utc = ModelStore(blobs_of(settings)), clock_of(settings)()
    pointer = roll_back(store, name, from_version=request.from_version, now_utc=now_utc, reason=request.reason)
    return Reply(body={"pool": name, "serving": pointer.model_dump(mode="json")})


def _parse(model: type[Request], body: bytes) -> Request:
    try:
        data: Any = json.loads(body or b"{}")
    except (ValueError, RecursionError) as exc:
        msg = f"the body is not JSON: {exc}"
        raise RequestRefused(msg) from exc
    try:
        return validated(model, data, name="the body")
    except ConfigurationError as exc:
        raise RequestRefused(str(exc)) from exc


def _name_of(settings: Settings, pool: str) -> str:
    """Return the name of a pool that the pools file has."""
    return pools(settings, (pool,))[0].name


def _serving(store: ModelStore, pool: str) -> dict[str, Any] | None:
    try:
        pointed = store.pointer(pool)
    except ModelRefused as exc:
        return {"refused": str(exc)}
    return pointed[0].model_dump(mode="json") if pointed else None


def _version(store: ModelStore, pool: str, version: str) -> dict[str, Any]:
    try:
        return store.card(pool, version).model_dump(mode="json")
    except ModelRefused as exc:
        return {"version": version, "refused": str(exc)}


def _reply_of(report: Report, status: HTTPStatus) -> Reply:
    headers = _location(report.run.run_id) if report.run.state.is_active else {}
    return Reply(status=status, body=report.fields(), headers=headers)


def _location(run_id: str) -> dict[str, str]:
    return {"Location": f"/api/retrain/{run_id}", "Retry-After": str(POLL_AFTER_S)}
