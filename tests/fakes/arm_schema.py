"""What the published API says of an agent pool, read from the SDK's models, which are generated from it.

The fake's answers and the bodies it is sent are held against these facts, so that neither drifts from the API.
"""

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any, get_args, get_type_hints

from azure.mgmt.containerservice import models
from azure.mgmt.containerservice.models import AgentPoolManagedClusterAgentPoolProfileProperties as Properties

API_VERSION = "2026-08-01"
ATTRIBUTES: Mapping[str, Any] = Properties()._attr_to_rest_field  # noqa: SLF001 - the SDK has no public list of them
FIELDS: Mapping[str, Any] = {field._rest_name: field for field in ATTRIBUTES.values()}  # noqa: SLF001
NAMES = frozenset(FIELDS)
READ_ONLY = frozenset(name for name, field in FIELDS.items() if field._visibility == ["read"])  # noqa: SLF001
WRITABLE = NAMES - READ_ONLY


def _enums() -> dict[str, frozenset[str]]:
    hints = get_type_hints(Properties, vars(models) | {"_models": models})
    wire = {attribute: field._rest_name for attribute, field in ATTRIBUTES.items()}  # noqa: SLF001
    found = {}
    for attribute, hint in hints.items():
        enums = [kind for kind in get_args(hint) if isinstance(kind, type) and issubclass(kind, Enum)]
        if enums and attribute in wire:
            found[wire[attribute]] = frozenset(str(member.value) for member in enums[0])
    return found


ENUMS: Mapping[str, frozenset[str]] = _enums()
WHOLE_NUMBERS = frozenset({"count", "minCount", "maxCount", "maxPods", "osDiskSizeGB"})


def faults_in(properties: Mapping[str, object]) -> Iterator[str]:
    """Tell what the API would not take in a body's properties; names it does not know it leaves to the caller."""
    for name, value in properties.items():
        if name in READ_ONLY:
            yield f"properties.{name} is read-only"
        if name in ENUMS and value not in ENUMS[name]:
            yield f"properties.{name} is {value!r}, none of {sorted(ENUMS[name])}"
        if name in WHOLE_NUMBERS and (not isinstance(value, int) or isinstance(value, bool)):
            yield f"properties.{name} is {value!r}, no whole number"
