"""A decision in sentences: what each reason means, with the numbers that it rests on."""

from collections.abc import Mapping, Sequence
from typing import Any

from scaler.core.reasons import Reason

SENTENCES: Mapping[Reason, str] = {
    Reason.MODEL: "The forecast is from the published model {model_version}.",
    Reason.NO_MODEL: "No model was ever promoted for this pool.",
    Reason.MODEL_REFUSED: "The model could not be trusted or could not forecast; see the notes. Nothing is removed.",
    Reason.STORE_UNREACHABLE: "The model store did not answer.",
    Reason.LAST_GOOD_MODEL: "The forecast is from {model_version}, the last model that loaded well in this process.",
    Reason.NAIVE_FORECAST: "The forecast is seasonal naive: what demand did next on past days, from where it is now.",
    Reason.NO_FORECAST: "There is no forecast: the pool is held.",
    Reason.DEMAND_UNAVAILABLE: "The recent demand could not be read: the pool is held.",
    Reason.DEMAND_STALE: "The newest demand is too old to remove nodes on.",
    Reason.DEMAND_DOUBTED: "The newest demand, {doubted_demand:g}, is not believed yet: {doubt}. Nothing is removed.",
    Reason.NEEDS_MORE: "The forecast asks for {wanted_nodes} nodes, more than the {current_nodes} there are.",
    Reason.NEEDS_LESS: "The forecast asks for {wanted_nodes} nodes, fewer than the {current_nodes} there are.",
    Reason.STEADY: "The forecast asks for the {current_nodes} nodes there are.",
    Reason.RESPONSE_TIME_HIGH: "{expected_s:.4g} s are expected, above {sla_s:g} + {threshold_s:g} s: a step up.",
    Reason.RESPONSE_TIME_LOW: "{expected_s:.4g} s are expected, below {sla_s:g} - {threshold_s:g} s: a step down.",
    Reason.RESPONSE_TIME_FINE: "{expected_s:.4g} s are expected, within {sla_s:g} ± {threshold_s:g} s.",
    Reason.STEP_TAKEN: "The step for this forecast interval was taken before: to {wanted_nodes} nodes.",
    Reason.EVENT_FLOOR: "A planned event needs more nodes than that.",
    Reason.WINDOW_FLOOR: "A window of the calendar asks for more nodes than that.",
    Reason.OVERRIDE_FLOOR: "An override asks for more nodes than that: {override}.",
    Reason.STABILISING: "Within the stabilisation window more nodes were wanted: scale-in waits.",
    Reason.SCALE_IN_LIMIT: "No more nodes may go in one tick.",
    Reason.SCALE_OUT_LIMIT: "No more nodes may come in one tick.",
    Reason.REMOVAL_BUDGET: "The removal budget allows no faster scale-in.",
    Reason.MIN_NODES: "The pool's minimum is higher.",
    Reason.MAX_NODES: "The pool's maximum is lower.",
    Reason.AUTOSCALER_MAX: "The cluster autoscaler's own maximum is lower.",
    Reason.WINDOW_CEILING: "A window of the calendar allows no more nodes.",
    Reason.OVERRIDE_CEILING: "An override allows no more nodes: {override}.",
    Reason.ONLY_GROWTH: "A window of the calendar lets nodes only be added.",
    Reason.IN_DOUBT: "In doubt nothing is removed.",
    Reason.REPAIRING: "The last resize failed and left the pool failed: its setting is written again to repair it.",
    Reason.OBSERVING: "The pool is observed only: nothing was written.",
    Reason.PAUSED: "The pool is paused: nothing was written.",
    Reason.PAUSED_BY_OVERRIDE: "An override pauses the pool: {override}. Nothing was written.",
    Reason.CHANGE_FREEZE: "A window of the calendar forbids every resize: nothing was written.",
    Reason.POOL_BUSY: "An operation is in progress on the pool: the next tick tries again.",
    Reason.POOL_STOPPED: "The pool is stopped: nothing was written.",
    Reason.BACKING_OFF: "An earlier resize was refused: waiting before the next try.",
    Reason.RESIZE_ACCEPTED: "The resize to {desired_nodes} nodes was accepted.",
    Reason.POOL_CHANGED: "Somebody changed the pool meanwhile: the next tick looks again.",
    Reason.THROTTLED: "Azure asked for fewer calls: the next tick tries again.",
    Reason.QUOTA_EXCEEDED: "The subscription's quota does not allow the nodes: raise it.",
    Reason.NO_CAPACITY: "The region has no such machines now.",
    Reason.SUBNET_FULL: "The pool's subnet has no addresses left for the nodes: enlarge it.",
    Reason.FORBIDDEN: "The identity lacks the right to resize: see the notes.",
    Reason.POOL_NOT_FOUND: "The pool does not exist: correct the pools file.",
    Reason.POOL_UNSUPPORTED: "Pools of this kind cannot be resized by Forescale.",
    Reason.CLOUD_UNREACHABLE: "Azure did not answer: the next tick tries again.",
    Reason.CLOUD_ERROR: "Azure refused the resize: see the notes.",
}


def explain(record: Mapping[str, Any]) -> Sequence[str]:
    """Return the sentences that explain a logged decision (``Record.fields``), from its first reason to its last.

    A guard that changed something says from how many nodes to how many.
    """
    known = {
        "model_version": "",
        "override": _override_words(record),
        **(record["forecast"] or {}),
        **record["numbers"],
        **record,
    }
    changes = {effect["guard"]: effect for effect in record["guards"] if effect["before"] != effect["after"]}
    sentences = []
    for reason in record["reasons"]:
        sentence = SENTENCES[Reason(reason)].format(**known)
        effect = changes.get(reason)
        sentences.append(f"{sentence} {effect['before']} → {effect['after']} nodes." if effect else sentence)
    if "price_nodes" in record["numbers"]:
        sentences.append(_price_sentence(record["numbers"]))
    return [*sentences, *(f"Note: {note}" for note in record["notes"])]


def _override_words(record: Mapping[str, Any]) -> str:
    return "; ".join(f"{one['reason']} ({one['by']}, until {one['until']})" for one in record["overrides"])


def _price_sentence(numbers: Mapping[str, Any]) -> str:
    return (
        f"One missed interval is priced at {numbers['price_nodes']:.0f} node-intervals; at that price the "
        f"{numbers['level']:.2%} quantile of the interval at {numbers['deciding_interval']} was worth its nodes. "
        f"{numbers['misses']} of {numbers['intervals']} observed intervals were missed, "
        f"{1 - numbers['slo']:.2%} may be."
    )
