"""What Resource Manager knows of the fake workspace: subscriptions, compute, code, environments, jobs, models."""

import json
import re
import uuid
from typing import Any

from tests.fakes.azure_ml import (
    BLOBS,
    IN_WORKSPACE,
    REGION,
    SUBSCRIPTION,
    FakeAzureMl,
    ok,
    problem,
    route,
)
from tests.fakes.azure_ml_compute import Run
from tests.fakes.tls_proxy import Answer, Request


@route("GET", "/subscriptions", "subscriptions")
def subscriptions(_: FakeAzureMl, request: Request, found: re.Match[str]) -> Answer:
    del request, found
    one = {"id": f"/subscriptions/{SUBSCRIPTION}", "subscriptionId": SUBSCRIPTION, "state": "Enabled"}
    return ok({"value": [{**one, "displayName": "fake", "tenantId": "00000000-0000-0000-0000-0000000000aa"}]})


@route("GET", IN_WORKSPACE, "workspace")
def workspace(_: FakeAzureMl, request: Request, found: re.Match[str]) -> Answer:
    about = {
        "workspaceId": "11111111-1111-1111-1111-111111111111", "provisioningState": "Succeeded",
        "discoveryUrl": f"{REGION}/discovery", "storageAccount": "/s", "keyVault": "/k", "applicationInsights": "/a",
    }  # fmt: skip
    kind = "Microsoft.MachineLearningServices/workspaces"
    body: dict[str, Any] = {
        "id": request.path,
        "name": found["workspace"],
        "location": "westeurope",
        "type": kind,
        "tags": {},
    }
    return ok({**body, "sku": {"name": "Basic", "tier": "Basic"}, "properties": about})


@route("GET", rf"(?:/rp/workspaces)?{IN_WORKSPACE}/computes/(?P<name>[^/]+)", "compute")
def compute(service: FakeAzureMl, request: Request, found: re.Match[str]) -> Answer:
    if found["name"] not in service.clusters:
        return problem(404, "ResourceNotFound", f"compute {found['name']} not found")
    scale = {"minNodeCount": 0, "maxNodeCount": service.clusters[found["name"]]}
    inner = {"vmSize": "STANDARD_D2_V3", "vmPriority": "Dedicated", "scaleSettings": scale, "currentNodeCount": 0}
    about = {"computeType": "AmlCompute", "provisioningState": "Succeeded", "properties": inner}
    return ok({"id": request.path, "name": found["name"], "location": "westeurope", "properties": about})


@route("GET", rf"{IN_WORKSPACE}/(?:codes|environments)/[^/]+/versions/[^/]+", "asset")
def asset(service: FakeAzureMl, request: Request, found: re.Match[str]) -> Answer:
    del found
    stored = service.assets.get(request.path)
    return ok(stored) if stored else problem(404, "ResourceNotFound", "no such version")


@route("POST", rf"{IN_WORKSPACE}/codes/[^/]+/versions/[^/]+/startPendingUpload", "code_upload")
def code_upload(_: FakeAzureMl, request: Request, found: re.Match[str]) -> Answer:
    del found
    assert request.json == {"pendingUploadType": "TemporaryBlobReference"}
    uri = f"{BLOBS}/code-{uuid.uuid4().hex}"
    place = {"blobUri": uri, "credential": {"credentialType": "SAS", "sasUri": f"{uri}?sig=secret"}}
    return ok({"pendingUploadId": "1", "blobReferenceForConsumption": place})


@route("PUT", rf"{IN_WORKSPACE}/(?P<kind>codes|environments)/[^/]+/versions/[^/]+", "asset_put")
def asset_put(service: FakeAzureMl, request: Request, found: re.Match[str]) -> Answer:
    properties = request.json["properties"]
    assert properties["codeUri"] if found["kind"] == "codes" else json.loads(properties["condaFile"])
    service.assets[request.path] = {"id": request.path, "properties": properties}
    return ok(service.assets[request.path], 201)


@route("PUT", rf"{IN_WORKSPACE}/jobs/(?P<run>[^/]+)", "job_put")
def job_put(service: FakeAzureMl, request: Request, found: re.Match[str]) -> Answer:
    body = request.json["properties"]
    if found["run"] in service.runs:
        service.runs[found["run"]].tags = dict(body.get("tags", {}))
        return ok(_job(service.runs[found["run"]], request.path))
    code = service.assets.get(body["codeId"])
    if code is None or body["environmentId"] not in service.assets:
        return problem(400, "UserError", "codeId or environmentId names no asset")
    prefix = code["properties"]["codeUri"].replace(BLOBS, "/blob") + "/"
    blobs = service.blobs
    run = Run(
        run_id=found["run"],
        experiment=body["experimentName"],
        command=body["command"],
        environment=body["environmentVariables"],
        files=lambda: {name.removeprefix(prefix): data for name, data in blobs.items() if name.startswith(prefix)},
        tags=dict(body["tags"]),
        definition=request.json,
    )
    service.start(run)
    return ok(_job(run, request.path), 201)


@route("GET", rf"{IN_WORKSPACE}/jobs/(?P<run>[^/]+)", "job")
def job(service: FakeAzureMl, request: Request, found: re.Match[str]) -> Answer:
    run = service.runs.get(found["run"])
    return ok(_job(run, request.path)) if run else problem(404, "UserError", "Run not found")


@route("POST", rf"{IN_WORKSPACE}/jobs/(?P<run>[^/]+)/cancel", "job_cancel")
def job_cancel(service: FakeAzureMl, request: Request, found: re.Match[str]) -> Answer:
    del request
    if found["run"] not in service.runs:
        return problem(404, "UserError", "Run not found")
    service.compute.cancel(service.runs[found["run"]])
    return ok(None, 202)


@route("PUT", rf"{IN_WORKSPACE}/models/(?P<name>[^/]+)/versions/(?P<version>[^/]+)", "model_put")
def model_put(service: FakeAzureMl, request: Request, found: re.Match[str]) -> Answer:
    service.models.append({"name": found["name"], "version": found["version"], **request.json["properties"]})
    return ok({"id": request.path}, 201)


def _job(run: Run, path: str) -> dict[str, Any]:
    times = {"StartTimeUtc": run.started_at, "EndTimeUtc": run.ended_at}
    studio = {"Studio": {"jobServiceType": "Studio", "endpoint": f"https://ml.azure.com/runs/{run.run_id}"}}
    body = {**run.definition["properties"], "status": run.status, "services": studio}
    body["properties"] = {name: value for name, value in times.items() if value}
    return {"id": path, "name": run.run_id, "properties": body}
