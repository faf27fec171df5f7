"""Serves the HTTP functions: finds the route, checks the key, and hands over requests as the host does."""

import hmac
import logging
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import escape
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import unquote

import azure.functions as func
from azure.functions.http import HttpRequestConverter, HttpResponseConverter
from azure.functions.meta import Datum
from werkzeug.exceptions import HTTPException
from werkzeug.serving import WSGIRequestHandler
from werkzeug.wrappers import Request, Response

from dev.host.functions import ANONYMOUS, HttpFunction
from dev.host.invocation import Invoker, attempt

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

logger = logging.getLogger("dev.host.http")

MAX_BODY_BYTES = 104_857_600
"""The host's limit (learn.microsoft.com, HTTP trigger, Limits); a longer body is answered 413."""

_OURS = frozenset({"connection", "content-length", "transfer-encoding"})
"""Headers about the connection; the server writes them, a function's own would contradict it."""


class Site:
    """The WSGI application, and the count of requests that it is answering."""

    def __init__(self, functions: Sequence[HttpFunction], *, key: str, invoker: Invoker) -> None:
        self._functions = sorted(functions, key=lambda function: function.route.precedence)
        self._key = key
        self._invoker = invoker
        self._active = 0
        self._idle = threading.Condition()

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request."""
        request = Request(environ)
        request.max_content_length = MAX_BODY_BYTES
        try:
            response = self._answer(request)
        except HTTPException as exc:  # a body that is too long, or shorter than announced
            response = Response(status=exc.code)
        logger.debug("%s %s %s", request.method, request.path, response.status_code)
        return response(environ, start_response)

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Count a request as being answered, until its last byte is written."""
        with self._idle:
            self._active += 1
        try:
            yield
        finally:
            with self._idle:
                self._active -= 1
                self._idle.notify_all()

    def drain(self, timeout_s: float) -> bool:
        """Wait until no request is being answered; ``False`` when one still is after that time."""
        with self._idle:
            return self._idle.wait_for(lambda: self._active == 0, max(0.0, timeout_s))

    def _answer(self, request: Request) -> Response:
        raw_path = str(request.environ["REQUEST_URI"]).partition("?")[0]
        path = unquote(raw_path.replace("%2F", "%252F").replace("%2f", "%252f"))  # as ASP.NET: %2F parts no segments
        for function in self._functions:
            parameters = function.route.match(path)
            if parameters is not None and (not function.methods or request.method in function.methods):
                return self._answer_from(function, request, parameters)
        if path == "/" and request.method == "GET":
            return Response(self._page(), mimetype="text/html")
        return Response(status=HTTPStatus.NOT_FOUND)  # also for a method that no function takes: the host knows no 405

    def _answer_from(self, function: HttpFunction, request: Request, parameters: Mapping[str, str]) -> Response:
        if function.auth_level != ANONYMOUS and not self._has_key(request):
            return Response(status=HTTPStatus.UNAUTHORIZED)
        trigger = _trigger(request, parameters)
        outcome = attempt(
            f"Function {function.user.name}", lambda: _response(self._invoker.invoke(function.user, trigger))
        )
        return outcome.value if outcome.error is None else Response(status=HTTPStatus.INTERNAL_SERVER_ERROR)

    def _has_key(self, request: Request) -> bool:
        in_query = (value for name, value in request.args.items() if name.lower() == "code")
        given = request.headers.get("x-functions-key", next(in_query, ""))  # the header wins, even when it is empty
        return hmac.compare_digest(given.encode(), self._key.encode())

    def _page(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(function.user.name)}<td>{escape(methods_text(function))}"
            f"<td>/{escape(function.route.template)}<td>{escape(function.auth_level)}"
            for function in self._functions
        )
        return (
            '<!doctype html><html lang="en"><meta charset="utf-8"><title>Functions on this machine</title>'
            "<style>body{font:1rem system-ui;margin:2rem}td,th{padding:.2rem 1rem .2rem 0;text-align:left}</style>"
            "<h1>Functions on this machine</h1><table><tr><th>Function<th>Methods<th>Route<th>Key</tr>"
            f"{rows}</table><p>A small development host; Azure Functions Core Tools (<code>func start</code>) is the "
            "faithful one.</p></html>"
        )


class RequestHandler(WSGIRequestHandler):
    """werkzeug's handler, counting what it answers and leaving the log to the site."""

    def run_wsgi(self) -> None:
        """Answer one request through the site."""
        site = self.server.app
        if not isinstance(site, Site):
            msg = f"this handler serves a Site, not a {type(site).__name__}"
            raise TypeError(msg)
        with site.answering():
            super().run_wsgi()

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002  werkzeug's name
        """Keep werkzeug's access lines, whose URLs hold ``?code=``, out of the terminal."""
        if type == "error":
            logger.warning(message, *args)


def methods_text(function: HttpFunction) -> str:
    """Return the methods for people to read."""
    return ",".join(sorted(function.methods)) or "any"


def _trigger(request: Request, parameters: Mapping[str, str]) -> func.HttpRequest:
    """Build the input from the message that the host sends to the worker.

    Header names are lower-cased, empty query values are dropped, repeated ones are joined by commas, and a body is
    read only when its length is announced (azure-functions-host, GrpcMessageConversionExtensions.cs).
    """
    query = {name: ",".join(values) for name, values in request.args.lists()}
    message = {
        "method": Datum(request.method, "string"),
        "url": Datum(f"http://{request.host}{request.environ['REQUEST_URI']}", "string"),
        "headers": {name.lower(): Datum(value, "string") for name, value in request.headers.items()},
        "query": {name: Datum(value, "string") for name, value in query.items() if value},
        "params": {name: Datum(value, "string") for name, value in parameters.items()},
        "body": Datum(request.get_data() if request.content_length else b"", "bytes"),
    }
    trigger: func.HttpRequest = HttpRequestConverter.decode(Datum(message, "http"), trigger_metadata=None)
    return trigger


def _response(returned: object) -> Response:
    """Build the answer from what the worker would send to the host for this value.

    Raises:
        TypeError: the function returned neither ``HttpResponse`` nor ``str``.
    """
    try:
        encoded = HttpResponseConverter.encode(returned, expected_type=None)
    except NotImplementedError as exc:
        msg = f"an HTTP function returns func.HttpResponse or str, this one returned {type(returned).__name__}"
        raise TypeError(msg) from exc
    if encoded.type == "string":
        return Response(encoded.value, mimetype="text/plain")
    content = encoded.value
    response = Response(content["body"].value, status=int(content["status_code"].value))
    for name, value in content["headers"].items():
        if name.lower() not in _OURS:
            response.headers[name] = value.value
    for cookie in content["cookies"] or ():
        for morsel in cookie.values():
            response.headers.add("Set-Cookie", morsel.OutputString())
    return response
