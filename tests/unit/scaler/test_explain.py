"""A decision in sentences."""

from scaler.core.decide import decide
from scaler.core.memory import Memory
from scaler.core.pool import Operation, Resize, ScaledField
from scaler.core.reasons import Reason
from scaler.core.situation import Situation
from scaler.explain import SENTENCES, explain
from scaler.record import Record
from tests.builders import NOW, flat, forecast, pool, state


def record(**changes: object) -> Record:
    usual = {
        "pool": pool(max_nodes=12),
        "state": state(5),
        "memory": Memory(),
        "now_utc": NOW,
        "history": flat(100.0),
        "forecast": forecast(3000.0),
        "forecast_reasons": (Reason.MODEL,),
    }
    decision, _ = decide(Situation(**{**usual, **changes}))  # type: ignore[arg-type]
    operation = Operation(
        handle="1", resize=Resize(scaled_field=ScaledField.COUNT, nodes=decision.desired_nodes), started_at=NOW
    )
    return Record(decision=decision, run_id="run", operation=operation, outcome=Reason.RESIZE_ACCEPTED)


def test_every_reason_has_its_sentence() -> None:
    assert set(SENTENCES) == set(Reason)


def test_a_guard_says_from_how_many_nodes_to_how_many() -> None:
    sentences = explain(record().fields())

    assert sentences[0] == "The forecast is from the published model 20261122T000000Z."
    assert "The pool's maximum is lower. 30 → 12 nodes." in sentences
    assert "The resize to 12 nodes was accepted." in sentences


def test_the_price_of_a_miss_is_explained_with_its_numbers() -> None:
    assert "may be." in explain(record().fields())[-1]
    assert "1.00%" in explain(record().fields())[-1]


def test_a_decision_without_a_forecast_is_explained_too() -> None:
    held = record(forecast=None, forecast_reasons=(Reason.NO_FORECAST,)).fields()

    assert explain(held)[0] == "There is no forecast: the pool is held."


def test_the_record_has_each_guards_before_and_after() -> None:
    guards = {effect["guard"]: (effect["before"], effect["after"]) for effect in record().fields()["guards"]}

    assert guards["max_nodes"] == (30, 12)
    assert guards["min_nodes"] == (30, 30)
