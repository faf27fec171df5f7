"""Calls the app's HTTP functions as the Functions host does: the registered handler, a request, a response."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import azure.functions as func

import function_app


@dataclass(frozen=True, kw_only=True)
class Answered:
    """What the host would send back."""

    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def problem(self) -> str:
        """The last word of the problem's type."""
        return str(self.body["type"]).rpartition(":")[2]


def call(name: str, *, body: object = None, headers: dict[str, str] | None = None, **route: str) -> Answered:
    """Call the function of that name; ``body`` is sent as JSON unless it is bytes."""
    function = next(one for one in function_app.app.get_functions() if one.get_function_name() == name)
    function_app.app.functions_bindings = None  # or the library takes each function for its own duplicate
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = func.HttpRequest(
        method="POST", url="/api", headers=headers or {}, route_params=route, body=b"" if body is None else sent
    )
    reply = function.get_user_function()(request)
    return Answered(status=reply.status_code, body=json.loads(reply.get_body()), headers=reply.headers)


def ended(run_id: str, *, within_s: float = 90) -> dict[str, Any]:
    """Ask for a run until it is over, and return how it ended."""
    until = time.monotonic() + within_s
    while True:
        run: dict[str, Any] = call("retrain_status", run_id=run_id).body
        if run["state"] in {"completed", "failed", "canceled"}:
            return run
        assert time.monotonic() < until, run
        time.sleep(0.3)
