"""Every trigger of the app, and nothing else: parse, call one use case, shape the reply."""

import azure.functions as func

from scaler import wiring
from shared.http.problems import answer
from shared.http.reply import Reply
from shared.settings import load_settings
from shared.version import VERSION
from training import api
from training.wiring import watch_models as watch

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)


@app.function_name("scale")
@app.timer_trigger(schedule="%FORESCALE_SCHEDULE%", arg_name="timer", use_monitor=True)
def scale(timer: func.TimerRequest) -> None:  # noqa: ARG001 - a late tick looks at what is, like any other
    """Forecast, decide and size every pool once."""
    wiring.scale()


@app.function_name("health")
@app.route(route="health", methods=[func.HttpMethod.GET], auth_level=func.AuthLevel.ANONYMOUS)
def health(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001 - liveness asks nothing
    """Answer that the app is alive and which version it is, without further details."""
    return func.HttpResponse(f'{{"status":"ok","version":"{VERSION}"}}', mimetype="application/json")


@app.function_name("watch_models")
@app.timer_trigger(schedule="%FORESCALE_WATCH_SCHEDULE%", arg_name="timer", use_monitor=True)
def watch_models(timer: func.TimerRequest) -> None:  # noqa: ARG001 - as above
    """Judge every pool's model, roll a bad promotion back, start retraining where it is due."""
    watch()


@app.function_name("retrain")
@app.route(route="retrain", methods=[func.HttpMethod.POST])
def retrain(req: func.HttpRequest) -> func.HttpResponse:
    """Start a retraining, or return the one that runs."""
    return _http(answer(lambda: api.retrain(load_settings(), req.get_body(), req.headers)))


@app.function_name("retrain_list")
@app.route(route="retrain", methods=[func.HttpMethod.GET])
def retrain_list(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001 - the list takes no options
    """List the newest runs."""
    return _http(answer(lambda: api.retrain_list(load_settings())))


@app.function_name("retrain_status")
@app.route(route="retrain/{run_id}", methods=[func.HttpMethod.GET])
def retrain_status(req: func.HttpRequest) -> func.HttpResponse:
    """Tell how a run stands."""
    return _http(answer(lambda: api.retrain_status(load_settings(), req.route_params["run_id"])))


@app.function_name("retrain_cancel")
@app.route(route="retrain/{run_id}", methods=[func.HttpMethod.DELETE])
def retrain_cancel(req: func.HttpRequest) -> func.HttpResponse:
    """Ask for a run's end."""
    return _http(answer(lambda: api.retrain_cancel(load_settings(), req.route_params["run_id"])))


@app.function_name("models")
@app.route(route="models/{pool}", methods=[func.HttpMethod.GET])
def models(req: func.HttpRequest) -> func.HttpResponse:
    """List a pool's model versions with their scores."""
    return _http(answer(lambda: api.models(load_settings(), req.route_params["pool"])))


@app.function_name("model_promote")
@app.route(route="models/{pool}/promote", methods=[func.HttpMethod.POST])
def model_promote(req: func.HttpRequest) -> func.HttpResponse:
    """Let a published version serve."""
    return _http(answer(lambda: api.promote(load_settings(), req.route_params["pool"], req.get_body())))


@app.function_name("model_rollback")
@app.route(route="models/{pool}/rollback", methods=[func.HttpMethod.POST])
def model_rollback(req: func.HttpRequest) -> func.HttpResponse:
    """Let the version before the present one serve."""
    return _http(answer(lambda: api.rollback(load_settings(), req.route_params["pool"], req.get_body())))


def _http(reply: Reply) -> func.HttpResponse:
    return func.HttpResponse(reply.text, status_code=reply.status, headers=dict(reply.headers), mimetype=reply.mimetype)
