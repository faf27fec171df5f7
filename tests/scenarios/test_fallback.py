"""Every step of the fallback: which forecast a tick rests on, what it says of it, and that it never shrinks."""

import json
import time
from datetime import timedelta

import numpy as np

from scaler.core.reasons import Reason
from scaler.record import Record
from shared.errors import Transient
from shared.forecasting.file_format import write_model
from tests.builders import NOW, STEP, pool, pool_json, pools_file
from tests.scenarios.conftest import World

QUIET, BUSY = 150.0, 1450.0
"""Demand that needs about two nodes, and about fifteen."""


def reasons_of(records: list[Record]) -> tuple[Reason, ...]:
    (record,) = records
    return record.reasons


def test_first_comes_the_published_model(world: World) -> None:
    world.demand(BUSY)
    world.model()

    reasons = reasons_of(world.tick())

    assert reasons == (Reason.MODEL, Reason.NEEDS_MORE, Reason.RESIZE_ACCEPTED)
    assert 15 <= world.nodes() <= 18


def test_with_its_model_a_pool_shrinks_when_demand_did(world: World) -> None:
    world.demand(QUIET)
    world.model()
    world.start_at(12)

    assert reasons_of(world.tick()) == (
        Reason.MODEL,
        Reason.NEEDS_LESS,
        Reason.REMOVAL_BUDGET,
        Reason.RESIZE_ACCEPTED,
    )
    assert world.nodes() == 10


def test_a_refused_model_falls_to_the_last_good_one_and_removes_nothing(world: World) -> None:
    world.demand(QUIET)
    world.model(version="1")
    tick = world.new_tick()
    tick.run([pool()], now_utc=NOW)
    world.start_at(12)
    world.model(version="2")
    world.put("models/web/2/model.npz", write_model({"swapped": np.array(1.0)}))
    world.clock.advance(minutes=5)
    world.demand(QUIET, end_utc=world.clock())

    reasons = reasons_of(tick.run([pool()], now_utc=world.clock()))

    assert reasons == (
        Reason.MODEL_REFUSED,
        Reason.LAST_GOOD_MODEL,
        Reason.NEEDS_LESS,
        Reason.REMOVAL_BUDGET,
        Reason.IN_DOUBT,
    )
    assert world.nodes() == 12


def test_a_refused_model_without_a_last_good_one_falls_to_seasonal_naive(world: World) -> None:
    world.demand(BUSY)
    world.model()
    world.put("models/web/1/model.npz", b"damaged")

    (record,) = world.tick()

    assert record.reasons[:3] == (Reason.MODEL_REFUSED, Reason.NAIVE_FORECAST, Reason.NEEDS_MORE)
    assert "models/web/1/model.npz has SHA-256" in record.notes[0]
    assert world.nodes() >= 15


def test_a_store_that_does_not_answer_leaves_the_last_good_model(world: World) -> None:
    world.demand(BUSY)
    world.model()
    tick = world.new_tick()
    tick.run([pool()], now_utc=NOW)
    world.blobs.faults["models/"] = Transient("reading 'models/web/latest.json' failed (503)")

    reasons = reasons_of(tick.run([pool()], now_utc=NOW))

    assert reasons[:2] == (Reason.STORE_UNREACHABLE, Reason.LAST_GOOD_MODEL)


def test_a_store_that_never_answered_falls_to_seasonal_naive(world: World) -> None:
    world.demand(BUSY)
    world.blobs.faults["models/"] = Transient("reading 'models/web/latest.json' failed (503)")

    assert reasons_of(world.tick())[:2] == (Reason.STORE_UNREACHABLE, Reason.NAIVE_FORECAST)
    assert world.nodes() >= 15


def test_without_any_model_the_forecast_is_seasonal_naive(world: World) -> None:
    world.demand(BUSY)

    assert reasons_of(world.tick()) == (
        Reason.NO_MODEL,
        Reason.NAIVE_FORECAST,
        Reason.NEEDS_MORE,
        Reason.RESIZE_ACCEPTED,
    )


def test_a_history_too_short_to_forecast_holds(world: World) -> None:
    world.put("demand.csv", "timestamp,demand\n2026-11-23T11:50:00Z,1\n2026-11-23T11:55:00Z,1\n")
    world.start_at(7)

    assert reasons_of(world.tick()) == (Reason.NO_MODEL, Reason.NO_FORECAST)
    assert world.nodes() == 7


def test_demand_that_is_late_by_three_intervals_removes_nothing(world: World) -> None:
    world.demand(QUIET, end_utc=NOW - 3 * STEP)
    world.model()
    world.start_at(7)

    assert reasons_of(world.tick()) == (
        Reason.MODEL,
        Reason.DEMAND_STALE,
        Reason.NEEDS_LESS,
        Reason.REMOVAL_BUDGET,
        Reason.IN_DOUBT,
    )
    assert world.nodes() == 7


def test_demand_that_is_late_may_still_add(world: World) -> None:
    world.demand(BUSY, end_utc=NOW - timedelta(hours=2))
    world.model()

    reasons = reasons_of(world.tick())

    assert reasons[:3] == (Reason.MODEL, Reason.DEMAND_STALE, Reason.NEEDS_MORE)
    assert world.nodes() >= 15


def test_demand_of_years_ago_holds_at_once(world: World) -> None:
    world.demand(QUIET, end_utc=NOW - timedelta(days=2000))
    world.model()
    world.start_at(7)
    began = time.monotonic()

    (record,) = world.tick()

    assert record.reasons == (Reason.NO_FORECAST, Reason.DEMAND_STALE)
    assert "too long ago to forecast from" in record.notes[0]
    assert world.nodes() == 7
    assert time.monotonic() - began < 5


def test_a_demand_store_that_does_not_answer_holds_and_calls_nobody(world: World) -> None:
    world.demand(QUIET)
    world.start_at(7)
    world.blobs.faults["demand.csv"] = Transient("reading 'demand.csv' failed (503)")

    (record,) = world.tick()

    assert record.reasons == (Reason.DEMAND_UNAVAILABLE,)
    assert record.notes == ("reading 'demand.csv' failed (503)",)
    assert world.nodes() == 7


def test_a_model_fitted_on_another_step_falls_on(world: World) -> None:
    world.demand(QUIET)
    world.model(step_s=3600.0)
    world.start_at(7)

    (record,) = world.tick()

    assert record.reasons[:3] == (Reason.MODEL, Reason.MODEL_REFUSED, Reason.NAIVE_FORECAST)
    assert "train again" in record.notes[0]
    assert world.nodes() == 7


def test_what_a_tick_decided_is_logged_with_what_recomputes_it(world: World) -> None:
    world.put("config/pools.json", pools_file(pool_json()))
    world.demand(BUSY)
    world.model()
    (record,) = world.tick()

    (logged,) = world.log.of_day("web", "2026-11-23")

    assert logged == json.loads(json.dumps(record.fields()))
    assert logged["forecast"]["model_version"] == "1"
    assert {"demand", "wanted_nodes", "units_per_node", "slo", "price_nodes"} <= set(logged["numbers"])
