from dataclasses import replace
from datetime import timedelta
from functools import cache

import numpy as np
import pytest

from scaler.replay.replay import backtest
from scaler.replay.scorecard import Scorecard
from shared.demand.history import History
from shared.forecasting.eligibility import fit_family, training_set_of
from shared.forecasting.model import FittedModel
from shared.pools import Pool
from tests.builders import pool
from tests.demand import daily, history_of
from training.evaluation import Evaluation, Evaluator, backtest_windows
from training.verdict import Rule, against_champion, best_of, compare, keeps_slo

POOL = pool(lead_time_min=60, max_nodes=1000, sizing={"kind": "capacity", "units_per_node": 50, "slo": 0.95})
HISTORY = history_of(daily(20, noise=0.05))


@cache
def _naive() -> Evaluation:
    windows = backtest_windows(HISTORY)
    assert windows is not None
    return Evaluator(HISTORY, POOL, windows).evaluate_family("seasonal_naive")


def _scored(name: str, *, misses: int, cost: float, pinball: float = 0.1) -> Evaluation:
    score = Scorecard(
        intervals=1000, misses=misses, attained=1 - misses / 1000, unserved=0.0, node_intervals=cost * 1e4, cost=cost
    )
    return replace(_naive(), name=name, score=score, pinball={"pinball_50": pinball})


def test_folds_are_disjoint_cover_what_is_scored_and_know_only_what_was_before_them() -> None:
    windows = backtest_windows(HISTORY)
    assert windows is not None
    fitted_on: list[int] = []

    def fit(_: Pool, past: History) -> FittedModel:
        fitted_on.append(len(past))
        return fit_family(POOL, training_set_of(POOL, past), "seasonal_naive")

    replayed = backtest(HISTORY, POOL, windows, fit=fit)

    assert fitted_on == sorted(windows.origins)
    assert windows.begins < windows.scored_from == sorted(windows.origins)[1]
    assert np.isfinite(replayed.desired).all()
    assert replayed.workload.first == windows.scored_from


def test_a_short_history_is_not_judged() -> None:
    assert backtest_windows(HISTORY.first(399)) is None


@pytest.mark.parametrize("days", [9, 30, 200])
def test_what_is_scored_is_recent_bounded_and_leaves_half_to_learn_from(days: int) -> None:
    total = days * 48
    windows = backtest_windows(history_of(daily(days)))

    assert windows is not None
    assert total - windows.scored_from <= min(4032, 0.4 * total)
    assert windows.begins >= 0.39 * total


def test_scores_name_what_was_promised() -> None:
    assert _naive().scores.keys() >= {"attained", "cost", "misses", "node_hours", "pinball_50", "pinball_90"}
    assert _naive().scores["scored_intervals"] == 384


def test_later_scoring_counts_only_what_is_later() -> None:
    later = _naive().since(len(HISTORY) - 100)

    assert later.score.intervals == 100
    assert later.score.misses <= _naive().score.misses


def test_the_table_that_a_walk_learnt_is_for_nodes_of_the_pools_size() -> None:
    prices = _naive().prices(POOL)

    assert prices is not None
    assert prices.units_per_node == 50
    assert 0 < prices.seen <= len(HISTORY)
    assert max(prices.missed) <= prices.seen


@pytest.mark.parametrize(
    ("challenger", "rule", "promoted"),
    [
        (_scored("b", misses=10, cost=1.96), Rule.CHEAPER, True),
        (_scored("b", misses=10, cost=1.97), Rule.NOT_BETTER, False),
        (_scored("b", misses=0, cost=2.0), Rule.NOT_BETTER, False),
        (_scored("b", misses=10, cost=2.0, pinball=0.09), Rule.BETTER_FORECASTS, True),
        (_scored("b", misses=10, cost=2.1, pinball=0.01), Rule.NOT_BETTER, False),
        (_scored("b", misses=30, cost=1.0), Rule.LOSES_SLO, False),
    ],
)
def test_against_a_champion_that_keeps_the_slo(challenger: Evaluation, rule: Rule, *, promoted: bool) -> None:
    better, by, words = compare(_scored("a", misses=10, cost=2.0), challenger, slo=0.99)

    assert (better, by) == (promoted, rule)
    assert "SLO 0.99, 1000 intervals" in words


@pytest.mark.parametrize(
    ("misses", "cost", "rule", "promoted"),
    [
        (10, 9.0, Rule.KEEPS_SLO, True),
        (30, 1.0, Rule.FEWER_MISSES, True),
        (35, 1.0, Rule.NOT_BETTER, False),
    ],
)
def test_against_a_champion_that_loses_the_slo(misses: int, cost: float, rule: Rule, *, promoted: bool) -> None:
    better, by, _ = compare(_scored("a", misses=40, cost=2.0), _scored("b", misses=misses, cost=cost), slo=0.99)

    assert (better, by) == (promoted, rule)


def test_a_few_misses_more_than_allowed_are_noise() -> None:
    assert keeps_slo(_scored("a", misses=13, cost=1.0), slo=0.99)
    assert not keeps_slo(_scored("a", misses=14, cost=1.0), slo=0.99)


@pytest.mark.parametrize(("cost", "days", "promoted"), [(2.0, 14, True), (2.0, 13, False), (2.1, 30, False)])
def test_a_stale_champion_gives_way_to_one_as_good(cost: float, days: int, *, promoted: bool) -> None:
    champion, challenger = _scored("v1", misses=10, cost=2.0), _scored("b", misses=10, cost=cost)

    verdict = against_champion(champion, challenger, slo=0.99, unseen_for=timedelta(days=days))

    assert verdict.promoted is promoted
    assert verdict.champion_version == "v1"
    assert verdict.champion["cost"] == 2.0


def test_of_families_as_good_as_each_other_the_simplest_wins() -> None:
    same = [_scored(name, misses=10, cost=2.0) for name in ("simple", "richer", "richest")]

    winner, why = best_of([*same, _scored("cheap", misses=12, cost=1.9)], slo=0.99)

    assert best_of(same, slo=0.99)[0].name == "simple"
    assert winner.name == "cheap"
    assert why.startswith("cheap beats simple: 5.0% cheaper")
