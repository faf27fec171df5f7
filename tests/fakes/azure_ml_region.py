"""The services of the fake workspace's region, as azureml-core asks them: history, snapshots, execution, models."""

import re
import uuid
from typing import Any

from tests.fakes.azure_ml import (
    BLOBS,
    IN_WORKSPACE,
    REGION,
    SUBSCRIPTION,
    FakeAzureMl,
    FakeCredential,
    ok,
    problem,
    route,
)
from tests.fakes.azure_ml_compute import Run
from tests.fakes.tls_proxy import Answer, Request

HISTORY = f"/history/v1.0{IN_WORKSPACE}"
CONTENT = f"/content/v2.0{IN_WORKSPACE}/snapshots"
EXECUTION = f"/execution/v1.0{IN_WORKSPACE}/experiments/(?P<experiment>[^/]+)"
ARTIFACTS = f"/artifact/v2.0{IN_WORKSPACE}/artifacts"
MODELS = f"/modelmanagement/v1.0{IN_WORKSPACE}"
RUN = "(?:experiments|experimentids)/(?P<experiment>[^/]+)/runs/(?P<run>[^/]+)"
ETAG = {"ETag": '"1"', "Last-Modified": "Mon, 02 Nov 2026 00:00:00 GMT"}
SERVICES = ("api", "history", "experimentation", "modelmanagement", "hyperdrive", "studio", "pipelines", "catalog")


@route("GET", "/discovery(?:/.*)?", "discovery")
def discovery(_: FakeAzureMl, request: Request, found: re.Match[str]) -> Answer:
    del request, found
    return ok(dict.fromkeys((*SERVICES, "inferencing", "mlflow"), REGION))


@route("GET", "/msi/token", "identity")
def identity(_: FakeAzureMl, request: Request, found: re.Match[str]) -> Answer:
    """The endpoint that App Service has for an app's managed identity."""
    del found
    token = FakeCredential().get_token(request.query["resource"])
    body = {"access_token": token.token, "expires_on": str(token.expires_on), "token_type": "Bearer"}
    return ok({**body, "resource": request.query["resource"]})


@route("GET", rf"{HISTORY}/experiments/(?P<name>[^/]+)", "experiment")
def experiment(service: FakeAzureMl, request: Request, found: re.Match[str]) -> Answer:
    del request
    known = service.experiments.get(found["name"])
    return ok(known) if known else problem(404, "NotFound", "no such experiment")


@route("POST", rf"{HISTORY}/experiments/(?P<name>[^/]+)", "experiment_post")
def experiment_post(service: FakeAzureMl, request: Request, found: re.Match[str]) -> Answer:
    del request
    return ok(service.experiment(found["name"]))


@route("GET", rf"{HISTORY}/experimentids/(?P<id>[^/]+)", "experiment_by_id")
def experiment_by_id(service: FakeAzureMl, request: Request, found: re.Match[str]) -> Answer:
    del request
    known = next((one for one in service.experiments.values() if one["experimentId"] == found["id"]), None)
    return ok(known) if known else problem(404, "NotFound", "no such experiment")


@route("GET", rf"{HISTORY}/{RUN}", "run")
@route("GET", rf"{HISTORY}/runs/(?P<run>[^/]+)", "run")
def run_get(service: FakeAzureMl, request: Request, found: re.Match[str]) -> Answer:
    del request
    run = service.runs.get(found["run"])
    return ok(_run(service, run)) if run else problem(404, "NotFound", f"Run {found['run']} not found")


@route("PATCH", rf"{HISTORY}/{RUN}", "run_patch")
def run_patch(service: FakeAzureMl, request: Request, found: re.Match[str]) -> Answer:
    run = service.runs[found["run"]]
    run.tags.update(request.json.get("tags") or {})
    run.properties.update(request.json.get("properties") or {})
    return ok(_run(service, run))


@route("GET", rf"{HISTORY}/{RUN}/details", "run_details")
def run_details(service: FakeAzureMl, request: Request, found: re.Match[str]) -> Answer:
    del request
    run = service.runs[found["run"]]
    error = {"error": {"code": "UserError", "message": run.error}} if run.error else None
    body = {"runId": run.run_id, "target": "", "status": run.status, "properties": {}, "error": error, "logFiles": {}}
    empty: dict[str, Any] = {
        "inputDatasets": [],
        "outputDatasets": [],
        "runDefinition": run.definition["Configuration"],
    }
    return ok({**body, **empty, "startTimeUtc": run.started_at, "endTimeUtc": run.ended_at})


