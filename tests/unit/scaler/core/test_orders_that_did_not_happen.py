"""Only what was asked for can be ready: the history of orders says what the platform took."""

from dataclasses import replace

from scaler.core.decide import decide
from scaler.core.memory import Memory
from scaler.core.pool import PoolState
from scaler.core.situation import Situation
from shared.pools import Mode
from tests.builders import NOW, flat, forecast, pool, state


def _situation(read: PoolState, *, mode: Mode = Mode.ACT) -> Situation:
    wide = pool(mode=mode.value)
    return Situation(pool=wide, state=read, memory=Memory(), now_utc=NOW, history=flat(400.0), forecast=forecast(900.0))


def test_an_order_that_a_busy_pool_could_not_take_is_remembered_as_what_the_pool_is_set_to() -> None:
    decision, memory = decide(_situation(state(4, busy=True)))

    assert (decision.desired_nodes, memory.orders[-1].desired_nodes) == (9, 4)


def test_a_pool_that_is_only_observed_remembers_what_would_have_been_asked_for() -> None:
    decision, memory = decide(_situation(state(4), mode=Mode.OBSERVE))

    assert (decision.resize, memory.orders[-1].desired_nodes) == (None, 9)


def test_an_order_that_the_platform_refused_is_corrected_to_what_the_pool_is_set_to() -> None:
    _, memory = decide(_situation(state(4)))

    corrected = memory.correct_last_order(4)

    assert (memory.orders[-1].desired_nodes, corrected.orders[-1].desired_nodes) == (9, 4)
    assert corrected.orders[-1] == replace(memory.orders[-1], desired_nodes=4)
