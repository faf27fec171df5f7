"""What may hold, raise or lower the number of nodes that the sizing asks for: small rules, applied in one order."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from scaler.core.reasons import Reason
from scaler.core.situation import Situation
from shared.calendar import Resizes
from shared.pools import Mode

Rule = Callable[[int, Situation], int]
"""Takes the nodes proposed so far and returns the nodes to propose instead, which may be the same."""

REMOVAL_WINDOW = timedelta(hours=1)
GENTLE_FOR = timedelta(hours=1)
GENTLE_SHARE = 0.1
"""For its first hour in mode `act` a pool gives up at most a tenth of its nodes in one tick: whoever switched it on is
looking, and a wrong setting shows itself while most of the nodes are still there."""
EVENT_MARGIN = timedelta(minutes=5)
"""The nodes of an event are ordered one tick earlier than their lead time asks for: a tick may be late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """One rule, and the reason that a decision carries where the rule changed something."""

    reason: Reason
    rule: Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardEffect:
    """What one guard made of the nodes proposed to it."""

    guard: Reason
    before: int
    after: int

    @property
    def changed(self) -> bool:
        """Whether the guard had anything against the proposal."""
        return self.before != self.after


def apply_guards(nodes: int, situation: Situation) -> tuple[int, tuple[GuardEffect, ...]]:
    """Return what may be asked for instead of ``nodes``, and what each guard did, in the order of ``GUARDS``."""
    effects = []
    for guard in GUARDS:
        allowed = guard.rule(nodes, situation)
        effects.append(GuardEffect(guard=guard.reason, before=nodes, after=allowed))
        nodes = allowed
    return nodes, tuple(effects)


def _event_floor(nodes: int, situation: Situation) -> int:
    """Have the nodes of a planned event ready from its first minute."""
    calendar = situation.pool.calendar
    ahead = situation.pool.lead_time + EVENT_MARGIN
    now_utc = situation.now_utc
    floors = [event.min_nodes for event in calendar.events if calendar.occurs(event, now_utc, now_utc + ahead)]
    return max([nodes, *floors])


def _window_floor(nodes: int, situation: Situation) -> int:
    """Have the nodes of a calendar's window ready from its first minute."""
    ahead = situation.pool.lead_time + EVENT_MARGIN
    floors = (window.min_nodes for window in situation.windows(ahead=ahead))
    return max([nodes, *(floor for floor in floors if floor is not None)])


def _override_floor(nodes: int, situation: Situation) -> int:
    """Have at least what an operator asked for by hand."""
    return max([nodes, *(one.min_nodes for one in situation.overrides if one.min_nodes is not None)])


def _stabilisation(nodes: int, situation: Situation) -> int:
    """Scale in only to what every decision of the window wanted at most: the rule of the Kubernetes HPA."""
    since = situation.now_utc - timedelta(minutes=situation.pool.scale_in.stabilisation_min)
    recent = [order.wanted_nodes for order in situation.memory.orders if since < order.at < situation.now_utc]
    return max(nodes, min(max(recent, default=0), situation.configured_nodes))


def _scale_in_limit(nodes: int, situation: Situation) -> int:
    """Remove no more nodes in a tick than the operator allows."""
    most = situation.pool.scale_in.max_nodes_per_tick
    return nodes if most is None else max(nodes, situation.configured_nodes - most)


def _scale_out_limit(nodes: int, situation: Situation) -> int:
    """Add no more nodes in a tick than the operator allows."""
    most = situation.pool.scale_out.max_nodes_per_tick
    return nodes if most is None else min(nodes, situation.configured_nodes + most)


