"""A request and an answer of the fake Resource Manager."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.fakes.arm_cluster import Refused


@dataclass(slots=True)
class Asked:
    """One request, as it came in."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


@dataclass(slots=True)
class Answer:
    status: int
    body: object
    headers: dict[str, str] = field(default_factory=dict)


def throttled(after_s: int) -> Answer:
    body = Refused(429, "Throttled", "The PutAgentPoolHandler.PUT request limit has been exceeded").body
    return Answer(429, body, {"Retry-After": str(after_s)})
