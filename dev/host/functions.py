"""The app's functions as this host serves them, taken from what the decorators registered."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import azure.functions as func

from dev.host.local_files import resolve
from dev.host.ncrontab import Schedule
from dev.host.routes import Route
from shared.errors import ConfigurationError

ANONYMOUS = "anonymous"


@dataclass(frozen=True, kw_only=True)
class UserFunction:
    """A function of the app: the callable, and the argument that takes the trigger's value."""

    name: str
    argument: str
    call: Callable[..., object]


@dataclass(frozen=True, kw_only=True)
class HttpFunction:
    """A function that a request triggers; no methods means that every method does."""

    user: UserFunction
    route: Route
    methods: frozenset[str]
    auth_level: str


@dataclass(frozen=True, kw_only=True)
class TimerFunction:
    """A function that a schedule triggers."""

    user: UserFunction
    schedule: Schedule
    use_monitor: bool
    run_on_startup: bool


@dataclass(frozen=True, kw_only=True)
class Functions:
    """Everything that one app registered; ``unserved`` says why this host leaves a function alone."""

    http: Sequence[HttpFunction]
    timers: Sequence[TimerFunction]
    unserved: Mapping[str, str]


def read_functions(app: func.FunctionApp, prefix: str, environment: Mapping[str, str] = os.environ) -> Functions:
    """Read the registrations of an app, with ``%SETTING%`` in schedules resolved from the environment.

    Raises:
        ConfigurationError: lists every function with a bad schedule, a bad route or a missing setting.
    """
    http: list[HttpFunction] = []
    timers: list[TimerFunction] = []
    unserved: dict[str, str] = {}
    faults: list[str] = []
    # The library keeps the names of an earlier call and then takes each function for its own duplicate.
    app.functions_bindings = None
    for function in app.get_functions():
        name = str(function.get_function_name())
        bindings: list[dict[str, Any]] = function.get_bindings_dict()["bindings"]
        kinds = {str(binding["type"]): binding for binding in bindings}
        try:
            if set(kinds) <= {"httpTrigger", "http"} and "httpTrigger" in kinds:
                http.append(_http_function(_user_function(name, function, kinds["httpTrigger"]), kinds, prefix))
            elif set(kinds) == {"timerTrigger"}:
                user = _user_function(name, function, kinds["timerTrigger"])
                timers.append(_timer_function(user, kinds["timerTrigger"], environment))
            else:
                unserved[name] = ", ".join(sorted(set(kinds) - {"httpTrigger", "http", "timerTrigger"}))
        except ConfigurationError as exc:
            faults.append(f"Function {name}: {exc}")
    if faults:
        raise ConfigurationError("\n".join(faults))
    return Functions(http=http, timers=timers, unserved=unserved)


def _user_function(name: str, function: Any, trigger: Mapping[str, Any]) -> UserFunction:  # noqa: ANN401  the library does not export its type
    return UserFunction(name=name, argument=str(trigger["name"]), call=function.get_user_function())


def _http_function(user: UserFunction, kinds: Mapping[str, Mapping[str, Any]], prefix: str) -> HttpFunction:
    trigger = kinds["httpTrigger"]
    route = str(trigger.get("route") or user.name).strip("/")
    return HttpFunction(
        user=user,
        route=Route.parse(f"{prefix}/{route}".strip("/")),
        methods=frozenset(_plain(method).upper() for method in trigger.get("methods") or ()),
        auth_level=_plain(trigger.get("authLevel") or "function").lower(),
    )


def _timer_function(user: UserFunction, trigger: Mapping[str, Any], environment: Mapping[str, str]) -> TimerFunction:
    return TimerFunction(
        user=user,
        schedule=Schedule.parse(resolve(str(trigger["schedule"]), environment)),
        use_monitor=trigger.get("useMonitor") is not False,
        run_on_startup=trigger.get("runOnStartup") is True,
    )


def _plain(value: object) -> str:
    """Return the text of what the library holds as its own enum or, after a generic trigger, as text."""
    return str(getattr(value, "value", value))
