"""Why a decision is what it is: a closed list, whose values never change meaning once released."""

from enum import StrEnum


class Reason(StrEnum):
    """One step on the way to a decision; a decision carries the steps that mattered, in order."""

    # which forecast it rests on: and which fallbacks were taken
    MODEL = "model"
    NO_MODEL = "no_model"
    MODEL_REFUSED = "model_refused"
    STORE_UNREACHABLE = "store_unreachable"
    LAST_GOOD_MODEL = "last_good_model"
    NAIVE_FORECAST = "naive_forecast"
    NO_FORECAST = "no_forecast"
    DEMAND_UNAVAILABLE = "demand_unavailable"
    DEMAND_STALE = "demand_stale"
    DEMAND_DOUBTED = "demand_doubted"

    # what the forecast asks for
    NEEDS_MORE = "needs_more"
    NEEDS_LESS = "needs_less"
    STEADY = "steady"
    RESPONSE_TIME_HIGH = "response_time_high"
    RESPONSE_TIME_LOW = "response_time_low"
    RESPONSE_TIME_FINE = "response_time_fine"
    STEP_TAKEN = "step_taken"

    # what held, raised or lowered it
    EVENT_FLOOR = "event_floor"
    WINDOW_FLOOR = "window_floor"
    OVERRIDE_FLOOR = "override_floor"
    STABILISING = "stabilising"
    SCALE_IN_LIMIT = "scale_in_limit"
    SCALE_OUT_LIMIT = "scale_out_limit"
    REMOVAL_BUDGET = "removal_budget"
    MIN_NODES = "min_nodes"
    MAX_NODES = "max_nodes"
    AUTOSCALER_MAX = "autoscaler_max"
    WINDOW_CEILING = "window_ceiling"
    OVERRIDE_CEILING = "override_ceiling"
    ONLY_GROWTH = "only_growth"
    IN_DOUBT = "in_doubt"

    # why it is asked for although the setting stays
    REPAIRING = "repairing"

    # why it is not applied
    OBSERVING = "observing"
    PAUSED = "paused"
    PAUSED_BY_OVERRIDE = "paused_by_override"
    CHANGE_FREEZE = "change_freeze"
    POOL_BUSY = "pool_busy"
    POOL_STOPPED = "pool_stopped"
    BACKING_OFF = "backing_off"

    # how applying it went
    RESIZE_ACCEPTED = "resize_accepted"
    POOL_CHANGED = "pool_changed"
    THROTTLED = "throttled"
    QUOTA_EXCEEDED = "quota_exceeded"
    NO_CAPACITY = "no_capacity"
    SUBNET_FULL = "subnet_full"
    FORBIDDEN = "forbidden"
    POOL_NOT_FOUND = "pool_not_found"
    POOL_UNSUPPORTED = "pool_unsupported"
    CLOUD_UNREACHABLE = "cloud_unreachable"
    CLOUD_ERROR = "cloud_error"
