"""A function app of every kind that the development host serves, and a client for it."""

import asyncio
import http.client
import json
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import azure.functions as func
from azure.functions.timer import TimerRequest

from dev.host.host import Host

KEY = "a-key-for-tests"


@dataclass
class Seen:
    """What the test app's functions leave behind."""

    loops: list[int] = field(default_factory=list)
    timers: list[TimerRequest] = field(default_factory=list)


def sample_app(seen: Seen) -> func.FunctionApp:  # noqa: C901  many functions, none of them complex
    app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
    barrier = threading.Barrier(2)

    @app.route("health", auth_level=func.AuthLevel.ANONYMOUS, methods=["GET"])
    def health(req: func.HttpRequest) -> str:
        del req
        return "healthy"

    @app.route("echo/{pool}/{day:int}/{note?}", auth_level=func.AuthLevel.ANONYMOUS)
    def echo(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
        received = {
            "method": req.method,
            "url": req.url,
            "headers": dict(req.headers),
            "query": dict(req.params),
            "route": dict(req.route_params),
            "body": req.get_body().decode(),
            "function": context.function_name,
        }
        headers = {"x-told": "yes", "content-length": "1"}
        return func.HttpResponse(json.dumps(received), status_code=202, headers=headers, mimetype="application/json")

    @app.route("pools/{pool}", methods=["GET"])
    def pool(req: func.HttpRequest) -> str:
        return f"pool {req.route_params['pool']}"

    @app.route("pools/{pool}", methods=["DELETE"])
    def remove(req: func.HttpRequest) -> str:
        return f"removed {req.route_params['pool']}"

    @app.route("pools/all", methods=["GET"])
    def every_pool(req: func.HttpRequest) -> str:
        del req
        return "every pool"

    @app.route(auth_level=func.AuthLevel.ADMIN)
    def by_its_name(req: func.HttpRequest) -> str:
        del req
        return "admin"

    @app.route("broken", auth_level=func.AuthLevel.ANONYMOUS)
    def broken(req: func.HttpRequest) -> str:
        del req
        msg = "the disk is full"
        raise RuntimeError(msg)

    @app.route("nothing", auth_level=func.AuthLevel.ANONYMOUS)
    def nothing(req: func.HttpRequest) -> None:
        del req

    @app.route("leaves", auth_level=func.AuthLevel.ANONYMOUS)
    async def leaves(req: func.HttpRequest) -> str:
        del req
        sys.exit(3)

    @app.route("async", auth_level=func.AuthLevel.ANONYMOUS)
    async def waits(req: func.HttpRequest) -> str:
        del req
        await asyncio.sleep(0)
        seen.loops.append(id(asyncio.get_running_loop()))
        return "waited"

    @app.route("together", auth_level=func.AuthLevel.ANONYMOUS)
    def together(req: func.HttpRequest) -> str:
        del req
        barrier.wait(5)
        return "both"

    @app.route("cookies", auth_level=func.AuthLevel.ANONYMOUS)
    def cookies(req: func.HttpRequest) -> func.HttpResponse:
        del req
        return func.HttpResponse("", headers={"Set-Cookie": "session=1; Path=/"})

    @app.timer_trigger(schedule="0 0 5 1 1 *", arg_name="timer")
    def yearly(timer: TimerRequest) -> None:
        seen.timers.append(timer)

    @app.timer_trigger(schedule="%TEST_SCHEDULE%", arg_name="timer")
    async def secondly(timer: TimerRequest) -> None:
        seen.timers.append(timer)

    @app.timer_trigger(schedule="0 0 5 1 1 *", arg_name="timer")
    def failing(timer: func.TimerRequest) -> None:
        del timer
        msg = "no such pool"
        raise LookupError(msg)

    @app.queue_trigger(arg_name="message", queue_name="q", connection="Storage")
    def queued(message: func.QueueMessage) -> None:
        del message

    return app


def timer_app(run: Callable[[func.TimerRequest], None], *, at_start: bool = False) -> func.FunctionApp:
    app = func.FunctionApp()

    @app.route("health", auth_level=func.AuthLevel.ANONYMOUS)
    def health(req: func.HttpRequest) -> str:
        del req
        return "healthy"

    @app.timer_trigger(schedule="* * * * * *", arg_name="timer", run_on_startup=at_start)
    def tick(timer: func.TimerRequest) -> None:
        run(timer)

    return app


def new_host(app: func.FunctionApp, host_json: dict[str, Any] | None = None, port: int = 0) -> Host:
    return Host(app, port=port, key=KEY, host_json=host_json or {})


@dataclass
class Answer:
    status: int
    body: str
    headers: dict[str, str]


def ask(host: Host, path: str, method: str = "GET", **more: Any) -> Answer:
    connection = http.client.HTTPConnection(host.address.removeprefix("http://"), timeout=10)
    try:
        connection.request(method, path, **more)
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, response.read().decode(), headers)
    finally:
        connection.close()
