import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.calendar import Calendar
from shared.errors import ConfigurationError
from shared.pools import Mode, read_pools
from tests.builders import pool, pool_json, pools_file, workshop_json


def test_defaults_are_safe() -> None:
    written = pool_json()
    del written["mode"]

    assert read_pools(pools_file(written))[0].mode is Mode.OBSERVE


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"max_node": 3}, "pools[0].max_node is not known, did you mean 'max_nodes'?", id="misspelt key"),
        pytest.param(
            {"sizing": {"kind": "capacity", "unit_per_node": 1}},
            "pools[0].sizing.unit_per_node is not known, did you mean 'units_per_node'?",
            id="misspelt key within",
        ),
        pytest.param(
            {"demand": {"source": "promethius"}}, "pools[0].demand is {'source': 'promethius'}", id="unknown source"
        ),
        pytest.param({"sizing": {"units_per_node": 1}}, "pools[0].sizing", id="no kind"),
        pytest.param({"max_nodes": 0}, "pools[0].max_nodes is 0", id="no node at most"),
        pytest.param({"max_nodes": "many"}, "pools[0].max_nodes is 'many'", id="no number"),
        pytest.param({"max_nodes": 2.5}, "pools[0].max_nodes is 2.5", id="half a node"),
        pytest.param({"max_nodes": float("nan")}, "pools[0].max_nodes is nan", id="NaN nodes"),
        pytest.param({"min_nodes": -1}, "pools[0].min_nodes is -1", id="negative nodes"),
        pytest.param({"min_nodes": 7, "max_nodes": 3}, "min_nodes (7) must not exceed max_nodes (3)", id="crossed"),
        pytest.param({"lead_time_min": float("inf")}, "pools[0].lead_time_min is inf", id="infinite lead time"),
        pytest.param({"lead_time_min": float("nan")}, "pools[0].lead_time_min is nan", id="NaN lead time"),
        pytest.param({"name": "Web Pool"}, "pools[0].name is 'Web Pool'", id="a name that no path takes"),
        pytest.param({"name": "../etc"}, "pools[0].name is '../etc'", id="a name that leaves its folder"),
        pytest.param({"mode": "go"}, "pools[0].mode is 'go'", id="unknown mode"),
        pytest.param(
            {"sizing": {"kind": "capacity", "units_per_node": 0}},
            "pools[0].sizing.units_per_node is 0",
            id="zero units",
        ),
        pytest.param(
            {"sizing": {"kind": "capacity", "units_per_node": float("nan")}},
            "pools[0].sizing.units_per_node is nan",
            id="NaN units",
        ),
        pytest.param(
            {"sizing": {"kind": "capacity", "units_per_node": 1, "slo": 1}}, "pools[0].sizing.slo is 1", id="never miss"
        ),
        pytest.param(
            {"sizing": {"kind": "response_time", "sla_s": 20, "threshold_s": 20}},
            "threshold_s (20.0) must be less than sla_s (20.0)",
            id="a threshold as wide as the SLA",
        ),
        pytest.param({"calendar": {"timezone": "Mars/Base"}}, "no time zone is named 'Mars/Base'", id="no such zone"),
        pytest.param({"calendar": {"timezone": "../../etc/passwd"}}, "pools[0].calendar.timezone", id="a path as zone"),
        pytest.param(
            {"calendar": {"holidays": "Spain"}}, "pools[0].calendar.holidays is 'Spain'", id="no country code"
        ),
        pytest.param(
            {"calendar": {"events": [{"start": "2026-11-27T06:00", "end": "2026-11-27T05:00", "min_nodes": 2}]}},
            "events[0] ends (2026-11-27T05:00:00) before it starts",
            id="an event that ends first",
        ),
        pytest.param(
            {"demand": {"source": "prometheus", "endpoint": "prom:9090", "query": "up"}},
            "pools[0].demand.endpoint is 'prom:9090'",
            id="an endpoint without a scheme",
        ),
        pytest.param(
            {"demand": {"source": "blob", "step_min": 1e-300}}, "pools[0].demand.step_min is 1e-300", id="no step"
        ),
        pytest.param(
            {"demand": {"source": "blob", "step_min": 1e300}},
            "pools[0].demand.step_min is 1e+300",
            id="an endless step",
        ),
    ],
)
def test_a_fault_is_told_with_its_path_and_value(changes: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        read_pools(pools_file(pool_json(**changes)))

    assert str(error.value).startswith("config/pools.json: ")
    assert expected in str(error.value)


def test_every_fault_of_every_pool_is_told_at_once() -> None:
    with pytest.raises(ConfigurationError) as error:
        read_pools(pools_file(pool_json(max_nodes=0, mode="go"), workshop_json(min_nodes=-1)))

    assert "pools[0].max_nodes" in str(error.value)
    assert "pools[0].mode" in str(error.value)
    assert "pools[1].min_nodes" in str(error.value)


def test_a_missing_key_is_told_by_its_path() -> None:
    written = pool_json()
    del written["max_nodes"]

    with pytest.raises(ConfigurationError, match=r"pools\[0\]\.max_nodes: Field required"):
        read_pools(pools_file(written))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(b"", "is not JSON", id="empty"),
        pytest.param(b"{", "is not JSON", id="cut off"),
        pytest.param(b"\xff\xfe", "is not JSON", id="no text"),
        pytest.param(b"[" * 100_000, "is not JSON", id="nested beyond reason"),
        pytest.param(b'{"pools": [{"max_nodes": ' + b"9" * 10_000 + b"}]}", "is not JSON", id="a number without end"),
        pytest.param(b"[]", "config/pools.json", id="a list"),
        pytest.param(b"null", "config/pools.json", id="null"),
        pytest.param(b'{"pools": []}', "name at least one pool", id="no pool"),
        pytest.param(b'{"pool": []}', "pool is not known, did you mean 'pools'?", id="misspelt at the top"),
        pytest.param(b'{"pools": {"name": "web"}}', "pools is", id="an object for a list"),
    ],
)
def test_a_file_that_is_none_is_one_clear_error(data: bytes, expected: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        read_pools(data)

    assert expected in str(error.value)
    assert len(str(error.value)) < 500


def test_a_name_used_twice_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="pool name 'web' is used more than once"):
        read_pools(pools_file(pool_json(), pool_json()))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(key=st.sampled_from(sorted(pool_json())), value=JSON)
