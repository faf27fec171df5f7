"""Every trigger of the app, and nothing else: parse, call one use case, shape the reply."""

import azure.functions as func

from scaler import wiring

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)


@app.function_name("scale")
@app.timer_trigger(schedule="%FORESCALE_SCHEDULE%", arg_name="timer", use_monitor=True)
def scale(timer: func.TimerRequest) -> None:  # noqa: ARG001 - a late tick looks at what is, like any other
    """Forecast, decide and size every pool once."""
    wiring.scale()


@app.function_name("health")
@app.route(route="health", methods=[func.HttpMethod.GET], auth_level=func.AuthLevel.ANONYMOUS)
def health(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001 - liveness asks nothing
    """Answer that the app is alive, without details."""
    return func.HttpResponse('{"status":"ok"}', mimetype="application/json")
