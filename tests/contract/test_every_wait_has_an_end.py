"""Servers that hang: whatever we ask over HTTP ends within the time that our limits promise, as one of our errors."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from azure.core.exceptions import AzureError, ClientAuthenticationError
from azure.core.rest import HttpRequest

from scaler.cloud.aks import AksNodePools
from scaler.cloud.arm_budget import ArmBudget
from scaler.cloud.arm_client import ArmClients
from scaler.cloud.prometheus import PrometheusDemandSource
from shared.cloud.arm_endpoint import ArmEndpoint
from shared.cloud.azure_blobs import AzureBlobs, azure_blobs, azure_blobs_from_connection_string, storage_options
from shared.cloud.http_client import DEFAULT_LIMITS, IS_READ, TIME_LEFT_S, HttpLimits, http_client
from shared.cloud.identity import app_credential
from shared.cloud.retry_after import LONGEST_BELIEVED, read_retry_after
from shared.errors import DemandUnavailable, Transient
from shared.pools import PrometheusDemand
from shared.settings import Settings
from shared.version import VERSION
from tests.builders import NOW
from tests.conftest import azurite_connection_string
from tests.fakes.arm import FakeArm, FakeCredential
from tests.fakes.arm_answers import Answer
from tests.fakes.arm_harness import pool_named
from tests.fakes.clock import FakeClock
from tests.fakes.hanging_server import HALF_A_BLOB, HALF_AN_OBJECT, HangingServer, hanging_server
from training.cloud.workspace import Workspace, WorkspaceName

IMPATIENT = HttpLimits(
    connect=timedelta(seconds=1),
    read=timedelta(milliseconds=200),
    retries=1,
    pause=timedelta(milliseconds=20),
    longest_pause=timedelta(milliseconds=300),
)
Call = Callable[[HangingServer], object]


def read_a_pool(server: HangingServer) -> object:
    endpoint = ArmEndpoint(url=server.url, scope="https://management.test/.default")
    clock = FakeClock()
    pools = AksNodePools(ArmClients(endpoint, FakeCredential(), ArmBudget(clock), IMPATIENT), clock)
    return pools.read(pool_named("web"))


def read_demand(server: HangingServer) -> object:
    demand = PrometheusDemand(source="prometheus", endpoint=server.url, query="up", history_days=1)
    return PrometheusDemandSource(demand, None, IMPATIENT).history(NOW)


def look_for_the_cluster(server: HangingServer) -> None:
    name = WorkspaceName(subscription_id="s", resource_group="g", name="w")
    endpoint = ArmEndpoint(url=server.url, scope="https://management.test/.default")
    workspace = Workspace(name, endpoint, FakeCredential(), monotonic=time.monotonic, limits=IMPATIENT)
    workspace.require_compute("cluster", workspace.deadline())


def blobs_on(server: HangingServer) -> AzureBlobs:
    return azure_blobs(f"{server.url}/account", "c", "a2V5", IMPATIENT)  # type: ignore[arg-type]  # a key needs no sign-in


def make_the_container(server: HangingServer) -> object:
    return azure_blobs_from_connection_string(azurite_connection_string(server.port), "c", IMPATIENT)


def read_a_blob(server: HangingServer) -> object:
    return blobs_on(server).read("config/pools.json")


def read_a_changed_blob(server: HangingServer) -> object:
    return blobs_on(server).read_if_changed("config/pools.json", "0x8D")


def write_a_blob(server: HangingServer) -> object:
    return blobs_on(server).write("state/web.json", b"{}", if_etag=None)


def append_to_a_blob(server: HangingServer) -> None:
    blobs_on(server).append("decisions/web/2026-11-22.jsonl", b"{}\n")


def list_blobs(server: HangingServer) -> object:
    return blobs_on(server).names("history/")


CALLS = [
    pytest.param(read_a_pool, Transient, id="AKS"),
    pytest.param(read_demand, DemandUnavailable, id="Prometheus"),
    pytest.param(look_for_the_cluster, Transient, id="Azure ML"),
    pytest.param(make_the_container, Transient, id="making the container"),
    pytest.param(read_a_blob, Transient, id="reading a blob"),
    pytest.param(read_a_changed_blob, Transient, id="reading a blob if it changed"),
    pytest.param(write_a_blob, Transient, id="writing a blob"),
    pytest.param(append_to_a_blob, Transient, id="appending to a blob"),
    pytest.param(list_blobs, Transient, id="listing blobs"),
]


@contextmanager
def within(longest: timedelta) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < longest.total_seconds() + 1


@pytest.mark.parametrize(("call", "error"), CALLS)
def test_a_server_that_never_answers_is_given_up_in_time(call: Call, error: type[Exception]) -> None:
    with hanging_server() as server, within(IMPATIENT.longest), pytest.raises(error):
        call(server)


@pytest.mark.parametrize(
    ("call", "error", "answer"),
    [
        pytest.param(read_a_pool, Transient, HALF_AN_OBJECT, id="AKS"),
        pytest.param(read_demand, DemandUnavailable, HALF_AN_OBJECT, id="Prometheus"),
        pytest.param(look_for_the_cluster, Transient, HALF_AN_OBJECT, id="Azure ML"),
        pytest.param(read_a_blob, Transient, HALF_A_BLOB, id="a blob"),
        pytest.param(list_blobs, Transient, HALF_AN_OBJECT, id="a list of blobs"),
    ],
)
def test_an_answer_that_stops_halfway_is_given_up_in_time(call: Call, error: type[Exception], answer: bytes) -> None:
    with hanging_server(answer) as server, within(IMPATIENT.longest), pytest.raises(error):
        call(server)


def test_a_sign_in_service_that_hangs_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(storage_account_url="https://store.blob.core.windows.net", identity_client_id="id")
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential")
    monkeypatch.setenv("IDENTITY_HEADER", "secret")

    with hanging_server() as server:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{server.url}/msi/token")
        with within(IMPATIENT.longest), pytest.raises((ClientAuthenticationError, AzureError)):
            app_credential(settings, IMPATIENT).get_token("https://management.azure.com/.default")

        assert len(server.requests) == 2


def test_the_limits_that_hold_in_a_deployment() -> None:
    assert (DEFAULT_LIMITS.connect, DEFAULT_LIMITS.read) == (timedelta(seconds=5), timedelta(seconds=20))
    assert DEFAULT_LIMITS.longest == timedelta(seconds=85)
    options = storage_options(DEFAULT_LIMITS)
    assert (options["connection_timeout"], options["read_timeout"]) == (5, 20)


@pytest.mark.parametrize("call", [read_a_pool, read_demand, look_for_the_cluster, read_a_blob])
def test_every_request_says_who_asks(call: Call) -> None:
    with hanging_server() as server:
        with pytest.raises((Transient, DemandUnavailable)):
            call(server)

        assert f"User-Agent: forescale/{VERSION}" in server.requests[0]


# retries


@pytest.fixture
def arm() -> Iterator[FakeArm]:
    with FakeArm(FakeClock()) as running:
        yield running


def ask(arm: FakeArm, method: str, **options: Any) -> int:
    client = http_client(arm.url, limits=IMPATIENT)
    return client.send_request(HttpRequest(method, f"{arm.url}/subscriptions"), **options).status_code


def unavailable(**headers: str) -> Answer:
    return Answer(503, {}, {name.replace("_", "-"): value for name, value in headers.items()})


def test_a_read_is_tried_again(arm: FakeArm) -> None:
    arm.answer_next("GET", unavailable(), Answer(200, {}))

    assert ask(arm, "GET") == 200


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_a_write_is_never_tried_again(arm: FakeArm, method: str) -> None:
    arm.answer_next(method, unavailable(), Answer(200, {}))

    assert ask(arm, method) == 503


def test_a_post_that_only_reads_is_tried_again(arm: FakeArm) -> None:
    arm.answer_next("POST", unavailable(), Answer(200, {}))

    assert ask(arm, "POST", **{IS_READ: True}) == 200


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 412, 429])
def test_what_would_not_pass_is_answered_at_once(arm: FakeArm, status: int) -> None:
    arm.answer_next("GET", Answer(status, {}, {"Retry-After": "1"}), Answer(200, {}))

    assert ask(arm, "GET") == status


def test_reads_that_keep_failing_end_with_the_last_answer(arm: FakeArm) -> None:
    arm.answer_next("GET", *[unavailable() for _ in range(IMPATIENT.retries + 1)], Answer(200, {}))

    assert ask(arm, "GET") == 503


@pytest.mark.parametrize("asked", ["100000", "Sun, 06 Nov 2044 08:49:37 GMT"])
def test_a_wait_that_the_service_asks_for_is_slept_up_to_a_cap(arm: FakeArm, asked: str) -> None:
    arm.answer_next("GET", unavailable(Retry_After=asked), Answer(200, {}))
    began = time.monotonic()

    assert ask(arm, "GET") == 200

    assert time.monotonic() - began >= IMPATIENT.longest_pause.total_seconds()


def test_a_caller_may_say_how_much_time_is_left_for_all_tries(arm: FakeArm) -> None:
    arm.answer_next("GET", unavailable(), Answer(200, {}))
    left_s = iter([0.5])

    with pytest.raises(StopIteration):
        ask(arm, "GET", **{TIME_LEFT_S: lambda: next(left_s)})


def test_no_step_takes_longer_than_the_time_that_is_left() -> None:
    options: dict[str, Any] = {TIME_LEFT_S: lambda: 0.2}

    with hanging_server() as server, within(timedelta(milliseconds=200)), pytest.raises(AzureError):
        http_client(server.url).send_request(HttpRequest("POST", server.url), **options)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("17", timedelta(seconds=17)),
        ("0", None),
        ("-5", None),
        ("", None),
        ("soon", None),
        ("1e9", None),
        ("inf", None),
        ("nan", None),
        ("²", None),
        ("9" * 400, LONGEST_BELIEVED),
        ("86401", LONGEST_BELIEVED),
        ("Sun, 06 Nov 1994 08:49:37 GMT", None),
        ("Sun, 06 Nov 2044 08:49:37 GMT", LONGEST_BELIEVED),
        ("Sun, 06 Nov 2044 08:49:37", LONGEST_BELIEVED),
        ("Sun, 99 Nov 2044 08:49:37 GMT", None),
    ],
)
def test_a_wait_is_read_in_seconds_or_as_a_date_and_believed_for_an_hour(
    header: str, expected: timedelta | None
) -> None:
    assert read_retry_after({"Retry-After": header}) == expected
