"""An AKS agent pool as Resource Manager writes it: what it says of the pool, and how a resize changes it."""

from typing import TYPE_CHECKING

from azure.mgmt.containerservice.models import AgentPool

from scaler.core.pool import AutoscalerBounds, PoolState, Provisioning, Resize, ScaledField
from shared.cloud.arm_errors import ArmError
from shared.errors import CloudError, PoolUnsupported

if TYPE_CHECKING:
    from azure.mgmt.containerservice.models import AgentPoolManagedClusterAgentPoolProfileProperties as Properties

MOST_NODES = 1000
"""Nodes of one pool: learn.microsoft.com/azure/aks/quotas-skus-regions."""
SCALABLE_TYPE = "virtualmachinescalesets"
UNSCALABLE_MODE = "gateway"
PROVISIONING = {
    "succeeded": Provisioning.READY,
    "failed": Provisioning.FAILED,
    "canceled": Provisioning.FAILED,
}
"""Settled states; any other name, known or new, is an operation in progress."""


def state_of(pool: AgentPool) -> PoolState:
    """Read a pool's state.

    Raises :class:`~shared.errors.PoolUnsupported` for a kind that ``count`` and ``minCount`` do not size, and
    :class:`~shared.errors.CloudError` for a body that lacks what every pool has.
    """
    properties = properties_of(pool)
    _refuse_unscalable(pool.name, properties)
    return PoolState(
        nodes=_whole(pool, "count", properties.count),
        provisioning=_provisioning(properties),
        autoscaler=_autoscaler(pool, properties),
        is_system=_lower(properties.mode) == "system",
        etag=properties.e_tag,
        vm_size=properties.vm_size or "",
        zones=tuple(properties.availability_zones or ()),
        is_spot=_lower(properties.scale_set_priority) == "spot",
    )


def within_limits(state: PoolState, resize: Resize) -> Resize:
    """Bring a resize within what AKS takes: a System pool keeps a node, a floor never passes ``maxCount``.

    ``maxCount`` itself is the operator's and is never moved (docs/decisions/0010).
    """
    lowest = 1 if state.is_system else 0
    highest = MOST_NODES if state.autoscaler is None else state.autoscaler.max_count
    return Resize(scaled_field=resize.scaled_field, nodes=max(lowest, min(resize.nodes, highest)))


def resized(pool: AgentPool, resize: Resize) -> AgentPool:
    """Return the pool's whole body with the resize in it; the argument stays as it is.

    ``nodeImageVersion`` is left out: since API 2026-08-01 sending it rolls the pool back to that image. Properties that
    this SDK does not know are kept; the ones it knows as read-only it leaves out by itself.
    """
    body = AgentPool(pool.as_dict())
    changed = properties_of(body)
    changed.pop("nodeImageVersion", None)
    if resize.scaled_field is ScaledField.MIN_COUNT:
        changed.min_count = resize.nodes
    else:
        changed.count = resize.nodes
    return body


def provisioning_error_of(pool: AgentPool) -> ArmError:
    """Return the error that a failed pool keeps of its last operation; empty where it tells none."""
    status = properties_of(pool).status
    return ArmError.of(None if status is None else status.provisioning_error)


def properties_of(pool: AgentPool) -> "Properties":
    """Properties of a pool; raises :class:`~shared.errors.CloudError` for a body without any."""
    if pool.properties is None:
        msg = f"the answer for pool {pool.name!r} is not an agent pool: it has no properties"
        raise CloudError(msg)
    return pool.properties


def _refuse_unscalable(name: str | None, properties: "Properties") -> None:
    kind, mode = properties.type_properties_type or SCALABLE_TYPE, properties.mode or ""
    if _lower(kind) != SCALABLE_TYPE:
        msg = (
            f"pool {name!r} is of type {_text(kind)}: only VirtualMachineScaleSets pools are sized through their count"
        )
        raise PoolUnsupported(msg)
    if _lower(mode) == UNSCALABLE_MODE:
        msg = f"pool {name!r} has mode {_text(mode)}: gateway pools are not sized by demand"
        raise PoolUnsupported(msg)


def _provisioning(properties: "Properties") -> Provisioning:
    if properties.power_state is not None and _lower(properties.power_state.code) == "stopped":
        return Provisioning.STOPPED
    return PROVISIONING.get(_lower(properties.provisioning_state), Provisioning.BUSY)


def _autoscaler(pool: AgentPool, properties: "Properties") -> AutoscalerBounds | None:
    if not properties.enable_auto_scaling:
        return None
    return AutoscalerBounds(
        min_count=_whole(pool, "minCount", properties.min_count),
        max_count=_whole(pool, "maxCount", properties.max_count),
    )


def _whole(pool: AgentPool, name: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        msg = f"pool {pool.name!r} has {name} {value!r}, not a number of nodes"
        raise CloudError(msg)
    return value


def _text(value: object) -> str:
    """Spell an enum as the service does, known to this SDK or not."""
    return str(getattr(value, "value", value))


def _lower(value: object) -> str:
    return "" if value is None else _text(value).lower()
