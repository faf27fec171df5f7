"""Each bad input gives one clear error that names the thing and the value, removes no node and loses nothing."""

import json
from typing import Any

import pytest

from scaler.core.reasons import Reason
from shared.errors import ConfigurationError
from shared.settings import Backend, Settings
from shared.wiring import pools
from tests.builders import NOW, pool, pool_json, pools_file
from tests.scenarios.conftest import World

HEAD = "timestamp,demand\n"


@pytest.fixture
def seven(world: World) -> World:
    """A pool of seven nodes with a model and no demand to speak of: it would shrink to one or two."""
    world.demand(100.0)
    world.model()
    world.start_at(7)
    return world


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(HEAD + "2026-11-23T11:50Z,NaN\n", "line 2: demand is 'NaN'", id="NaN"),
        pytest.param(HEAD + "2026-11-23T11:50Z,-5\n", "line 2: demand is '-5'", id="negative"),
        pytest.param(HEAD + "2026-11-23T11:50Z,1e400\n", "line 2: demand is '1e400'", id="overflow"),
        pytest.param(HEAD + "2026-11-23T11:50Z,1e30\n2026-11-23T11:55Z,1\n", "is 1e+30", id="beyond arithmetic"),
        pytest.param(
            HEAD + "2026-11-23T11:50Z,1\n2026-11-23T11:50Z,1\n", "11:50:00+00:00 appears twice", id="duplicate"
        ),
        pytest.param(
            HEAD + "2026-11-23T11:55Z,1\n2026-11-23T11:50Z,1\n", "11:50:00+00:00 comes after", id="out of order"
        ),
        pytest.param(
            HEAD + "2026-11-23T11:40Z,1\n2026-11-23T11:45Z,1\n2026-11-23T11:52Z,1\n", "is off the grid", id="irregular"
        ),
        pytest.param(HEAD, "the demand history is empty", id="an empty history"),
        pytest.param(HEAD + "2026-11-23T11:50Z,\n2026-11-23T11:55Z,\n", "holds no demand", id="nothing known"),
        pytest.param(HEAD + "2031-11-23T11:50Z,1\n2031-11-23T11:55Z,1\n", "holds no demand", id="all in the future"),
        pytest.param(HEAD + "soon,1\n", "'soon' is not an ISO 8601 timestamp", id="no timestamp"),
        pytest.param("", "the first line must be 'timestamp,demand'", id="an empty file"),
        pytest.param(b"\x80\x04\x95", "demand.csv is not UTF-8 text", id="a binary file"),
    ],
)
def test_bad_demand_is_one_error_and_holds_the_pool(seven: World, content: str | bytes, expected: str) -> None:
    seven.put("demand.csv", content)

    message = seven.failed_tick()

    assert message.startswith("web: ")
    assert expected in message
    assert "\n" not in message
    assert seven.nodes() == 7
    assert seven.reasons() == [Reason.DEMAND_UNAVAILABLE]
    assert seven.stored("demand.csv") == (content if isinstance(content, bytes) else content.encode())


def test_demand_that_is_missing_is_told_by_its_name(seven: World) -> None:
    (seven.directory / "demand.csv").unlink()

    assert "there is no 'demand.csv'" in seven.failed_tick()
    assert seven.nodes() == 7


def test_daily_files_that_are_missing_are_told_by_their_folder(seven: World) -> None:
    daily = pool(demand={"source": "blob"})

    assert "there is no demand: history/web/ holds no <date>.csv" in seven.failed_tick(daily)
    assert seven.nodes() == 7


def test_future_rows_are_not_known_yet(seven: World) -> None:
    known = seven.stored("demand.csv")
    seven.put("demand.csv", known + b"2026-11-23T12:00:00Z,99999\n2026-11-23T12:05:00Z,99999\n")

    seven.tick()

    assert seven.nodes() < 7


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"format_version": 99}, "format version 99", id="another format"),
        pytest.param({"sha256": "0" * 64}, "its card says 000", id="a wrong hash"),
        pytest.param(
            {"family": "oracle"}, "is of the family 'oracle', this app knows seasonal_naive", id="another family"
        ),
        pytest.param({"timezone": "Mars/Olympus"}, "the time zone 'Mars/Olympus'", id="another planet"),
        pytest.param({"horizon": 10**9}, "not a card of format 1 (horizon", id="a horizon without end"),
    ],
)
def test_a_model_that_cannot_be_trusted_removes_nothing(seven: World, changes: dict[str, Any], expected: str) -> None:
    card = json.loads(seven.stored("models/web/1/card.json"))
    stored = json.dumps({**card, **changes}).encode()
    seven.put("models/web/1/card.json", stored)

    (record,) = seven.tick()

    assert record.reasons[:3] == (Reason.MODEL_REFUSED, Reason.NAIVE_FORECAST, Reason.NEEDS_LESS)
    assert record.reasons[-1] is Reason.IN_DOUBT
    assert expected in record.notes[0]
    assert seven.nodes() == 7
    assert seven.stored("models/web/1/card.json") == stored


def test_a_pools_file_with_an_unknown_key_is_refused_with_the_nearest(world: World) -> None:
    content = pools_file(pool_json(max_node=3))
    world.put("config/pools.json", content)

    with pytest.raises(ConfigurationError, match="max_node is not known, did you mean 'max_nodes'"):
        pools(Settings(backend=Backend.LOCAL, local_dir=world.directory))

    assert world.stored("config/pools.json") == content


def test_a_pools_file_that_is_missing_is_asked_for(world: World) -> None:
    with pytest.raises(ConfigurationError, match="there is no 'config/pools.json' .*: upload a pools file"):
        pools(Settings(backend=Backend.LOCAL, local_dir=world.directory))


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff", b"[]", b'{"orders": 7}', b'{"orders": [{"at": "soon"}]}', b"[" * 100_000]
)
def test_a_memory_that_cannot_be_read_is_left_as_it_is(seven: World, content: bytes) -> None:
    seven.put("state/web.json", content)

    message = seven.failed_tick()

    assert message.startswith("web: state/web.json cannot be read")
    assert "\n" not in message
    assert seven.stored("state/web.json") == content
    assert seven.nodes() == 7


def test_a_simulated_pool_that_cannot_be_read_is_named(seven: World) -> None:
    seven.put("simulated/web.json", b"{}")

    assert "simulated/web.json cannot be read" in seven.failed_tick()


def test_what_was_decided_before_a_bad_input_is_still_there_after_it(seven: World) -> None:
    seven.tick()
    before = seven.stored("decisions/web/2026-11-23.jsonl")
    seven.put("demand.csv", "rubbish")
    seven.clock.advance(minutes=5)

    seven.failed_tick()

    assert seven.stored("decisions/web/2026-11-23.jsonl").startswith(before)
    assert seven.models.versions("web") == ["1"]
    assert seven.clock() > NOW
