"""The HTTP side of training: parse, call one use case, shape the reply; knows nothing of Azure Functions."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from shared.errors import ConfigurationError, ModelRefused, RequestRefused
from shared.forecasting.store import ModelStore
from shared.http.reply import Reply
from shared.settings import Settings
from shared.validation import validated
from shared.wiring import blobs_of, clock_of, pools
from training.retraining import Report
from training.rollback import rolled_back
from training.runs import Ask
from training.wiring import fresh_run_id, retraining_of

POLL_AFTER_S = 30
MOST_KEY_CHARACTERS = 255


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


Body = TypeVar("Body", bound=_Body)


class RetrainBody(_Body):
    """What ``POST /api/retrain`` takes."""

    pools: Literal["all"] | Annotated[tuple[str, ...], Field(min_length=1)] = "all"
    reason: Annotated[str, Field(min_length=1, max_length=500)] = "asked for over HTTP"
    force: bool = False


class PromoteBody(_Body):
    """What ``POST /api/models/{pool}/promote`` takes."""

    version: Annotated[str, Field(min_length=1)]
    reason: Annotated[str, Field(min_length=1, max_length=500)] = "promoted over HTTP"


class RollbackBody(_Body):
    """What ``POST /api/models/{pool}/rollback`` takes."""

    reason: Annotated[str, Field(min_length=1, max_length=500)] = "rolled back over HTTP"


def retrain(settings: Settings, body: bytes, headers: Mapping[str, str]) -> Reply:
    """Start a retraining, or return the one that is active for these pools; answers once the job is accepted."""
    asked = _parsed(RetrainBody, body)
    names = () if asked.pools == "all" else tuple(dict.fromkeys(asked.pools))
    chosen = pools(settings, names)
    key = headers.get("idempotency-key", "").strip()
    if len(key) > MOST_KEY_CHARACTERS:
        msg = f"the Idempotency-Key has {len(key)} characters, {MOST_KEY_CHARACTERS} are allowed"
        raise RequestRefused(msg)
    ask = Ask(pools=tuple(pool.name for pool in chosen), reason=asked.reason, force=asked.force, key=key)
    claim = retraining_of(settings).start(ask, run_id=fresh_run_id(settings))
    body_told = {**Report(run=claim.run).fields(), "started": claim.is_new, "already_running": claim.busy}
    return Reply(status=HTTPStatus.ACCEPTED, body=body_told, headers=_where(claim.run.run_id))


def retrain_status(settings: Settings, run_id: str) -> Reply:
    """Tell how a run stands."""
    return _told(retraining_of(settings).status(run_id), HTTPStatus.OK)


def retrain_cancel(settings: Settings, run_id: str) -> Reply:
    """Ask for a run's end."""
    return _told(retraining_of(settings).cancel(run_id), HTTPStatus.ACCEPTED)


def retrain_list(settings: Settings) -> Reply:
    """List the newest runs, as last seen."""
    return Reply(body={"runs": [report.fields() for report in retraining_of(settings).recent()]})


def models(settings: Settings, pool: str) -> Reply:
    """List a pool's versions, the newest first, and which one serves."""
    name = pools(settings, (pool,))[0].name
    store = ModelStore(blobs_of(settings))
    pointed = store.pointer(name)
    versions = [_version(store, name, version) for version in reversed(store.versions(name))]
    return Reply(
        body={"pool": name, "serving": pointed[0].model_dump(mode="json") if pointed else None, "versions": versions}
    )


def promote(settings: Settings, pool: str, body: bytes) -> Reply:
    """Let a published version serve."""
    asked = _parsed(PromoteBody, body)
    name = pools(settings, (pool,))[0].name
    store = ModelStore(blobs_of(settings))
    pointer = store.promote(name, asked.version, now_utc=clock_of(settings)(), reason=asked.reason)
    return Reply(body={"pool": name, "serving": pointer.model_dump(mode="json")})


def rollback(settings: Settings, pool: str, body: bytes) -> Reply:
    """Let the version before the present one serve again."""
    asked = _parsed(RollbackBody, body)
    name = pools(settings, (pool,))[0].name
    pointer = rolled_back(ModelStore(blobs_of(settings)), name, now_utc=clock_of(settings)(), reason=asked.reason)
    return Reply(body={"pool": name, "serving": pointer.model_dump(mode="json")})


def _parsed(model: type[Body], body: bytes) -> Body:
    try:
        data: Any = json.loads(body or b"{}")
    except (ValueError, RecursionError) as exc:
        msg = f"the body is no JSON: {exc}"
        raise RequestRefused(msg) from exc
    try:
        return validated(model, data, name="the body")
    except ConfigurationError as exc:
        raise RequestRefused(str(exc)) from exc


def _version(store: ModelStore, pool: str, version: str) -> dict[str, Any]:
    try:
        return store.card(pool, version).model_dump(mode="json")
    except ModelRefused as exc:
        return {"version": version, "refused": str(exc)}


def _told(report: Report, status: HTTPStatus) -> Reply:
    headers = _where(report.run.run_id) if report.run.state.is_active else {}
    return Reply(status=status, body=report.fields(), headers=headers)


def _where(run_id: str) -> dict[str, str]:
    return {"Location": f"/api/retrain/{run_id}", "Retry-After": str(POLL_AFTER_S)}
