"""The benchmark's protocol: the clairvoyant, hindsight, and peers that see nothing of the future."""

from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dev.bench.holt_winters import Smoother
from dev.bench.rolling import Block, Floats, first_decision, seasonal_naive, wanted
from dev.bench.trace import Trace, filled, nodes_for
from scaler.replay.baselines import least_headroom, reactive, reactive_hindsight
from scaler.replay.scorecard import Workload, clairvoyant_billed, scored
from shared.demand.history import History

UNKNOWN = float("nan")
HOURS = 24 * 8


def trace_of(demand: Floats, *, step_min: int = 60) -> Trace:
    history = History(
        start_utc=datetime(2026, 3, 2, tzinfo=UTC), step=timedelta(minutes=step_min), values=demand.reshape(-1, 1)
    )
    return Trace(name="made-up", path=Path("made-up.csv"), digest="0", history=history)


def a_week(seed: int = 1) -> Floats:
    noise = np.random.default_rng(seed).gamma(2.0, 10.0, HOURS)
    return 50 + 30 * np.sin(np.arange(HOURS) * 2 * np.pi / 24) + noise


def fewest_billed(workload: Workload, *, most: int) -> float:
    """Try every run of decisions up to ``most`` nodes and return the fewest that miss nothing."""
    runs = (np.array(run, dtype=float) for run in product(range(1, most + 1), repeat=len(workload.demand)))
    scores = (scored(workload, run) for run in runs)
    return min(score.node_intervals for score in scores if not score.misses)


@settings(max_examples=15)  # each tries 729 runs of decisions
@given(demand=st.lists(st.sampled_from([0.5, 1.0, 1.5, 2.5, UNKNOWN]), min_size=6, max_size=6), lead=st.integers(0, 2))
def test_the_clairvoyant_pays_for_the_fewest_nodes_that_any_run_of_decisions_could_pay_for(
    demand: list[float], lead: int
) -> None:
    workload = Workload(demand=np.array(demand), units_per_node=1.0, lead_intervals=lead, first=lead + 1)

    assert clairvoyant_billed(workload)[workload.first :].sum() == fewest_billed(workload, most=3)


def test_the_least_headroom_is_found_to_a_ten_thousandth() -> None:
    assert least_headroom(lambda headroom: headroom >= 3.7) == pytest.approx(3.7, rel=1e-4)


def test_where_no_headroom_suffices_there_is_none() -> None:
    assert least_headroom(lambda _: False) is None


def test_hindsight_meets_the_slo_at_no_more_than_any_policy_of_a_grid_costs() -> None:
    trace = trace_of(a_week(), step_min=5)
    workload = trace.workload(20)
    grid = [
        scored(workload, reactive(workload, step_min=5, headroom=headroom, stabilisation_min=window))
        for headroom, window in product(np.geomspace(1, 5, 20).tolist(), (0.0, 15.0, 60.0))
    ]

    best = reactive_hindsight(workload, step_min=5, slo=0.95)

    assert best is not None
    assert best.score.attained >= 0.95
    assert best.score.cost <= min(score.cost for score in grid if score.attained >= 0.95) * 1.001


def test_unknown_demand_is_the_last_known_for_a_while_and_then_yesterdays() -> None:
    demand = np.array([1.0, 2.0, 3.0, 4.0, 5.0, UNKNOWN, UNKNOWN, UNKNOWN])

    assert filled(demand, per_day=4, carried=1).tolist() == [1, 2, 3, 4, 5, 5, 3, 4]


def test_demand_unknown_from_the_beginning_is_nothing() -> None:
    assert filled(np.array([UNKNOWN, 2.0]), per_day=4, carried=1).tolist() == [0, 2]


def test_a_forecast_that_is_no_number_is_a_failure_and_not_a_node() -> None:
    with pytest.raises(ValueError, match="1 of 2 forecasts are not finite"):
        nodes_for(np.array([1.0, UNKNOWN]), units_per_node=1.0)


def mean_and_last(block: Block) -> Floats:
    """A peer with a model (the training's mean) and a state (the last value)."""
    model = block.training.mean()
    return np.array([[model + block.known[decision]] * block.horizon for decision in block.decisions])


@pytest.mark.parametrize("cut", [100, 130, HOURS - 1])
def test_what_a_peer_wants_before_a_cut_does_not_depend_on_what_comes_after(cut: int) -> None:
    demand = a_week()
    altered = np.concatenate([demand[:cut], 1000 + demand[cut:]])

    whole, other = wanted(trace_of(demand), mean_and_last), wanted(trace_of(altered), mean_and_last)

    assert whole[:cut].tolist() == other[:cut].tolist()


@pytest.mark.parametrize("cut", [100, 130, HOURS - 1])
def test_the_seasonal_naive_before_a_cut_does_not_depend_on_what_comes_after(cut: int) -> None:
    demand = a_week()

    whole = seasonal_naive(trace_of(demand))

    assert whole[:cut].tolist() == seasonal_naive(trace_of(demand[:cut])).tolist()


def test_the_seasonal_naive_is_the_highest_of_now_and_of_yesterdays_lead_window() -> None:
    demand = np.zeros(72)
    demand[[30, 40]] = 7.0, 3.0
    trace = trace_of(demand)

    whole = seasonal_naive(trace)

    assert trace.lead == 1
    assert np.flatnonzero(whole).tolist() == [30, 40, 30 + 24 - 2, 30 + 24 - 1, 40 + 24 - 2, 40 + 24 - 1]


def test_a_peer_never_wants_less_than_the_present() -> None:
    demand = a_week()
    trace = trace_of(demand)

    whole = wanted(trace, lambda block: np.zeros((len(block.decisions), block.horizon)))

    assert whole[first_decision(trace) :].tolist() == demand[first_decision(trace) :].tolist()


def test_a_peer_is_fitted_on_what_was_known_at_its_first_decision_of_a_block() -> None:
    blocks: list[Block] = []

    def noted(block: Block) -> Floats:
        blocks.append(block)
        return np.zeros((len(block.decisions), block.horizon))

    wanted(trace_of(a_week()), noted)

    assert [(block.first, len(block.known)) for block in blocks] == [
        (94, 118),
        (118, 142),
        (142, 166),
        (166, 190),
        (190, 192),
    ]
    assert [len(block.training) for block in blocks] == [95, 119, 143, 167, 191]


def test_holt_winters_learns_a_level_a_trend_and_a_season_that_repeat_exactly() -> None:
    smoother = Smoother(alpha=0.5, beta=0.3, gamma=0.2, level=0.0, trend=1.0, season=[0.0, 5.0, -5.0])

    errors = [smoother.learn(interval + 1 + (0, 5, -5)[interval % 3]) for interval in range(30)]

    assert errors == pytest.approx([0.0] * 30, abs=1e-9)
    assert smoother.means(2) == pytest.approx([31.0, 37.0])


def test_the_error_of_holt_winters_grows_with_how_far_it_looks_ahead() -> None:
    smoother = Smoother(alpha=0.5, beta=0.2, gamma=0.2, level=0.0, trend=0.0, season=[0.0] * 4)

    assert smoother.deviations(2.0, 3) == pytest.approx(
        [2.0, 2 * np.sqrt(1 + 0.6**2), 2 * np.sqrt(1 + 0.6**2 + 0.7**2)]
    )