def _removal_budget(nodes: int, situation: Situation) -> int:
    """Give up no larger share of the pool in one tick, and in one hour, than the operator allows.

    The hour is counted from the most nodes that were asked for in it. A pool that has just been switched to `act` goes
    gently. One node may always go.
    """
    now, budget = situation.configured_nodes, situation.pool.scale_in
    acting_since = situation.memory.acting_since
    begins = situation.pool.mode is Mode.ACT and (acting_since is None or situation.now_utc - acting_since < GENTLE_FOR)
    share_per_tick = min(budget.max_share_per_tick, GENTLE_SHARE) if begins else budget.max_share_per_tick
    recent = (order for order in situation.memory.orders if order.at > situation.now_utc - REMOVAL_WINDOW)
    most = max([now, *(order.desired_nodes for order in recent)])
    floor = max(now - _share_of(now, share_per_tick), most - _share_of(most, budget.max_share_per_h))
    return max(nodes, min(now, floor))


def _share_of(nodes: int, share: float) -> int:
    return max(1, math.ceil(nodes * share))


def _min_nodes(nodes: int, situation: Situation) -> int:
    """Stay at the operator's minimum; a System pool keeps a node whatever the operator says, as AKS demands."""
    return max(nodes, situation.pool.min_nodes, 1 if situation.state.is_system else 0)


def _max_nodes(nodes: int, situation: Situation) -> int:
    """Stay at the operator's maximum."""
    return min(nodes, situation.pool.max_nodes)


def _autoscaler_max(nodes: int, situation: Situation) -> int:
    """Never lift the autoscaler's floor above its ceiling, which is the operator's."""
    autoscaler = situation.state.autoscaler
    return nodes if autoscaler is None else min(nodes, autoscaler.max_count)


def _window_ceiling(nodes: int, situation: Situation) -> int:
    """Have no more than a calendar's window allows now."""
    return min([nodes, *(window.max_nodes for window in situation.windows() if window.max_nodes is not None)])


def _override_ceiling(nodes: int, situation: Situation) -> int:
    """Have no more than an operator allowed by hand."""
    return min([nodes, *(one.max_nodes for one in situation.overrides if one.max_nodes is not None)])


def _only_growth(nodes: int, situation: Situation) -> int:
    """Give nothing up while a window lets nodes only be added."""
    growing = any(window.resizes is Resizes.GROWTH for window in situation.windows())
    return max(nodes, situation.configured_nodes) if growing else nodes


def _in_doubt(nodes: int, situation: Situation) -> int:
    """Hold or add, never remove."""
    return max(nodes, situation.configured_nodes) if situation.is_in_doubt else nodes


GUARDS: tuple[Guard, ...] = (
    # What a person planned or asked for comes first: it raises the floor that everything else starts from.
    Guard(reason=Reason.EVENT_FLOOR, rule=_event_floor),
    Guard(reason=Reason.WINDOW_FLOOR, rule=_window_floor),
    Guard(reason=Reason.OVERRIDE_FLOOR, rule=_override_floor),
    # Then calm and speed: how soon nodes may go, and how many may move at once.
    Guard(reason=Reason.STABILISING, rule=_stabilisation),
    Guard(reason=Reason.SCALE_IN_LIMIT, rule=_scale_in_limit),
    Guard(reason=Reason.SCALE_OUT_LIMIT, rule=_scale_out_limit),
    # Then the limits, which nothing before may pass; a ceiling set for a while is stronger than the usual minimum.
    Guard(reason=Reason.MIN_NODES, rule=_min_nodes),
    Guard(reason=Reason.WINDOW_CEILING, rule=_window_ceiling),
    Guard(reason=Reason.OVERRIDE_CEILING, rule=_override_ceiling),
    Guard(reason=Reason.MAX_NODES, rule=_max_nodes),
    Guard(reason=Reason.AUTOSCALER_MAX, rule=_autoscaler_max),
    # The removal budget holds for the limits too: a typo in one must not take most of a pool in one tick.
    Guard(reason=Reason.REMOVAL_BUDGET, rule=_removal_budget),
    Guard(reason=Reason.ONLY_GROWTH, rule=_only_growth),
    # Doubt comes last: nothing stale or partial removes a node, not even to obey a limit.
    Guard(reason=Reason.IN_DOUBT, rule=_in_doubt),
)
"""Every guard, in the order in which they are applied: the order is the policy."""
