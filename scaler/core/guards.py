"""What may hold, raise or lower a wanted number of nodes, each a small rule, applied in one order.

The order is the policy: planned floors first, then calm and speed, then the operator's limits, and doubt last, so that
nothing stale or partial ever removes a node, not even to obey a limit.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from scaler.core.memory import Memory
from scaler.core.pool import PoolState
from scaler.core.reasons import Reason
from shared.pools import Pool


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the guards look at besides the proposal."""

    pool: Pool
    state: PoolState
    memory: Memory
    now_utc: datetime
    in_doubt: bool

    @property
    def setting(self) -> int:
        """The pool's present setting, in nodes."""
        return self.state.setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A number of nodes on its way through the guards, and the guards that changed it."""

    nodes: int
    reasons: tuple[Reason, ...] = ()

    def moved(self, nodes: int, reason: Reason) -> "Proposal":
        """Return the proposal at ``nodes``, with the reason if that is a change."""
        return self if nodes == self.nodes else replace(self, nodes=nodes, reasons=(*self.reasons, reason))

    def at_least(self, nodes: int, reason: Reason) -> "Proposal":
        """Return the proposal, raised to ``nodes`` if it is below."""
        return self.moved(max(self.nodes, nodes), reason)

    def at_most(self, nodes: int, reason: Reason) -> "Proposal":
        """Return the proposal, lowered to ``nodes`` if it is above."""
        return self.moved(min(self.nodes, nodes), reason)


def guarded(wanted_nodes: int, around: Surroundings) -> Proposal:
    """Return what may be asked for instead of ``wanted_nodes``."""
    proposal = Proposal(nodes=wanted_nodes)
    for guard in (_event_floor, _stabilisation, _speed, _limits, _doubt):
        proposal = guard(proposal, around)
    return proposal


def _event_floor(proposal: Proposal, around: Surroundings) -> Proposal:
    """Have the nodes of a planned event ready from its first minute: order them one lead time and a tick before."""
    calendar = around.pool.calendar
    ahead = around.pool.lead_time + timedelta(minutes=5)
    floors = [
        event.min_nodes
        for event in calendar.events
        if calendar.utc(event.start) - ahead <= around.now_utc < calendar.utc(event.end)
    ]
    return proposal.at_least(max(floors, default=0), Reason.EVENT_FLOOR)


def _stabilisation(proposal: Proposal, around: Surroundings) -> Proposal:
    """Scale in only to what every decision of the window wanted at most: the rule of the Kubernetes HPA."""
    since = around.now_utc - timedelta(minutes=around.pool.scale_in.stabilisation_min)
    recent = [order.wanted_nodes for order in around.memory.orders if since < order.at < around.now_utc]
    calm = min(max(recent, default=0), around.setting)
    return proposal.at_least(calm, Reason.STABILISING)


def _speed(proposal: Proposal, around: Surroundings) -> Proposal:
    """Move no faster than the operator allows."""
    slowest_in = around.pool.scale_in.max_nodes_per_tick
    slowest_out = around.pool.scale_out.max_nodes_per_tick
    if slowest_in is not None:
        proposal = proposal.at_least(min(around.setting - slowest_in, around.setting), Reason.SCALE_IN_LIMIT)
    if slowest_out is not None:
        proposal = proposal.at_most(max(around.setting + slowest_out, around.setting), Reason.SCALE_OUT_LIMIT)
    return proposal


def _limits(proposal: Proposal, around: Surroundings) -> Proposal:
    """Stay within the operator's limits, and never lift the autoscaler's floor above its ceiling."""
    floor = max(around.pool.min_nodes, 1 if around.state.is_system else 0)
    proposal = proposal.at_least(floor, Reason.MIN_NODES).at_most(around.pool.max_nodes, Reason.MAX_NODES)
    if around.state.autoscaler is not None:
        proposal = proposal.at_most(around.state.autoscaler.max_count, Reason.AUTOSCALER_MAX)
    return proposal


def _doubt(proposal: Proposal, around: Surroundings) -> Proposal:
    """With stale demand, a refused model or no forecast: hold or add, never remove."""
    return proposal.at_least(around.setting, Reason.IN_DOUBT) if around.in_doubt else proposal
