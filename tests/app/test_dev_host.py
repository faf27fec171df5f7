"""The development host's HTTP side, over real sockets."""

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import azure.functions as func
import pytest

from dev.host.host import Host
from shared.errors import ConfigurationError
from tests.fakes.sample_functions import KEY, Seen, ask, new_host, sample_app, timer_app


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
def host(seen: Seen, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    monkeypatch.setenv("TEST_SCHEDULE", "0 0 4 1 1 *")
    running = new_host(sample_app(seen))
    running.start()
    yield running
    running.stop()


@pytest.mark.parametrize(
    ("method", "path", "key", "expected"),
    [
        pytest.param("GET", "/api/health", None, (200, "healthy"), id="anonymous is open"),
        pytest.param("GET", "/API/Health/", None, (200, "healthy"), id="case and a last slash do not matter"),
        pytest.param("POST", "/api/health", None, (404, ""), id="another method is not found, as the host says"),
        pytest.param("HEAD", "/api/health", None, (404, ""), id="GET does not bring HEAD"),
        pytest.param("GET", "/health", None, (404, ""), id="the prefix is needed"),
        pytest.param("GET", "/api/unknown", None, (404, ""), id="an unknown route"),
        pytest.param("GET", "/api/health/../pools/web", None, (404, ""), id="dots lead nowhere"),
        pytest.param("GET", "/api/pools/web", None, (401, ""), id="no key"),
        pytest.param("GET", "/api/pools/web", "wrong", (401, ""), id="a wrong key"),
        pytest.param("GET", "/api/pools/web", "", (401, ""), id="an empty key"),
        pytest.param("GET", "/api/pools/web", KEY, (200, "pool web"), id="the key in the header"),
        pytest.param("GET", f"/api/pools/web?code={KEY}", "wrong", (401, ""), id="the header wins over the query"),
        pytest.param("GET", f"/api/pools/web?code={KEY}", None, (200, "pool web"), id="the key in the query"),
        pytest.param("GET", "/api/pools/web?code=%C3%BC", None, (401, ""), id="a wrong key in the query"),
        pytest.param("GET", "/api/pools/a%20b%2Fc", KEY, (200, "pool a b%2Fc"), id="an escaped slash parts nothing"),
        pytest.param("GET", "/api/pools/all", KEY, (200, "every pool"), id="text wins over a parameter"),
        pytest.param("DELETE", "/api/pools/all", KEY, (200, "removed all"), id="the method chooses the function"),
        pytest.param("GET", "/api/by_its_name", KEY, (200, "admin"), id="the route is the function's name"),
        pytest.param("GET", "/api/by_its_name", None, (401, ""), id="admin needs the key"),
        pytest.param("GET", "/api/echo/web/monday", None, (404, ""), id="no integer where one belongs"),
        pytest.param("GET", "/api/nothing", None, (500, ""), id="a function that returns nothing"),
        pytest.param("GET", "/api/leaves", None, (500, ""), id="a function that exits"),
        pytest.param("GET", "/api/async", None, (200, "waited"), id="an async function"),
    ],
)
def test_a_request_is_answered_as_the_functions_host_does(
    host: Host, method: str, path: str, key: str | None, expected: tuple[int, str]
) -> None:
    answer = ask(host, path, method, headers={} if key is None else {"x-functions-key": key})

    assert (answer.status, answer.body) == expected


def test_a_function_receives_what_the_worker_would_give_it(host: Host) -> None:
    answer = ask(
        host,
        "/api/echo/web/7/late%20run?a=1&a=2&empty=&b=%C3%BC",
        "POST",
        body="some text",
        headers={"X-Mixed-Case": "Kept"},
    )

    answered = json.loads(answer.body)
    assert (answer.status, answer.headers["content-type"], answer.headers["x-told"]) == (202, "application/json", "yes")
    assert answered["method"] == "POST"
    assert answered["url"] == f"{host.address}/api/echo/web/7/late%20run?a=1&a=2&empty=&b=%C3%BC"
    assert answered["headers"]["x-mixed-case"] == "Kept"
    assert answered["query"] == {"a": "1,2", "b": "ü"}
    assert answered["route"] == {"pool": "web", "day": "7", "note": "late run"}
    assert answered["body"] == "some text"
    assert answered["function"] == "echo"


def test_an_optional_route_parameter_may_be_left_out(host: Host) -> None:
    assert json.loads(ask(host, "/api/echo/web/7").body)["route"] == {"pool": "web", "day": "7"}


def test_a_chunked_body_arrives_empty(host: Host) -> None:
    answer = ask(host, "/api/echo/web/7", "POST", body=iter([b"some", b"text"]), encode_chunked=True)

    assert (answer.status, json.loads(answer.body)["body"]) == (202, "")


def test_a_body_beyond_the_hosts_limit_is_refused_unread(host: Host) -> None:
    assert ask(host, "/api/echo/web/7", "POST", headers={"Content-Length": "104857601"}).status == 413


def test_a_cookie_reaches_the_client(host: Host) -> None:
    assert ask(host, "/api/cookies").headers["set-cookie"] == "session=1; Path=/"


def test_a_function_that_raises_gives_500_without_a_body_and_a_logged_traceback(
    host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    answer = ask(host, "/api/broken")

    assert (answer.status, answer.body) == (500, "")
    assert "Function broken failed" in caplog.text
    assert "Traceback" in caplog.text
    assert "RuntimeError: the disk is full" in caplog.text


def test_requests_are_answered_side_by_side(host: Host) -> None:
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(ask, [host, host], ["/api/together", "/api/together"]))

    assert [answer.body for answer in answers] == ["both", "both"]


def test_async_functions_share_one_event_loop(host: Host, seen: Seen) -> None:
    ask(host, "/api/async")
    ask(host, "/api/async")

    assert len(seen.loops) == 2
    assert len(set(seen.loops)) == 1


def test_the_first_page_lists_the_functions_and_keeps_the_key(host: Host) -> None:
    answer = ask(host, "/")

    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "/api/pools/{pool}" in answer.body
    assert "func start" in answer.body
    assert KEY not in answer.body


@pytest.mark.parametrize(("prefix", "path"), [("", "/health"), ("v1/x", "/v1/x/health"), ("/v1/", "/v1/health")])
def test_the_route_prefix_comes_from_host_json(prefix: str, path: str) -> None:
    host = new_host(timer_app(lambda _: None), {"extensions": {"http": {"routePrefix": prefix}}})
    host.start()
    answer = ask(host, path)
    host.stop()

    assert answer.body == "healthy"


def test_a_port_in_use_is_one_error_with_the_way_out(host: Host) -> None:
    port = int(host.address.rpartition(":")[2])
    second = new_host(timer_app(lambda _: None), port=port)

    with pytest.raises(ConfigurationError, match=rf"Port {port} on 127.0.0.1 is in use .* PORT=") as refused:
        second.start()

    second.stop()
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("host_json", "message"),
    [
        ({"extensions": {"http": {"routePrefix": 5}}}, "routePrefix is 5, where a string belongs"),
        ({"extensions": {"http": "api"}}, "is not an object: 'api'"),
    ],
)
def test_a_route_prefix_that_is_none_is_refused(host_json: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        new_host(timer_app(lambda _: None), host_json)


def test_an_empty_key_is_refused_for_it_would_let_every_request_in() -> None:
    with pytest.raises(ConfigurationError, match="key is empty"):
        Host(timer_app(lambda _: None), port=0, key="", host_json={})


def test_a_port_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="Port 70000 does not exist"):
        new_host(timer_app(lambda _: None), port=70000)


