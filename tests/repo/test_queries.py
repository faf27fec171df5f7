"""The alerts and the workbook look at fields that the app really emits, under names that it really uses."""

import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest

from scaler.core.reasons import Reason
from scaler.ports import OperationStatus
from shared.errors import CloudError
from shared.telemetry import Event
from tests.builders import NOW, STEP, pool
from tests.repo.bicep_text import INFRA
from tests.scenarios.conftest import World

ALERTS = sorted((INFRA / "queries").glob("*.kql"))
WANTED_ALERTS = {
    "tick-failed",
    "tick-late",
    "model-refused",
    "model-stale",
    "slo-missed",
    "resize-failed",
    "quota",
    "demand-dead",
}
FIELD = re.compile(r"\bfields((?:\.\w+|\['[^']+'\])+)")


@pytest.fixture(scope="module")
def emitted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """One line of each event, from ticks that really ran: a resize that ended, a model refused, a pool out of reach."""
    lines: list[dict[str, Any]] = []

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(json.loads(record.getMessage()))

    keeper, logger = Keeper(), logging.getLogger("forescale")
    level = logger.level
    logger.addHandler(keeper)
    logger.setLevel(logging.INFO)
    try:
        world = World(tmp_path_factory.mktemp("world"))
        world.demand(900)
        world.start_at(1)
        world.model(version="20261101T000000Z")
        world.tick(pool())
        world.demand(900, end_utc=NOW + 6 * STEP)
        world.tick(pool(), now_utc=NOW + 6 * STEP)
        world.put("models/web/latest.json", "not a pointer")
        world.tick(pool())
        world.pools.read_faults["web"] = CloudError("out of reach")
        world.failed_tick(pool())
    finally:
        logger.removeHandler(keeper)
        logger.setLevel(level)
    return {line["event"]: line for line in lines}


def test_each_trouble_that_an_operator_must_hear_of_has_its_alert() -> None:
    rules = (INFRA / "modules/alerts.bicep").read_text(encoding="utf-8")

    assert {file.stem for file in ALERTS} == WANTED_ALERTS
    assert set(re.findall(r"name: '([a-z-]+)'\n    title:", rules)) == WANTED_ALERTS
    assert set(re.findall(r"queries/([a-z-]+)\.kql", rules)) == WANTED_ALERTS


@pytest.mark.parametrize(
    "query", [file.read_text(encoding="utf-8") for file in ALERTS], ids=[file.stem for file in ALERTS]
)
def test_an_alert_asks_for_fields_that_are_emitted(query: str, emitted: dict[str, dict[str, Any]]) -> None:
    assert _faults(query, emitted) == []


def test_the_workbook_asks_for_fields_that_are_emitted(emitted: dict[str, dict[str, Any]]) -> None:
    queries = list(_queries(json.loads((INFRA / "workbook.json").read_text(encoding="utf-8"))))

    assert len(queries) >= 5
    assert [fault for query in queries for fault in _faults(query, emitted)] == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("numbers.debt_misses", "numbers.debt_mises"),
        ("scale_decision", "scale_decided"),
        ("fields.pool", "fields.name"),
    ],
)
def test_a_field_or_an_event_that_nobody_emits_is_seen(old: str, new: str, emitted: dict[str, dict[str, Any]]) -> None:
    query = (INFRA / "queries/slo-missed.kql").read_text(encoding="utf-8")

    assert _faults(query.replace(old, new), emitted)


def test_reasons_and_states_that_queries_name_exist() -> None:
    words = {
        word
        for file in ALERTS
        for group in re.findall(r"reasons has_any \(([^)]*)\)", file.read_text(encoding="utf-8"))
        for word in re.findall(r"'(\w+)'", group)
    }
    states = {
        word for file in ALERTS for word in re.findall(r"fields\.status\) != '(\w+)'", file.read_text(encoding="utf-8"))
    }

    assert words
    assert words <= {reason.value for reason in Reason}
    assert states <= {status.value for status in OperationStatus}


def test_queries_hold_no_parameter_that_the_template_does_not_fill() -> None:
    rules = (INFRA / "modules/alerts.bicep").read_text(encoding="utf-8")
    used = {name for file in ALERTS for name in re.findall(r"\{(\w+)\}", file.read_text(encoding="utf-8"))}

    assert used == set(re.findall(r"'\{(\w+)\}', string\(\1\)", rules))


def _faults(query: str, emitted: dict[str, dict[str, Any]]) -> list[str]:
    """Events that nobody emits, and fields that no event of the query has."""
    code = "\n".join(line for line in query.splitlines() if not line.lstrip().startswith("//"))
    events = {
        word for word in re.findall(r"'(\w+)'", code) if f"event) == '{word}'" in code or f"event == '{word}'" in code
    }
    events |= {word for group in re.findall(r"event in \(([^)]*)\)", code) for word in re.findall(r"'(\w+)'", group)}
    if not events:
        return ["the query names no event"]
    unknown = [f"event {event}" for event in events if event not in {known.value for known in Event}]
    lines = [emitted[event] for event in events if event in emitted]
    fields = [
        re.findall(r"\w[\w.]*", path) if "[" in path else path.strip(".").split(".") for path in FIELD.findall(code)
    ]
    missing = [".".join(path) for path in fields if not any(_has(line, path) for line in lines)]
    return unknown + [f"field {path} of {sorted(events)}" for path in missing]


def _has(line: Any, path: list[str]) -> bool:
    for key in path:
        if not isinstance(line, dict) or key not in line:
            return False
        line = line[key]
    return True


def _queries(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("query"), str):
            yield node["query"]
        for value in node.values():
            yield from _queries(value)
    elif isinstance(node, list):
        for value in node:
            yield from _queries(value)
