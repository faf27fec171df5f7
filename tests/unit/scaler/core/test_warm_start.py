"""What a pool takes over from a published model."""

from dataclasses import replace

import numpy as np
import pytest

from scaler.core.decide import decide
from scaler.core.memory import Memory
from scaler.core.miss_price import ErrorBudget, MissPriceState, select_miss_price
from scaler.core.situation import Situation
from scaler.core.sizing import MISS_PRICES
from scaler.core.warm_start import KEPT_ON_CHANGE, warm_start
from shared.forecasting.card import ModelCard, PriceTable
from tests.builders import NOW, draft_card, flat, forecast, pool, state

BUDGET = ErrorBudget(slo=0.99)
CHEAP_ENOUGH = 20
NO_OPINION = np.zeros(len(MISS_PRICES))


def table(*, enough: int = CHEAP_ENOUGH, seen: float = 4000.0, units_per_node: float = 100.0) -> PriceTable:
    """A table in which every price from ``enough`` on keeps the SLO with ease, and none below it does."""
    missed = tuple(0.0 if price >= enough else seen / 4 for price in range(len(MISS_PRICES)))
    return PriceTable(missed=missed, seen=seen, units_per_node=units_per_node)


def card(version: str = "20261122T000000Z", prices: PriceTable | None = None) -> ModelCard:
    return draft_card(version=version, prices=prices)


def learnt(*, enough: int, seen: float = 6000.0) -> MissPriceState:
    return MissPriceState(
        plan_misses=table(enough=enough, seen=seen).missed,
        plan_intervals=seen,
        debt_misses=3.0,
        intervals=9000,
        misses=93,
    )


def test_a_pool_that_remembers_nothing_starts_with_what_the_walk_learnt() -> None:
    memory = warm_start(Memory(), card(prices=table()), units_per_node=100)

    assert memory.miss_price.plan_intervals == 4000
    assert select_miss_price(memory.miss_price, NO_OPINION, BUDGET) == CHEAP_ENOUGH
    assert memory.miss_price.debt_misses == 0


@pytest.mark.parametrize(
    "prices", [None, table(units_per_node=99.0), PriceTable(missed=(1.0, 0.0), seen=9.0, units_per_node=100.0)]
)
def test_a_table_that_is_not_of_this_pools_prices_is_not_taken(prices: PriceTable | None) -> None:
    memory = warm_start(Memory(), card(prices=prices), units_per_node=100)

    assert memory.miss_price.plan_intervals == 0
    assert not any(memory.miss_price.plan_misses)


def test_the_same_model_again_and_a_fallback_change_nothing() -> None:
    memory = Memory(miss_price=learnt(enough=30), model_version=card().version)

    assert warm_start(memory, card(prices=table()), units_per_node=100) is memory
    assert warm_start(memory, None, units_per_node=100) is memory


def test_a_change_of_model_fades_the_table_and_keeps_the_debt() -> None:
    own = learnt(enough=30)
    memory = warm_start(Memory(miss_price=own, model_version="old"), card(), units_per_node=100)

    assert memory.miss_price.plan_intervals == own.plan_intervals * KEPT_ON_CHANGE
    assert memory.miss_price.misses_by_price == pytest.approx(own.misses_by_price * KEPT_ON_CHANGE)
    assert (memory.miss_price.debt_misses, memory.miss_price.misses) == (own.debt_misses, own.misses)
    assert memory.model_version == card().version


def test_a_faded_table_rules_as_before_until_the_demand_says_otherwise() -> None:
    own = learnt(enough=30)

    faded = warm_start(Memory(miss_price=own, model_version="old"), card(), units_per_node=100).miss_price

    assert select_miss_price(own, NO_OPINION, BUDGET) == 30
    assert select_miss_price(faded, NO_OPINION, BUDGET) == 30


def test_old_and_new_evidence_must_both_be_content_with_a_price() -> None:
    memory = Memory(miss_price=learnt(enough=40), model_version="old")

    optimistic = warm_start(memory, card(prices=table(enough=10)), units_per_node=100).miss_price
    pessimistic = warm_start(memory, card(prices=table(enough=50)), units_per_node=100).miss_price

    assert select_miss_price(replace(optimistic, debt_misses=0.0), NO_OPINION, BUDGET) == 40
    assert select_miss_price(replace(pessimistic, debt_misses=0.0), NO_OPINION, BUDGET) == 50


def test_many_changes_do_not_wear_the_table_out() -> None:
    memory = Memory(miss_price=learnt(enough=30), model_version="0")
    for version in map(str, range(1, 30)):
        memory = warm_start(memory, card(version, prices=table(enough=30)), units_per_node=100)

    assert memory.miss_price.plan_intervals == pytest.approx(4000, rel=0.01)


def test_a_tick_takes_the_table_over_and_remembers_whose_it_is() -> None:
    situation = Situation(
        pool=pool(max_nodes=1000),
        state=state(nodes=5),
        memory=Memory(),
        now_utc=NOW,
        history=flat(500),
        forecast=forecast(500, spread=100),
        card=card(prices=table(enough=len(MISS_PRICES) - 1)),
    )

    first, memory = decide(situation)
    cold, _ = decide(replace(situation, card=None))

    assert memory.model_version == card().version
    assert memory.miss_price.plan_intervals == 4000
    assert first.numbers["price_nodes"] == MISS_PRICES[-1]
    assert first.desired_nodes >= cold.desired_nodes