def test_the_host_listens_on_the_loopback_address_only_and_frees_the_port_at_the_end() -> None:
    host = new_host(timer_app(lambda _: None))
    host.start()
    port = int(host.address.rpartition(":")[2])
    host.stop()

    assert host.address == f"http://127.0.0.1:{port}"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=2)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("a/{b:datetime}", 'does not know the constraint "datetime"'),
        ("a/x{b}", 'cannot read the segment "x{b}"'),
        ("{b?}/a", "may only be the last segment"),
        ("{*b}/a", "may only be the last segment"),
    ],
)
def test_a_route_that_this_host_cannot_serve_is_refused_by_name(template: str, message: str) -> None:
    app = func.FunctionApp()

    @app.route(template)
    def never(req: func.HttpRequest) -> None:
        del req

    with pytest.raises(ConfigurationError, match=message):
        new_host(app)


def test_a_catch_all_route_takes_what_is_left() -> None:
    app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

    @app.route("files/{*path}")
    def files(req: func.HttpRequest) -> str:
        return str(req.route_params.get("path", "nothing"))

    host = new_host(app)
    host.start()
    answers = [ask(host, "/api/files/a/b.css").body, ask(host, "/api/files").body]
    host.stop()

    assert answers == ["a/b.css", "nothing"]
