"""From ``POST /api/retrain`` to the tick that uses the model: real triggers, SDK, job, storage; a fake Azure ML."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from scaler.core.reasons import Reason
from scaler.fallback import Models
from scaler.fan_out import FanOut
from scaler.local.simulated_pools import SimulatedPools
from scaler.stores import DecisionLog, MemoryStore
from scaler.tick import Tick
from shared.demand.blob_source import BlobDemandSource
from shared.demand.csv_format import write_demand_csv
from shared.forecasting.store import ModelStore
from shared.local.directory_blobs import DirectoryBlobs
from shared.pools import POOLS_FILE
from shared.ports import Blobs
from shared.settings import Settings, load_settings
from shared.wiring import blobs_of, clock_of, pools
from tests.builders import history, pool_json, pools_file, workshop_json
from tests.fakes.azure_ml import CLUSTER, GROUP, SUBSCRIPTION, WORKSPACE, FakeAzureMl, Fault, fake_azure_ml
from tests.fakes.http_calls import call, ended
from tests.fakes.workshop_logs import workshop_log
from training import wiring
from training.local.process_jobs import ProcessJobs

DAYS = 24
REGISTERED = {"avg_completion_time", "admin_users", "config_users", "end_users", "forescale-web"}
HOUR = timedelta(hours=1)


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
    close = getattr(wiring.jobs_of(load_settings()), "close", None)
    if close:
        close()
    wiring.jobs_of.cache_clear()


@pytest.fixture
def blobs(settings: Settings) -> Blobs:
    stored = blobs_of(settings)
    now = clock_of(settings)().replace(second=0, microsecond=0, minute=0)
    beat = np.arange(DAYS * 24)
    demand = 400 + 200 * np.sin(beat * 2 * np.pi / 24) + np.random.default_rng(1).normal(0, 20, len(beat))
    stored.write("demand.csv", write_demand_csv(history(list(demand), end_utc=now, step=HOUR)).encode(), if_etag=None)
    stored.write("log_data.pkl", workshop_log(), if_etag=None)
    stored.write(POOLS_FILE, pools_file(pool_json(), workshop_json()), if_etag=None)
    return stored


@pytest.mark.azurite
@pytest.mark.parametrize(
    ("settings", "sdk", "registered"),
    [("azureml", {}, REGISTERED), ("azureml_jobs", {"AZUREML_RUN_ID": ""}, set())],  # a job of REST has no SDK
    indirect=["settings"],
)
def test_a_request_becomes_a_model_that_the_next_tick_uses(
    settings: Settings, blobs: Blobs, service: FakeAzureMl, sdk: dict[str, str], registered: set[str]
) -> None:
    service.compute.own_environ |= sdk
    began = time.monotonic()
    answered = call("retrain", body={"pools": "all", "reason": "a new season"})
    took_s, run = time.monotonic() - began, answered.body

    assert (answered.status, run["started"]) == (202, True)
    assert answered.headers["Location"] == f"/api/retrain/{run['run_id']}"
    assert took_s < 20  # 2 to 5 s alone; other tests may share the machine
    done = ended(run["run_id"])
    assert done["state"] == "completed", service.runs[run["run_id"]].log
    assert {name: result["stage"] for name, result in done["results"].items()} == {
        "web": "promoted",
        "workshop": "promoted",
    }
    assert done["results"]["web"]["candidate"]["pinball_share"] > 0
    assert service.runs[run["run_id"]].tags["forescale_reason"] == "a new season"
    names = {model["name"] for model in service.models if model["runId"] == run["run_id"]}
    assert names == registered
    metrics = {metric["name"] for metric in service.metrics.get(run["run_id"], [])}
    assert ("web.pinball_share" in metrics) is bool(registered)
    assert service.unknown == []
    tick = FanOut(
        tick=Tick(
            demand=lambda one: BlobDemandSource(blobs, one.demand, pool=one.name),  # type: ignore[arg-type]
            node_pools=SimulatedPools(blobs, clock_of(settings)),
            models=Models(store=ModelStore(blobs)),
            memories=MemoryStore(blobs),
            log=DecisionLog(blobs),
        )
    )
    records = tick.run(pools(settings), now_utc=clock_of(settings)())
    assert [record.decision.forecast.model_version for record in records if record.decision.forecast] == [
        done["results"]["web"]["version"],
        done["results"]["workshop"]["version"],
    ]
    assert all(Reason.MODEL in record.reasons for record in records)


def _nothing(_: FakeAzureMl) -> None:
    """All is well."""


def _without_compute(service: FakeAzureMl) -> None:
    service.faults.append(Fault(call="compute", status=404, code="ResourceNotFound"))


def _without_workspace(service: FakeAzureMl) -> None:
    service.faults.append(Fault(call="workspace", status=404, code="ResourceNotFound"))


def _forbidden(service: FakeAzureMl) -> None:
    service.faults.append(Fault(call="job_put", status=403, code="AuthorizationFailed"))


def _quota(service: FakeAzureMl) -> None:
    service.faults.append(Fault(call="job_put", status=400, code="QuotaExceeded"))


def _throttled(service: FakeAzureMl) -> None:
    service.faults.append(Fault(call="job_put", status=429, headers={"Retry-After": "7"}))


def _broken(service: FakeAzureMl) -> None:
    service.faults.append(Fault(call="job_put", status=503))


@pytest.mark.azurite
@pytest.mark.parametrize(
    ("arrange", "body", "expected"),
    [
        pytest.param(_nothing, {"pool": "web"}, (400, "bad-request", "did you mean 'pools'"), id="unknown key"),
        pytest.param(_nothing, {"pools": []}, (400, "bad-request", "pools"), id="no pools"),
        pytest.param(_nothing, {"pools": ["nope"]}, (404, "pool-unknown", "it has web, workshop"), id="unknown pool"),
        pytest.param(_nothing, ["web"], (400, "bad-request", "the body"), id="not an object"),
        pytest.param(_without_workspace, {}, (502, "no-workspace", "FORESCALE_AML_WORKSPACE"), id="no workspace"),
        pytest.param(_without_compute, {}, (502, "no-compute", "create a compute cluster"), id="no compute"),
        pytest.param(_forbidden, {}, (502, "forbidden", "AzureML Data Scientist"), id="forbidden"),
        pytest.param(_quota, {}, (502, "quota", "QuotaExceeded"), id="quota"),
        pytest.param(_throttled, {}, (503, "run-pending", "wait 7 s"), id="throttled"),
        pytest.param(_broken, {}, (503, "run-pending", "503"), id="unavailable"),
    ],
)
@pytest.mark.usefixtures("blobs")
def test_a_request_that_cannot_be_served_gets_a_problem_with_a_remedy(
    service: FakeAzureMl,
    arrange: Callable[[FakeAzureMl], None],
    body: object,
    expected: tuple[int, str, str],
) -> None:
    arrange(service)

    answered = call("retrain", body=body)

    assert (answered.status, answered.problem) == expected[:2]
    assert expected[2] in answered.body["detail"]
    assert answered.body["remedy"]
    assert ("Retry-After" in answered.headers) is (answered.status == 503)


@pytest.mark.azurite
@pytest.mark.usefixtures("blobs")
def test_a_run_can_be_repeated_listed_followed_and_canceled(service: FakeAzureMl) -> None:
    service.compute.held = True
    key = {"Idempotency-Key": "once"}
    first = call("retrain", body={"pools": ["web"]}, headers=key).body

    again = call("retrain", body={"pools": ["web"]}, headers=key).body
    other = call("retrain", body={"pools": ["web"]}).body
    reused = call("retrain", body={"pools": ["workshop"]}, headers=key)

    assert (again["run_id"], again["started"]) == (first["run_id"], False)
    assert (other["run_id"], other["already_running"]) == (first["run_id"], {"web": first["run_id"]})
    assert reused.status == 422
    assert [run["run_id"] for run in call("retrain_list").body["runs"]] == [first["run_id"]]
    assert call("retrain_status", run_id=first["run_id"]).body["state"] == "queued"
    assert call("retrain_cancel", run_id=first["run_id"]).status == 202
    assert ended(first["run_id"])["state"] == "canceled"
    assert call("retrain_status", run_id="nobody").status == 404


def test_retraining_works_on_this_machine_and_models_can_be_moved_by_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORESCALE_BACKEND", "local")
    monkeypatch.setenv("FORESCALE_LOCAL_DIR", str(tmp_path))
    blobs = blobs_of(load_settings())
    end = clock_of(load_settings())().replace(second=0, microsecond=0, minute=0)
    hours = np.arange(10 * 24)
    demand = history(list(100 + 50 * np.sin(hours * 2 * np.pi / 24)), end_utc=end, step=HOUR)
    blobs.write("demand.csv", write_demand_csv(demand).encode(), if_etag=None)
    blobs.write(POOLS_FILE, pools_file(pool_json()), if_etag=None)

    first = ended(call("retrain", body={"pools": ["web"]}).body["run_id"])
    second = ended(call("retrain", body={"pools": ["web"], "force": True}).body["run_id"])

    versions = [one["results"]["web"]["version"] for one in (first, second)]
    assert call("models", pool="web").body["serving"]["version"] == versions[1]
    rolled_back = call("model_rollback", pool="web", body={"from_version": versions[1]}).body
    assert rolled_back["serving"]["version"] == versions[0]
    assert call("model_promote", pool="web", body={"version": versions[1]}).body["serving"]["previous"] == versions[0]
    assert call("model_promote", pool="web", body={"version": "19990101T000000Z"}).status == 404
    assert call("models", pool="nope").status == 404
    jobs = wiring.jobs_of(load_settings())
    assert isinstance(jobs, ProcessJobs)
    jobs.wait()


def test_the_triggers_import_no_azure_ml(tmp_path: Path) -> None:
    code = (
        "import sys, function_app; from scaler import wiring; from training.wiring import watch_models;"
        "watch_models(); assert not [name for name in sys.modules if name.startswith('azureml')]"
    )
    blobs = DirectoryBlobs(tmp_path)
    blobs.write(POOLS_FILE, pools_file(pool_json()), if_etag=None)
    environ = {**os.environ, "FORESCALE_BACKEND": "local", "FORESCALE_LOCAL_DIR": str(tmp_path)}

    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