@route("POST", rf"{HISTORY}/{RUN}/events", "run_event")
@route("GET", rf"{HISTORY}/{RUN}/metricsingest/wait", "metrics_wait")
def accepted(_: FakeAzureMl, request: Request, found: re.Match[str]) -> Answer:
    del request, found
    return ok({})


@route("GET", f"/content/v1.0{IN_WORKSPACE}/snapshots/latest/metadata", "snapshot_latest")
def snapshot_latest(_: FakeAzureMl, request: Request, found: re.Match[str]) -> Answer:
    del request, found
    return ok({"id": str(uuid.UUID(int=0)), "root": {}})


@route("POST", f"{CONTENT}/getblob", "snapshot_blobs")
def snapshot_blobs(_: FakeAzureMl, request: Request, found: re.Match[str]) -> Answer:
    del found
    names = request.json["FileNames"]
    return ok({"fileNodes": [{"fullName": name, "blobUri": f"{BLOBS}/s/{uuid.uuid4().hex}?sig=s"} for name in names]})


@route("POST", rf"{CONTENT}/(?P<id>[^/]+)", "snapshot")
def snapshot(service: FakeAzureMl, request: Request, found: re.Match[str]) -> Answer:
    nodes = request.json["FileRevisionList"]["FileNodes"]
    service.snapshots[found["id"]] = {node["FullName"]: _blob_name(node["BlobUri"]) for node in nodes}
    return ok({"id": found["id"], "root": {"name": "", "type": "Directory"}, "fileSet": None})


@route("POST", f"{EXECUTION}/snapshotrun", "submit")
def submit(service: FakeAzureMl, request: Request, found: re.Match[str]) -> Answer:
    run_id, body = request.query["runId"], request.json
    if run_id in service.runs:
        return problem(409, "Conflict", f"Run with id {run_id} already exists")
    files = service.snapshots[body["SnapshotId"]]
    configuration = body["Configuration"]
    run = Run(
        run_id=run_id,
        experiment=found["experiment"],
        command=configuration["command"],
        environment=configuration["environment"]["environmentVariables"],
        files=lambda: {name: service.blobs[blob] for name, blob in files.items()},
        definition=body,
    )
    service.start(run)
    return ok({"runId": run_id})


@route("POST", rf"{EXECUTION}/runId/(?P<run>[^/]+)/cancel", "cancel")
def cancel(service: FakeAzureMl, request: Request, found: re.Match[str]) -> Answer:
    del request
    if found["run"] not in service.runs:
        return problem(404, "NotFound", "no such run")
    service.compute.cancel(service.runs[found["run"]])
    return ok({})


@route("POST", f"/metric/v2.0{IN_WORKSPACE}/runs/(?P<run>[^/]+)/batch", "metrics")
def metrics(service: FakeAzureMl, request: Request, found: re.Match[str]) -> Answer:
    service.metrics.setdefault(found["run"], []).extend(request.json["values"])
    return ok({"errors": []})


@route("POST", rf"{ARTIFACTS}/batch/metadata/(?P<origin>[^/]+)/(?P<container>[^/]+)", "artifacts")
def artifacts(_: FakeAzureMl, request: Request, found: re.Match[str]) -> Answer:
    paths = [one["path"] for one in request.json["paths"]]
    place = {"origin": found["origin"], "container": found["container"]}
    base = f"{found['origin']}/{found['container']}"
    body = {path: {"artifactId": f"{base}/{path}", **place, "path": path} for path in paths}
    where = {path: {"contentUri": f"{BLOBS}/{base}/{path}?sig=s", **place, "path": path} for path in paths}
    return ok({"artifacts": body, "artifactContentInformation": where, "errors": {}})


@route(
    "GET", rf"{ARTIFACTS}/(?:prefix/)?contentinfo/(?P<origin>[^/]+)/(?P<container>[^/]+)(?:/(?P<path>.*))?", "artifact"
)
def artifact(service: FakeAzureMl, request: Request, found: re.Match[str]) -> Answer:
    prefix = f"/blob/{found['origin']}/{found['container']}/"
    wanted = prefix + (found["path"] or request.query.get("path", ""))
    place = {"origin": found["origin"], "container": found["container"]}
    names = [name for name in service.blobs if name.startswith(wanted)]
    value = [{"contentUri": f"{BLOBS}{name[5:]}?sig=s", **place, "path": name.removeprefix(prefix)} for name in names]
    return ok({"value": value, "continuationToken": None, "nextLink": None})