def test_whatever_a_key_holds_the_file_is_read_or_refused(key: str, value: object) -> None:
    try:
        (read,) = read_pools(pools_file(pool_json(**{key: value})))
    except ConfigurationError as exc:
        assert str(exc).startswith("config/pools.json: ")  # noqa: PT017 - either is right
    else:
        assert read.min_nodes <= read.max_nodes


@given(data=st.binary(max_size=60))
def test_whatever_the_bytes_are_nothing_but_our_error_comes(data: bytes) -> None:
    with pytest.raises(ConfigurationError):
        read_pools(data)


def test_an_event_without_an_offset_is_in_the_calendars_zone() -> None:
    calendar = Calendar(timezone="Europe/Madrid")

    assert calendar.utc(datetime(2026, 7, 1, 6, 0)) == datetime(2026, 7, 1, 4, 0, tzinfo=UTC)  # noqa: DTZ001
    assert calendar.utc(datetime(2026, 12, 1, 6, 0)) == datetime(2026, 12, 1, 5, 0, tzinfo=UTC)  # noqa: DTZ001
    assert calendar.utc(datetime(2026, 12, 1, 6, 0, tzinfo=UTC)) == datetime(2026, 12, 1, 6, 0, tzinfo=UTC)


def test_the_readme_of_the_design_is_a_valid_file() -> None:
    example = pool_json(
        cluster={"subscription_id": "s", "resource_group": "g", "name": "c"},
        demand={"source": "prometheus", "endpoint": "https://p", "query": "sum(rate(x[5m]))", "step_min": 5},
        scale_in={"stabilisation_min": 15, "max_nodes_per_tick": 2},
        scale_out={"max_nodes_per_tick": 50},
        calendar={
            "timezone": "Europe/Madrid",
            "holidays": "ES",
            "events": [{"start": "2026-11-27T06:00", "end": "2026-11-27T23:00", "min_nodes": 12}],
        },
    )

    read = read_pools(json.dumps({"pools": [example, workshop_json()]}).encode())

    assert [one.name for one in read] == ["web", "workshop"]


def test_a_lead_time_is_a_duration() -> None:
    assert pool(lead_time_min=6).lead_time.total_seconds() == 360
