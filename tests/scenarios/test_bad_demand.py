"""Bad demand never removes a node: what a broken metric looks like, and what a real fall looks like."""

from collections.abc import Callable
from datetime import datetime

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.demand.csv_format import write_demand_csv
from shared.demand.history import History
from tests.builders import NOW, STEP, pool
from tests.scenarios.conftest import World

Values = NDArray[np.float64]

STEADY = pool(min_nodes=1, max_nodes=60)
PAST = 576
"""Two days of five minutes."""


class Steady:
    """A pool that serves a steady demand with twenty nodes, tick after tick, and whose demand can be broken."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.values: list[float] = (1800 * (1 + 0.01 * np.random.default_rng(3).standard_normal(PAST))).tolist()
        world.start_at(20)
        world.model()
        self.tick_after(*self.usual(13))
        self.nodes_before = world.nodes()

    def usual(self, count: int) -> list[float]:
        """The next values of the demand as it was."""
        return [1800 * (1 + 0.01 * float(np.sin(len(self.values) + number))) for number in range(count)]

    def tick_after(self, *values: float) -> list[int]:
        """Let an interval of each of these values go by, tick after it, and return the nodes there are then."""
        return [self._tick(value) for value in values]

    def _tick(self, value: float) -> int:
        self.values.append(value)
        self._write()
        self.world.tick(STEADY, now_utc=self.now)
        return self.world.nodes()

    def rewrite(self, change: Callable[[Values], Values]) -> None:
        """Change what is stored."""
        self.values = change(np.array(self.values)).tolist()

    @property
    def now(self) -> datetime:
        return NOW + (len(self.values) - PAST) * STEP

    def _write(self) -> None:
        values = np.array(self.values)[:, np.newaxis]
        history = History(start_utc=NOW - PAST * STEP, step=STEP, values=values)
        self.world.put("demand.csv", write_demand_csv(history))


@pytest.fixture
def steady(world: World) -> Steady:
    return Steady(world)


def test_a_steady_pool_is_left_where_it_is(steady: Steady) -> None:
    assert 18 <= steady.nodes_before <= 21
    assert set(steady.tick_after(*steady.usual(3))) == {steady.nodes_before}


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param([0.0], id="one zero"),
        pytest.param([0.0] * 11, id="zeros for almost an hour"),
        pytest.param([30.0], id="a sixtieth: seconds taken for minutes"),
        pytest.param([900.0] * 2, id="half of the series lost"),
        pytest.param([200.0], id="a last interval that is only partly there"),
        pytest.param([1.0, 1800.0, 1.0, 1800.0], id="every other sample lost"),
        pytest.param([np.nan] * 12, id="nothing at all"),
    ],
)
def test_a_broken_metric_removes_no_node(steady: Steady, broken: list[float]) -> None:
    assert min(steady.tick_after(*broken)) >= steady.nodes_before


def test_a_metric_that_stands_still_removes_no_node_for_hours(steady: Steady) -> None:
    frozen = steady.tick_after(*[1500.0] * 60)

    assert min(frozen) >= steady.nodes_before - 4
    assert frozen[-1] == frozen[4]
    assert "demand_doubted" in steady.world.reasons()


def test_a_metric_that_came_back_is_believed_at_once(steady: Steady) -> None:
    steady.tick_after(0.0)
    doubted = steady.world.reasons()
    steady.tick_after(*steady.usual(1))

    assert "demand_doubted" in doubted
    assert "demand_doubted" not in steady.world.reasons()


def test_an_interval_that_is_completed_later_is_doubted_only_until_then(steady: Steady) -> None:
    """Each newest interval is partly ingested when the tick reads it, and complete one tick later: for ever."""

    def next_tick(_: int) -> int:
        steady.rewrite(lambda values: np.where(values == 600.0, 1800.0 + np.arange(len(values)) % 7, values))
        return steady.tick_after(600.0)[0]

    assert {next_tick(number) for number in range(12)} == {steady.nodes_before}


def test_a_sample_ten_times_as_high_adds_nodes_and_takes_none_back_in_haste(steady: Steady) -> None:
    (raised,) = steady.tick_after(18_000.0)
    back = steady.tick_after(*steady.usual(2))

    assert raised == 60
    assert min(back) == raised


def test_a_real_fall_is_followed_a_few_intervals_later(steady: Steady) -> None:
    fallen = 600 * (1 + 0.01 * np.sin(np.arange(40)))

    nodes = steady.tick_after(*fallen)

    assert nodes[1] == steady.nodes_before
    assert nodes[4] < steady.nodes_before
    assert nodes[-1] <= 8


def test_the_nodes_of_a_real_fall_go_within_the_removal_budget(steady: Steady) -> None:
    steady.tick_after(*steady.usual(13))  # the first hour of acting is over
    nodes = [steady.world.nodes(), *steady.tick_after(*(20 * (1 + 0.01 * np.sin(np.arange(16)))))]

    steps = np.array(nodes[:-1]) - np.array(nodes[1:])
    assert (steps <= np.ceil(np.array(nodes[:-1]) * 0.34)).all()
    assert nodes[12] >= np.floor(nodes[0] * 0.25)


def test_the_record_says_which_value_is_doubted_and_why(steady: Steady) -> None:
    steady.tick_after(0.0)

    day = steady.world.log.days("web")[-1]
    record = steady.world.log.of_day("web", day)[-1]
    assert (record["numbers"]["doubt"], record["numbers"]["doubted_demand"]) == ("zero", 0.0)
    assert record["numbers"]["demand"] > 1700


def test_a_typo_in_max_nodes_takes_a_third_of_the_pool_in_a_tick(steady: Steady) -> None:
    steady.tick_after(*steady.usual(13))
    before = steady.world.nodes()

    steady.world.tick(pool(max_nodes=2), now_utc=steady.now + STEP)

    assert before - np.ceil(before * 0.34) <= steady.world.nodes() < before
