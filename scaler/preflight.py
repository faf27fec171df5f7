"""Tells, before a pool is switched to ``act``, what Forescale may do there and what would be refused."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from scaler.core.pool import PoolState, ScaledField
from scaler.ports import NodePools
from shared.errors import CloudError, ConfigurationError
from shared.pools import Pool


class Allowed(StrEnum):
    """Whether the app may do something, as far as Azure tells it."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """A limit on cores that the pool's nodes count against; ``nodes_left`` is None where a node's cores are unknown."""

    name: str
    used: int
    limit: int
    nodes_left: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What was found out about a pool; without a ``state``, ``fault`` says why it could not be read."""

    state: PoolState | None = None
    fault: str = ""
    may_write: Allowed = Allowed.UNKNOWN
    missing_rights: tuple[str, ...] = ()
    quotas: tuple[Quota, ...] = ()
    unknowns: tuple[str, ...] = ()


class PoolInspector(Protocol):
    """Looks at a pool without touching it."""

    def inspect(self, pool: Pool) -> Inspection:
        """Find out what can be found out; what cannot is said in the inspection, nothing is raised."""
        ...


class Severity(StrEnum):
    """What a finding means for switching the pool to ``act``."""

    REFUSED = "refused"
    LIMITED = "limited"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that an operator should know, and what to do about it."""

    severity: Severity
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolCheck:
    """The inspection of one pool, judged against what the pools file asks for."""

    pool: Pool
    inspection: Inspection
    findings: tuple[Finding, ...]

    @property
    def can_act(self) -> bool:
        """Whether nothing found would make Azure refuse a resize."""
        return all(finding.severity is not Severity.REFUSED for finding in self.findings)

    def row(self) -> dict[str, object]:
        """One line of the table for people."""
        state, inspection = self.inspection.state, self.inspection
        bounds = None if state is None else state.autoscaler
        span = "off" if bounds is None else f"{bounds.min_count}-{bounds.max_count}"
        left = [quota.nodes_left for quota in inspection.quotas if quota.nodes_left is not None]
        return {
            "pool": self.pool.name,
            "can act": "yes" if self.can_act else "NO",
            "state": None if state is None else state.provisioning.value,
            "nodes": None if state is None else state.nodes,
            "autoscaler": None if state is None else span,
            "limits": f"{self.pool.min_nodes}-{self.pool.max_nodes}",
            "may write": inspection.may_write.value,
            "quota left": f"{min(left)} nodes" if left else "unknown",
        }

    def fields(self) -> dict[str, object]:
        """Return everything as plain JSON values."""
        state, inspection = self.inspection.state, self.inspection
        bounds = None if state is None else state.autoscaler
        return {
            "pool": self.pool.name,
            "mode": self.pool.mode.value,
            "can_act": self.can_act,
            "exists": state is not None,
            "state": None if state is None else state.provisioning.value,
            "nodes": None if state is None else state.nodes,
            "scaled_field": None if state is None else state.scaled_field.value,
            "autoscaler": None if bounds is None else {"min": bounds.min_count, "max": bounds.max_count},
            "vm_size": None if state is None else state.vm_size,
            "may_write": inspection.may_write.value,
            "missing_rights": list(inspection.missing_rights),
            "quotas": [
                {"name": quota.name, "used": quota.used, "limit": quota.limit, "nodes_left": quota.nodes_left}
                for quota in inspection.quotas
            ],
            "findings": [{"severity": found.severity.value, "message": found.message} for found in self.findings],
        }


class ReadOnlyInspector:
    """Inspects node pools that have neither rights nor quotas, such as the simulated ones."""

    def __init__(self, node_pools: NodePools) -> None:
        self._node_pools = node_pools

    def inspect(self, pool: Pool) -> Inspection:
        """See :meth:`PoolInspector.inspect`."""
        try:
            return Inspection(state=self._node_pools.read(pool), may_write=Allowed.YES)
        except (CloudError, ConfigurationError) as exc:
            return Inspection(fault=str(exc))


def check_pools(pools: Sequence[Pool], inspector: PoolInspector) -> list[PoolCheck]:
    """Inspect and judge every pool; writes nothing."""
    return [_judge(pool, inspector.inspect(pool)) for pool in pools]


def _judge(pool: Pool, inspection: Inspection) -> PoolCheck:
    """Hold what was found against what the pools file asks for."""
    if inspection.state is None:
        findings = [Finding(severity=Severity.REFUSED, message=inspection.fault)]
    else:
        state = inspection.state
        findings = [*_of_rights(inspection), *_of_state(state), *_of_limits(pool, state)]
        findings += [*_of_quotas(pool, state, inspection)]
    findings += [Finding(severity=Severity.NOTE, message=unknown) for unknown in inspection.unknowns]
    return PoolCheck(pool=pool, inspection=inspection, findings=tuple(findings))


def _of_rights(inspection: Inspection) -> Iterator[Finding]:
    for right in inspection.missing_rights:
        yield Finding(severity=Severity.REFUSED, message=f"the app lacks {right}: grant it on the cluster")


def _of_state(state: PoolState) -> Iterator[Finding]:
    if state.is_stopped:
        yield Finding(severity=Severity.REFUSED, message="the pool is stopped: start it, then it can be resized")
    if state.is_busy:
        message = "an operation is in progress: a resize is refused until it is over"
        yield Finding(severity=Severity.LIMITED, message=message)
    if state.has_failed:
        message = "the last operation failed: the pool may have fewer nodes than it says; the next resize repairs it"
        yield Finding(severity=Severity.LIMITED, message=message)
    if state.is_spot:
        message = "a spot pool: Azure may take its nodes at any time, and the forecast cannot know"
        yield Finding(severity=Severity.NOTE, message=message)


def _of_limits(pool: Pool, state: PoolState) -> Iterator[Finding]:
    if state.is_system and pool.min_nodes < 1:
        yield Finding(severity=Severity.LIMITED, message="min_nodes is 0, but a System pool keeps at least 1 node")
    if state.autoscaler is None:
        return
    if pool.max_nodes > state.autoscaler.max_count:
        message = (
            f"max_nodes is {pool.max_nodes}, but the autoscaler's maxCount is {state.autoscaler.max_count}: "
            "Forescale never passes it; raise maxCount if more nodes are wanted"
        )
        yield Finding(severity=Severity.LIMITED, message=message)
    if pool.min_nodes > state.autoscaler.max_count:
        message = f"min_nodes is {pool.min_nodes}, above the autoscaler's maxCount of {state.autoscaler.max_count}"
        yield Finding(severity=Severity.REFUSED, message=message)
    if state.scaled_field is ScaledField.MIN_COUNT and pool.min_nodes < state.autoscaler.min_count:
        message = (
            f"the autoscaler's minCount is {state.autoscaler.min_count}: Forescale will move it, "
            f"down to min_nodes ({pool.min_nodes}) when demand is low"
        )
        yield Finding(severity=Severity.NOTE, message=message)


def _of_quotas(pool: Pool, state: PoolState, inspection: Inspection) -> Iterator[Finding]:
    wanted = max(0, pool.max_nodes - state.nodes)
    for quota in inspection.quotas:
        if quota.nodes_left is not None and quota.nodes_left < wanted:
            message = (
                f"quota {quota.name!r} ({quota.used} of {quota.limit} cores used) leaves room for {quota.nodes_left} "
                f"more nodes; max_nodes needs {wanted}: ask for more quota or lower max_nodes"
            )
            yield Finding(severity=Severity.LIMITED, message=message)
