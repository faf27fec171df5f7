"""The process that holds azureml-core: answers each line of JSON on standard input with one on standard output.

What the SDK raises often carries neither status nor code. So the one place through which all its HTTP goes is
watched: the last answer that said no tells what went wrong.
"""

import importlib
import json
import os
import queue
import sys
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, TextIO

import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry

from shared.cloud.arm_errors import ArmError, Refusal

IDLE_S = 120.0
PASSING_FAILURES = 3
"""So many answers in one operation that may pass: then it is over, whatever the SDK would try."""
ENDED = frozenset({"Completed", "Failed", "Canceled"})
SUBMITTED = ("/snapshotrun", "/PipelineSubmit/")


class _GaveUp(BaseException):
    """Ends an operation through the SDK's own ``except Exception`` and its retries."""


class _RunMissing(Exception):
    """No run of a published pipeline carries our tag."""


class _Wire:
    """Watches every HTTP answer of this process, and bounds how long and how often it is asked."""

    def __init__(self, give_up: Callable[[], None]) -> None:
        self.refusal: Refusal | None = None
        self.accepted = False
        self._give_up = give_up
        self._passing = 0
        self._timeouts_s = (5.0, 20.0)
        self._send = requests.Session.send

    def install(self) -> None:
        """Put the watch in place, once, before the SDK is imported."""
        wire, adapter_send = self, HTTPAdapter.send

        def send(session: requests.Session, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # noqa: ANN401
            return wire.sent(session, request, options)

        def sent_once(adapter: HTTPAdapter, *args: Any, **options: Any) -> requests.Response:  # noqa: ANN401
            adapter.max_retries = Retry(0, read=False)
            return adapter_send(adapter, *args, **options)

        requests.Session.send = send  # type: ignore[method-assign, assignment]
        HTTPAdapter.send = sent_once  # type: ignore[method-assign, assignment]

    def begin(self, timeouts_s: tuple[float, float]) -> None:
        """Forget what an earlier operation met; from now on connecting and reading take so many seconds at most."""
        self.refusal, self.accepted, self._passing, self._timeouts_s = None, False, 0, timeouts_s

    def sent(
        self, session: requests.Session, request: requests.PreparedRequest, options: dict[str, Any]
    ) -> requests.Response:
        """Send a request of the SDK and look at the answer."""
        options["timeout"] = self._timeouts_s
        try:
            response = self._send(session, request, **options)
        except requests.RequestException as exc:
            self._refused(Refusal(error=ArmError(message=f"got no complete answer: {type(exc).__name__}")))
            raise
        submits = any(part in str(request.url) for part in SUBMITTED)
        if submits and (response.ok or response.status_code == HTTPStatus.CONFLICT):
            self.accepted = True  # now, or under this id before
        if response.status_code >= HTTPStatus.BAD_REQUEST:
            self._refused(Refusal.from_answer(response.status_code, response.headers, _json(response)))
        return response

    def _refused(self, refusal: Refusal) -> None:
        self.refusal = refusal
        self._passing += refusal.is_passing or refusal.status == HTTPStatus.TOO_MANY_REQUESTS
        if self._passing < PASSING_FAILURES:
            return
        if threading.current_thread() is not threading.main_thread():
            self._give_up()  # a thread of the SDK's: it would wait for this one's result for ever
        raise _GaveUp


class _Sdk:
    """The operations, by their names."""

    def __init__(self, wire: _Wire) -> None:
        self._wire = wire
        self._tokens: dict[str, str] = {}
        self._workspaces: dict[str, Any] = {}

    def answer(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Do what was asked: ``{"done": …}``, or ``{"error": …}`` with the fields of a ``Refusal``."""
        connect_s, read_s = asked["timeouts_s"]
        self._wire.begin((connect_s, read_s))
        self._tokens.update(asked["tokens"])
        operations: dict[str, Callable[[Any, Mapping[str, Any], Mapping[str, Any]], dict[str, Any]]] = {
            "submit": self._submit,
            "state": self._state,
            "cancel": self._cancel,
        }
        try:
            done = operations[asked["operation"]](self._workspace(asked), asked, asked["arguments"])
        except _RunMissing:
            return {"error": _refusal(HTTPStatus.NOT_FOUND, "NotFound").to_json()}
        except (Exception, _GaveUp) as exc:  # noqa: BLE001 - the SDK raises a dozen kinds; what they mean is on the wire
            return _failed(self._wire, code=type(exc).__name__, submitting=asked["operation"] == "submit")
        return {"done": done}

    def _workspace(self, asked: Mapping[str, Any]) -> Any:  # noqa: ANN401 - the SDK has no type stubs
        from azureml.core import Workspace  # noqa: PLC0415 - after the watch is in place
        from azureml.core.authentication import TokenAuthentication  # noqa: PLC0415

        name = asked["workspace"]
        key = json.dumps(name, sort_keys=True)
        if key not in self._workspaces:
            sign_in = TokenAuthentication(self._tokens.__getitem__, cloud=asked["cloud"])
            self._workspaces[key] = Workspace(
                name["subscription_id"], name["resource_group"], name["name"], auth=sign_in
            )
        return self._workspaces[key]

    def _submit(self, workspace: Any, asked: Mapping[str, Any], arguments: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ANN401
        from azureml.core import Environment, Experiment, ScriptRunConfig  # noqa: PLC0415

        if asked["pipeline"]:
            return _submit_pipeline(workspace, asked, arguments)
        environment = Environment.from_pip_requirements(
            "forescale-training", str(Path(arguments["folder"]) / "requirements.txt")
        )
        environment.python.conda_dependencies.set_python_version(arguments["python"])
        environment.docker.base_image = arguments["base_image"]
        environment.environment_variables = dict(arguments["environment"])
        config = ScriptRunConfig(
            source_directory=arguments["folder"],
            command=list(arguments["command"]),
            compute_target=asked["compute"],
            environment=environment,
            max_run_duration_seconds=7200,
        )
        Experiment(workspace, asked["experiment"]).submit(
            config, run_id=arguments["run_id"], tags=dict(arguments["tags"])
        )
        return {}

    def _state(self, workspace: Any, asked: Mapping[str, Any], arguments: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ANN401
        run = _run(workspace, asked, arguments["run_id"])
        details = run.get_details()
        error = ((details.get("error") or {}).get("error") or {}).get("message") or ""
        return {
            "status": details["status"],
            "detail": error,
            "started_at": details.get("startTimeUtc"),
            "ended_at": details.get("endTimeUtc"),
            "portal_url": run.get_portal_url(),
        }

    def _cancel(self, workspace: Any, asked: Mapping[str, Any], arguments: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ANN401
        run = _run(workspace, asked, arguments["run_id"])
        if run.get_status() not in ENDED:
            run.cancel()
        return {}


def _failed(wire: _Wire, *, code: str, submitting: bool) -> dict[str, Any]:
    """Tell a failed operation by what was seen on the wire; a job that was accepted, now or before, is done."""
    refusal = wire.refusal or _refusal(HTTPStatus.BAD_REQUEST, code)
    if submitting and wire.accepted:
        return {"done": {}}
    return {"error": refusal.to_json()}


def _run(workspace: Any, asked: Mapping[str, Any], run_id: str) -> Any:  # noqa: ANN401
    """Find a run by its id, or, of a published pipeline, which gets an id of the service's, by its tag."""
    from azureml.core import Run  # noqa: PLC0415

    if not asked["pipeline"]:
        return Run.get(workspace, run_id)
    found = _tagged(workspace, asked["experiment"], run_id)
    if not found:
        raise _RunMissing
    return found[0]


def _submit_pipeline(workspace: Any, asked: Mapping[str, Any], arguments: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ANN401
    """Start a published pipeline through its endpoint, once: a run with our tag is looked for before.

    The service names such a run itself. The tags travel with the request, so no run of ours is ever without them.
    """
    from azureml.pipeline.core import PublishedPipeline  # noqa: PLC0415 - an optional package

    if _tagged(workspace, asked["experiment"], arguments["run_id"]):
        return {}
    found = [one for one in PublishedPipeline.list(workspace) if one.name == asked["pipeline"]]
    if not found:
        raise LookupError(asked["pipeline"])
    body = {"ExperimentName": asked["experiment"], "RunSource": "forescale", "tags": dict(arguments["tags"])}
    signed = workspace._auth.get_authentication_header()  # noqa: SLF001 - the way the SDK's documentation shows
    requests.post(found[0].endpoint, json=body, headers=signed, timeout=60).raise_for_status()
    return {}


def _tagged(workspace: Any, experiment: str, run_id: str) -> list[Any]:  # noqa: ANN401
    from azureml.core import Experiment  # noqa: PLC0415

    return list(Experiment(workspace, experiment).get_runs(tags={"forescale_run_id": run_id}))


def _refusal(status: HTTPStatus, code: str) -> Refusal:
    return Refusal(status=status, error=ArmError(code=code, nested=(code,)))


def _json(response: requests.Response) -> object:
    try:
        body: object = response.json()
    except (ValueError, RecursionError):
        return None
    return body


def main() -> int:
    """Serve until standard input ends or nobody asked for ``IDLE_S``."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the SDK prints goes to the log

    def tell(answer: Mapping[str, Any]) -> None:
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

    def give_up() -> None:
        tell({**_failed(wire, code=_GaveUp.__name__, submitting=True), "last": True})
        os._exit(0)

    wire = _Wire(give_up)
    wire.install()
    sdk = _Sdk(wire)
    importlib.import_module("azureml.core")  # a second of work, while the app looks at the workspace
    lines = _lines(sys.stdin)
    while line := _next(lines):
        tell(sdk.answer(json.loads(line)))
    return 0


def _lines(source: TextIO) -> "queue.SimpleQueue[str]":
    found: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read() -> None:
        for line in source:
            found.put(line)
        found.put("")

    threading.Thread(target=read, daemon=True).start()
    return found


def _next(lines: "queue.SimpleQueue[str]") -> str:
    try:
        return lines.get(timeout=IDLE_S)
    except queue.Empty:
        return ""


if __name__ == "__main__":
    main()
    os._exit(0)  # the SDK leaves threads behind that would keep the process
