"""Demand from Prometheus, over HTTP against a server of ours."""

import time
from collections.abc import Iterator
from datetime import timedelta

import numpy as np
import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError

from scaler.cloud.prometheus import PrometheusDemandSource
from shared.errors import DemandError, DemandUnavailable
from shared.pools import PrometheusDemand
from tests.builders import NOW, STEP
from tests.fakes.prometheus import FakePrometheus, fake_prometheus


class NotedCredential:
    """A credential that notes for which scope it was asked, and has no token to give."""

    def __init__(self) -> None:
        self.scopes: list[str] = []

    def get_token(self, *scopes: str, **_: object) -> AccessToken:
        self.scopes.extend(scopes)
        message = "no identity here"
        raise ClientAuthenticationError(message)


@pytest.fixture
def prometheus() -> Iterator[FakePrometheus]:
    with fake_prometheus() as fake:
        yield fake


def source(endpoint: str, credential: NotedCredential | None = None, **changes: float) -> PrometheusDemandSource:
    demand = PrometheusDemand.model_validate(
        {"source": "prometheus", "endpoint": endpoint, "query": "sum(rate(x[5m]))", "history_days": 1, **changes}
    )
    return PrometheusDemandSource(demand, credential)


def test_a_sample_is_the_interval_that_ends_at_its_instant(prometheus: FakePrometheus) -> None:
    prometheus.value_at = lambda instant: str(instant - NOW.timestamp() + 1e6)

    history = source(prometheus.endpoint).history(NOW)

    assert history.end_utc == NOW
    assert history.demand[-1] == 1e6
    assert (len(history), history.step) == (289, STEP)


def test_only_complete_intervals_are_asked_for(prometheus: FakePrometheus) -> None:
    history = source(prometheus.endpoint).history(NOW + timedelta(minutes=4, seconds=59))

    assert history.end_utc == NOW
    assert prometheus.asked[0]["end"] == NOW.timestamp()


def test_a_long_history_is_asked_for_in_parts_that_prometheus_allows(prometheus: FakePrometheus) -> None:
    history = source(prometheus.endpoint, history_days=100).history(NOW)

    assert len(history) == 100 * 288 + 1
    assert np.isfinite(history.demand).all()
    assert len(prometheus.asked) == 3


@pytest.mark.parametrize("odd", ["NaN", "+Inf", "-Inf"])
def test_a_sample_that_is_not_finite_is_unknown(prometheus: FakePrometheus, odd: str) -> None:
    prometheus.value_at = lambda instant: odd if instant == (NOW - STEP).timestamp() else "5"

    assert np.isnan(source(prometheus.endpoint).history(NOW).demand[-2])


def test_what_is_missing_is_unknown_and_what_is_missing_at_the_end_is_left_out(prometheus: FakePrometheus) -> None:
    present = {(NOW - number * STEP).timestamp() for number in (2, 5)}
    prometheus.value_at = lambda instant: "5" if instant in present else None

    history = source(prometheus.endpoint).history(NOW)

    assert history.demand == pytest.approx([5.0, np.nan, np.nan, 5.0], nan_ok=True)
    assert history.end_utc == NOW - 2 * STEP


def test_one_sample_is_a_history(prometheus: FakePrometheus) -> None:
    prometheus.value_at = lambda instant: "5" if instant == NOW.timestamp() else None

    assert source(prometheus.endpoint).history(NOW).demand.tolist() == [5.0]


@pytest.mark.parametrize(
    ("changes", "error", "expected"),
    [
        pytest.param(
            {"series": 3}, DemandError, r"yields 3 series, one is needed: wrap it in sum", id="several series"
        ),
        pytest.param({"value_at": lambda _: None}, DemandError, "found no data at", id="empty"),
        pytest.param({"value_at": lambda _: "-1"}, DemandError, "is -1.0: demand must lie within", id="negative"),
        pytest.param({"status": 400}, DemandError, "refused 'sum.*parse error at char 5", id="a query it cannot read"),
        pytest.param({"status": 422}, DemandError, "refused 'sum", id="a query it cannot run"),
        pytest.param({"status": 401}, DemandUnavailable, "answered 401", id="not allowed"),
        pytest.param({"status": 404}, DemandUnavailable, "answered 404", id="no such address"),
        pytest.param({"status": 302}, DemandUnavailable, "answered 302", id="sent elsewhere"),
        pytest.param({"raw": b"<html>"}, DemandUnavailable, "answered with no range result", id="no JSON"),
        pytest.param({"raw": b"[]"}, DemandUnavailable, "answered with no range result", id="another JSON"),
        pytest.param({"raw": b'{"data": {"result": null}}'}, DemandUnavailable, "no range result", id="null"),
        pytest.param(
            {"raw": b'{"data": {"result": [{"value": [1, "2"]}]}}'},
            DemandUnavailable,
            "a sample that is none",
            id="vector",
        ),
        pytest.param(
            {"raw": b'{"data": {"result": [{"values": [[1, "x"]]}]}}'}, DemandUnavailable, "that is none", id="a word"
        ),
        pytest.param(
            {"raw": b'{"data": {"result": [{"values": [[1e99, "1"]]}]}}'}, DemandUnavailable, "is none", id="a far year"
        ),
    ],
)
def test_what_cannot_be_used_is_one_clear_error(
    prometheus: FakePrometheus, changes: dict[str, object], error: type[DemandError], expected: str
) -> None:
    vars(prometheus).update(changes)

    with pytest.raises(error, match=expected) as raised:
        source(prometheus.endpoint).history(NOW)

    assert type(raised.value) is error


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{"status": 503}, {"resets": True}])
def test_a_server_in_trouble_is_left_for_the_next_tick(prometheus: FakePrometheus, changes: dict[str, object]) -> None:
    vars(prometheus).update(changes)
    began = time.monotonic()

    with pytest.raises(DemandUnavailable):
        source(prometheus.endpoint).history(NOW)

    assert time.monotonic() - began < 30


def test_a_server_that_is_not_azures_gets_no_token(prometheus: FakePrometheus) -> None:
    credential = NotedCredential()

    source(prometheus.endpoint, credential).history(NOW)

    assert credential.scopes == []
    assert prometheus.tokens == [""]


@pytest.mark.parametrize(
    "disguise",
    ["http://a.prometheus.monitor.azure.com@{}", "http://{}/a.prometheus.monitor.azure.com", "http://{}/?.azure.com"],
)
def test_a_server_that_only_looks_like_azures_gets_no_token(prometheus: FakePrometheus, disguise: str) -> None:
    credential = NotedCredential()
    endpoint = disguise.format(prometheus.endpoint.removeprefix("http://"))

    assert len(source(endpoint, credential).history(NOW)) == 289
    assert credential.scopes == []
    assert prometheus.tokens == [""]


@pytest.mark.parametrize("suffix", ["com", "us", "cn"])
def test_azure_monitor_is_asked_with_the_identity(suffix: str) -> None:
    credential = NotedCredential()

    with pytest.raises(DemandUnavailable, match="did not answer: ClientAuthenticationError"):
        source(f"https://web-x1y2.westeurope.prometheus.monitor.azure.{suffix}", credential).history(NOW)

    assert credential.scopes == ["https://prometheus.monitor.azure.com/.default"]


def test_a_token_never_travels_without_tls() -> None:
    with pytest.raises(DemandUnavailable, match="non-TLS"):
        source("http://web.westeurope.prometheus.monitor.azure.com", NotedCredential()).history(NOW)
