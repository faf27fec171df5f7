"""The pools file (``config/pools.json``), typed: which pools Forescale sizes, from which demand, to which SLO."""

import json
import math
from collections import Counter
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, model_validator

from shared.calendar import Calendar
from shared.errors import ConfigurationError
from shared.validation import Part, validated

POOLS_FILE = "config/pools.json"

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$")]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0, le=1)]
StepMin = Annotated[float, Field(ge=1 / 60, le=7 * 24 * 60, allow_inf_nan=False)]
"""Minutes between two values: a second to a week."""


class Mode(StrEnum):
    """What Forescale may do with a pool."""

    OBSERVE = "observe"
    ACT = "act"
    PAUSED = "paused"


class Cluster(Part):
    """The AKS cluster of a pool."""

    subscription_id: Annotated[str, Field(min_length=1)]
    resource_group: Annotated[str, Field(min_length=1)]
    name: Annotated[str, Field(min_length=1)]


class BlobDemand(Part):
    """Demand as CSV blobs, or the workshop's ``log_data.pkl``."""

    source: Literal["blob"]
    path: str | None = None
    """One CSV file or `log_data.pkl` in the container; default: every `history/<pool>/<date>.csv`."""
    step_min: StepMin | None = None
    """Minutes between two values; default: found from the data."""
    unit: str = ""
    """What the demand counts, for people."""


class PrometheusDemand(Part):
    """Demand as the answer to a PromQL range query."""

    source: Literal["prometheus"]
    endpoint: Annotated[str, Field(pattern=r"^https?://\S+$")]
    """Base address; Azure Monitor workspaces are asked with the app's identity."""
    query: Annotated[str, Field(min_length=1)]
    """PromQL that yields one series."""
    step_min: StepMin = 5
    """Minutes between two values."""
    history_days: Annotated[float, Field(gt=0, le=400)] = 15
    """Days of history to ask for; two full weeks let the model see the week."""
    unit: str = ""
    """What the demand counts, for people."""


class CapacitySizing(Part):
    """So many nodes that the SLO's share of intervals is served."""

    kind: Literal["capacity"]
    units_per_node: Annotated[float, Field(ge=1e-9, allow_inf_nan=False)]
    """Demand that one node serves."""
    slo: Annotated[float, Field(ge=0.5, le=0.9999)] = 0.99
    """Share of intervals in which all demand must be served."""


class ResponseTimeSizing(Part):
    """The workshop's policy: a step up above ``sla + threshold``, a step down below ``sla - threshold``."""

    kind: Literal["response_time"]
    sla_s: Positive
    """Response time agreed, in seconds."""
    threshold_s: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    """Tolerance on both sides, in seconds."""
    step_nodes: Annotated[int, Field(ge=1)] = 1
    """Nodes added or removed, once for each forecast interval."""

    @model_validator(mode="after")
    def _threshold_below_sla(self) -> "ResponseTimeSizing":
        if self.threshold_s >= self.sla_s:
            msg = f"threshold_s ({self.threshold_s}) must be less than sla_s ({self.sla_s})"
            raise ValueError(msg)
        return self


class ScaleIn(Part):
    """How carefully nodes are taken away."""

    stabilisation_min: Annotated[float, Field(ge=0, le=1440)] = 0
    """A node goes only when no decision of the last so many minutes wanted it."""
    max_nodes_per_tick: Annotated[int, Field(ge=1)] | None = None
    """At most so many nodes less in one tick; unset: as many as the removal budget allows."""
    max_share_per_tick: Share = 0.34
    """Removal budget: at most this share of the nodes goes in one tick, rounded up; 1 switches it off."""
    max_share_per_h: Share = 0.75
    """Removal budget: at most this share of the most nodes of the last hour goes within it; 1 switches it off."""


class ScaleOut(Part):
    """How fast nodes may be added."""

    max_nodes_per_tick: Annotated[int, Field(ge=1)] | None = None
    """At most so many nodes more in one tick; unset: as many as needed."""


class Pool(Part):
    """One node pool and everything that says how to size it."""

    name: Name
    """Forescale's name of the pool: lower-case letters, digits and dashes, at most 40."""
    mode: Mode = Mode.OBSERVE
    """`observe` (decide and record, touch nothing), `act` or `paused`."""
    cluster: Cluster | None = None
    """Where the pool lives; needed with the azure backend."""
    node_pool: Annotated[str, Field(pattern=r"^[a-z][a-z0-9]{0,11}$")] = "nodepool1"
    """The AKS name of the node pool."""
    min_nodes: Annotated[int, Field(ge=0, le=1000)] = 1
    """Never fewer nodes than this."""
    max_nodes: Annotated[int, Field(ge=1, le=1000)]
    """Never more nodes than this."""
    lead_time_min: Annotated[float, Field(ge=0, le=240)] = 6
    """Minutes from ordering a node until it serves."""
    node_usd_per_h: Positive | None = None
    """Price of a node, to tell what decisions cost."""
    demand: Annotated[BlobDemand | PrometheusDemand, Field(discriminator="source")]
    sizing: Annotated[CapacitySizing | ResponseTimeSizing, Field(discriminator="kind")]
    scale_in: ScaleIn = ScaleIn()
    scale_out: ScaleOut = ScaleOut()
    calendar: Calendar = Calendar()

    @property
    def lead_time(self) -> timedelta:
        """Time from ordering a node until it serves."""
        return timedelta(minutes=self.lead_time_min)

    def lead_intervals(self, step: timedelta) -> int:
        """Return the lead time in whole intervals of ``step``, rounded up."""
        return math.ceil(self.lead_time / step)

    def horizon(self, step: timedelta) -> int:
        """Return how many intervals ahead to forecast: out to the first that a node ordered now serves in full."""
        return self.lead_intervals(step) + 1

    @model_validator(mode="after")
    def _limits_are_in_order(self) -> "Pool":
        if self.min_nodes > self.max_nodes:
            msg = f"min_nodes ({self.min_nodes}) must not exceed max_nodes ({self.max_nodes})"
            raise ValueError(msg)
        return self


class PoolsFile(Part):
    """The whole pools file."""

    pools: tuple[Pool, ...]

    @model_validator(mode="after")
    def _names_are_unique(self) -> "PoolsFile":
        if not self.pools:
            msg = "name at least one pool"
            raise ValueError(msg)
        twice = [name for name, count in Counter(pool.name for pool in self.pools).items() if count > 1]
        if twice:
            msg = f"pool name {twice[0]!r} is used more than once"
            raise ValueError(msg)
        return self


def read_pools(data: bytes, *, name: str = POOLS_FILE) -> tuple[Pool, ...]:
    """Parse and check a pools file; raises :class:`ConfigurationError` that lists every fault with its path."""
    return validated(PoolsFile, _parsed(data, name), name=name).pools


def _parsed(data: bytes, name: str) -> object:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as exc:
        msg = f"{name} is not JSON: {exc}"
        raise ConfigurationError(msg) from exc
