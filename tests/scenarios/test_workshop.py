"""The workshop's job end to end: its log, its four models, its policy."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from scaler.core.reasons import Reason
from shared.demand.workshop_log import read_workshop_log
from shared.pools import Pool, read_pools
from tests.builders import NOW, pools_file, workshop_json
from tests.fakes.workshop_logs import workshop_log
from tests.scenarios.conftest import World
from training.publish import fit_candidate, publish

MIDNIGHT = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture
def workshop() -> Pool:
    return read_pools(pools_file(workshop_json()))[0]


@pytest.fixture
def ready(world: World, workshop: Pool) -> World:
    """A log uploaded this morning, a model fitted on it and promoted."""
    return made_ready(world, workshop, workshop_log())


def made_ready(world: World, workshop: Pool, data: bytes) -> World:
    world.put("log_data.pkl", data)
    os.utime(world.directory / "log_data.pkl", (NOW.timestamp(), NOW.timestamp()))
    history = read_workshop_log(data, end_utc=MIDNIGHT)
    card = publish(world.models, workshop, history, fit_candidate(workshop, history), now_utc=NOW)
    world.models.promote(workshop.name, card.version, now_utc=NOW, reason="first")
    return world


def test_a_day_above_the_sla_is_expected_and_one_node_becomes_two(ready: World, workshop: Pool) -> None:
    (record,) = ready.tick(workshop)

    assert record.decision.numbers["expected_s"] == pytest.approx(117.119, abs=1e-3)
    assert record.reasons == (Reason.MODEL, Reason.RESPONSE_TIME_HIGH, Reason.RESIZE_ACCEPTED)
    assert ready.nodes("workshop") == 2


def test_of_the_workshops_own_log_97_seconds_are_expected_and_one_node_becomes_two(
    world: World, workshop: Pool, seed_folder: Path
) -> None:
    own = made_ready(world, workshop, (seed_folder / "log_data.pkl").read_bytes())
    (version,) = own.models.versions("workshop")

    (record,) = own.tick(workshop)

    assert own.models.card("workshop", version).scores["r2_avg_completion_time"] == pytest.approx(0.9024, abs=5e-5)
    assert record.decision.numbers["expected_s"] == pytest.approx(97.1500, abs=1e-4)
    assert record.reasons == (Reason.MODEL, Reason.RESPONSE_TIME_HIGH, Reason.RESIZE_ACCEPTED)
    assert own.nodes("workshop") == 2


def test_the_second_tick_of_the_day_holds(ready: World, workshop: Pool) -> None:
    ready.tick(workshop)
    ready.clock.advance(minutes=5)

    (record,) = ready.tick(workshop)

    assert record.reasons == (Reason.MODEL, Reason.STEP_TAKEN)
    assert record.applied is False
    assert ready.nodes("workshop") == 2


def test_a_step_saved_and_not_made_before_a_crash_is_made_by_the_next_tick(ready: World, workshop: Pool) -> None:
    def crash(_: Pool) -> None:
        raise KeyboardInterrupt

    ready.pools.before_resize = crash
    with pytest.raises(KeyboardInterrupt):
        ready.tick(workshop)
    ready.pools.before_resize = lambda _: None

    ready.clock.advance(minutes=5)
    ready.tick(workshop)

    assert ready.nodes("workshop") == 2


def test_the_published_model_says_how_it_scored(ready: World) -> None:
    (version,) = ready.models.versions("workshop")

    scores = ready.models.card("workshop", version).scores

    assert scores["r2_avg_completion_time"] == pytest.approx(0.99, abs=5e-3)


def test_without_its_model_the_workshops_pool_is_held(world: World, workshop: Pool) -> None:
    world.put("log_data.pkl", workshop_log())
    now_utc = datetime.now(tz=UTC) + timedelta(hours=1)

    (record,) = world.tick(workshop, now_utc=now_utc)

    assert record.reasons == (Reason.NO_MODEL, Reason.NO_FORECAST)
    assert world.nodes("workshop") == 1


def test_a_truncated_log_holds_the_pool_and_calls_a_person(ready: World, workshop: Pool) -> None:
    ready.start_at(2, "workshop")
    ready.put("log_data.pkl", workshop_log()[:3000])

    message = ready.failed_tick(workshop)

    assert message.startswith("workshop: log_data.pkl is cut off or damaged")
    assert ready.nodes("workshop") == 2
