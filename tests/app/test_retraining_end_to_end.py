"""From ``POST /api/retrain`` to the tick that uses the model: the real triggers, SDK, job and storage; Azure ML is fake."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import azure.functions as func
import numpy as np
import pytest

import function_app
from scaler.core.pool import PoolState
from shared.demand_csv import write_demand_csv
from shared.model_store import ModelStore
from shared.pools import POOLS_FILE
from shared.ports import Blobs
from shared.settings import Settings, load_settings
from shared.wiring import blobs_of
from tests.builders import STEP, history, pool_json, pools_file, workshop_json
from tests.fakes.azure_ml import CLUSTER, GROUP, SUBSCRIPTION, WORKSPACE, FakeAzureMl, Fault, fake_azure_ml
from training import wiring

DAYS = 16


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeAzureMl]:
    with fake_azure_ml(tmp_path_factory.mktemp("azureml")) as running:
        yield running


@pytest.fixture
def settings(
    request: pytest.FixtureRequest,
    service: FakeAzureMl,
    azurite_connection: str,
    container: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Settings]:
    identity = service.proxy.environ["HTTPS_PROXY"] + "/msi/token"
    environ = {
        **service.proxy.environ,
        "IDENTITY_ENDPOINT": identity,
        "IDENTITY_HEADER": "secret",
        "FORESCALE_STORAGE_CONNECTION_STRING": azurite_connection,
        "FORESCALE_CONTAINER": container,
        "FORESCALE_RETRAINING_BACKEND": getattr(request, "param", "azureml_jobs"),
        "FORESCALE_AML_SUBSCRIPTION_ID": SUBSCRIPTION,
        "FORESCALE_AML_RESOURCE_GROUP": GROUP,
        "FORESCALE_AML_WORKSPACE": WORKSPACE,
        "FORESCALE_AML_COMPUTE": CLUSTER,
    }
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    service.faults.clear()
    service.compute.held = False
    service.compute.own_environ = {"FORESCALE_STORAGE_CONNECTION_STRING": azurite_connection}
    yield load_settings()
    service.compute.stop()
    close = getattr(wiring.retraining_of(load_settings()).jobs, "close", None)
    if close:
        close()
    wiring.retraining_of.cache_clear()


@pytest.fixture
def blobs(settings: Settings, seed_folder: Path) -> Blobs:
    stored = blobs_of(settings)
    now = wiring.clock_of(settings)().replace(second=0, microsecond=0, minute=0)
    beat = np.arange(DAYS * 288)
    demand = 400 + 200 * np.sin(beat * 2 * np.pi / 288) + np.random.default_rng(1).normal(0, 20, len(beat))
    stored.write(
        "demand.csv", write_demand_csv(history(list(demand), end_utc=now, step=STEP)).encode(), if_etag=None
    )
    stored.write("log_data.pkl", (seed_folder / "log_data.pkl").read_bytes(), if_etag=None)
    stored.write(POOLS_FILE, pools_file(pool_json(), workshop_json()), if_etag=None)
    return stored


def call(name: str, *, body: object = None, headers: dict[str, str] | None = None, **route: str) -> tuple[int, Any, Any]:
    function = next(one for one in function_app.app.get_functions() if one.get_function_name() == name)
    function_app.app.functions_bindings = None  # or the library takes each function for its own duplicate
    request = func.HttpRequest(
        method="POST", url="/api", headers=headers or {}, route_params=route,
        body=b"" if body is None else json.dumps(body).encode(),
    )  # fmt: skip
    reply = function.get_user_function()(request)
    return reply.status_code, json.loads(reply.get_body()), reply.headers


def ended(run_id: str, *, within_s: float = 90) -> dict[str, Any]:
    until = time.monotonic() + within_s
    while True:
        told: dict[str, Any] = call("retrain_status", run_id=run_id)[1]
        if told["state"] in {"completed", "failed", "canceled"}:
            return told
        assert time.monotonic() < until, told
        time.sleep(0.3)


@pytest.mark.azurite
@pytest.mark.parametrize("settings", ["azureml", "azureml_jobs"], indirect=True)
def test_a_request_becomes_a_model_that_the_next_tick_uses(
    settings: Settings, blobs: Blobs, service: FakeAzureMl
) -> None:
    began = time.monotonic()
    status, told, headers = call("retrain", body={"pools": "all", "reason": "a new season"})
    took_s = time.monotonic() - began
    print(f"POST to 202 in {took_s:.2f} s")

    assert (status, told["started"]) == (202, True)
    assert headers["Location"] == f"/api/retrain/{told['run_id']}"
    assert took_s < 10
    done = ended(told["run_id"])
    assert done["state"] == "completed", service.runs[told["run_id"]].log
    assert {name: result["stage"] for name, result in done["results"].items()} == {
        "web": "promoted",
        "workshop": "promoted",
    }
    assert done["results"]["web"]["candidate"]["pinball_share"] > 0
    assert service.runs[told["run_id"]].tags["forescale_reason"] == "a new season"
    store = ModelStore(blobs)
    assert store.latest("web").card.version == done["results"]["web"]["version"]
    assert service.unknown == []