@route("POST", f"{MODELS}/assets", "model_asset")
def model_asset(_: FakeAzureMl, request: Request, found: re.Match[str]) -> Answer:
    del found
    return ok({**request.json, "id": uuid.uuid4().hex, "createdTime": "2026-11-02T00:00:00Z"})


@route("POST", f"{MODELS}/models", "model")
def model(service: FakeAzureMl, request: Request, found: re.Match[str]) -> Answer:
    del found
    name = request.json["name"]
    version = 1 + sum(one["name"] == name for one in service.models)
    made = {**request.json, "id": f"{name}:{version}", "version": version, "createdTime": "2026-11-02T00:00:00Z"}
    service.models.append(made)
    return ok(made)


@route("PUT", "(?P<name>/blob/.*)", "blob")
def blob_put(service: FakeAzureMl, request: Request, found: re.Match[str]) -> Answer:
    if request.query.get("comp") != "metadata":
        service.blobs[found["name"]] = request.body
    return Answer(status=201, headers=ETAG)


@route("GET", "(?P<name>/blob/.*)", "blob_get")
@route("HEAD", "(?P<name>/blob/.*)", "blob_head")
def blob_get(service: FakeAzureMl, request: Request, found: re.Match[str]) -> Answer:
    del request
    if found["name"] not in service.blobs:
        return Answer(status=404)
    return Answer(body=service.blobs[found["name"]], headers={**ETAG, "x-ms-blob-type": "BlockBlob"})


def _run(service: FakeAzureMl, run: Run) -> dict[str, Any]:
    scope = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.MachineLearningServices/workspaces/ws"
    return {
        "runNumber": 1,
        "rootRunId": run.run_id,
        "runId": run.run_id,
        "experimentId": service.experiment(run.experiment)["experimentId"],
        "createdUtc": "2026-11-02T00:00:00Z",
        "status": run.status,
        "startTimeUtc": run.started_at,
        "endTimeUtc": run.ended_at,
        "runType": "azureml.scriptrun",
        "dataContainerId": f"dcid.{run.run_id}",
        "properties": run.properties,
        "tags": run.tags,
        "hidden": False,
        "cancelUri": f"{REGION}/execution/v1.0{scope}/experiments/{run.experiment}/runId/{run.run_id}/cancel",
    }


def _blob_name(uri: str) -> str:
    return uri.replace(BLOBS, "/blob").partition("?")[0]


PIPELINES = f"/pipelines/v1.0{IN_WORKSPACE}"


@route("GET", f"{PIPELINES}/DataTypes", "data_types")
def data_types(_: FakeAzureMl, request: Request, found: re.Match[str]) -> Answer:
    del request, found
    return ok([])


@route("POST", f"{PIPELINES}/DataTypes", "data_types_post")
def data_types_post(_: FakeAzureMl, request: Request, found: re.Match[str]) -> Answer:
    del found
    return ok(request.json)


@route("GET", f"{PIPELINES}/Pipelines", "pipelines")
def pipelines(_: FakeAzureMl, request: Request, found: re.Match[str]) -> Answer:
    """One published pipeline, as the workshop calls it."""
    del found
    url = f"{REGION}{request.path.replace('/Pipelines', '/PipelineRuns/PipelineSubmit/p1')}"
    one = {"Id": "p1", "Name": "training-pipeline", "Version": "1", "GraphId": "g", "EntityStatus": "0", "Url": url}
    return ok([{**one, "Etag": "e", "TotalRunSteps": 1}])


@route("POST", f"{PIPELINES}/PipelineRuns/PipelineSubmit/p1", "pipeline_submit")
def pipeline_submit(service: FakeAzureMl, request: Request, found: re.Match[str]) -> Answer:
    del found
    run = Run(
        run_id=str(uuid.uuid4()),
        experiment=request.json["ExperimentName"],
        command="python -c pass",
        environment={},
        files=dict,
        tags=request.json["tags"],
        definition={"Configuration": {"target": "train-cluster"}},
    )
    service.start(run)
    return ok({"Id": run.run_id})


@route("POST", rf"{HISTORY}/experiments/(?P<experiment>[^/]+)/runs:query", "runs_query")
def runs_query(service: FakeAzureMl, request: Request, found: re.Match[str]) -> Answer:
    tag, value = re.findall(r'Tags/(\w+) eq "([^"]*)"', request.json["filter"])[0]
    named = [run for run in service.runs.values() if run.experiment == found["experiment"]]
    matching = [_run(service, run) for run in named if run.tags.get(tag) == value]
    return ok({"value": matching, "continuationToken": None, "nextLink": None})
