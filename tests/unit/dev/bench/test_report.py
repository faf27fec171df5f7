"""The benchmark's tables say what happened, failures included."""

import math
from typing import Any

import pytest

from dev.bench.cache import Outcome
from dev.bench.methods import FORESCALE, HINDSIGHT
from dev.bench.policies import Setting
from dev.bench.report import Results, bars, geometric_mean, kept, markdown, other_settings, per_series, summary, table

MAIN = Setting(slo=0.99, nodes=20)


def outcome(series: str, method: str, attained: float, cost: float, **changes: Any) -> Outcome:
    asked: dict[str, Any] = {"slo": 0.99, "nodes": 20.0, "took_s": 30.0, **changes}
    return Outcome(series=series, method=method, scores={"attained": attained, "cost": cost}, **asked)


def failed(series: str, method: str) -> Outcome:
    return Outcome(series=series, method=method, slo=0.99, nodes=20, took_s=0, error="ValueError: boom")


OUTCOMES = (
    outcome("a", HINDSIGHT, 0.991, 2.0),
    outcome("b", HINDSIGHT, 0.991, 8.0),
    outcome("a", "mstl", 0.95, 1.1),
    failed("b", "mstl"),
    outcome("a", FORESCALE, 0.992, 1.0),
    outcome("b", FORESCALE, 0.9880, 4.0),
    outcome("a", FORESCALE, 0.945, 1.0, slo=0.95),
    outcome("b", FORESCALE, 0.944, 1.0, slo=0.95),
)
RESULTS = Results(outcomes=OUTCOMES, main=MAIN)


def test_a_table_is_markdown_with_numbers_to_the_right() -> None:
    assert table(["series", "cost"], [["a", "1.00"]]) == "| series | cost |\n| --- | ---: |\n| a | 1.00 |"


@pytest.mark.parametrize(
    ("attained", "slo", "expected"),
    [
        (0.9875, 0.99, True),
        (0.9874, 0.99, False),
        (0.945, 0.95, True),
        (0.9964, 0.998, False),
        (0.8749, 0.9, False),
        (0.8751, 0.9, True),
    ],
)
def test_the_slo_is_kept_within_its_tolerance(attained: float, slo: float, *, expected: bool) -> None:
    assert kept(attained, slo) is expected


def test_the_geometric_mean_of_nothing_is_not_a_number() -> None:
    assert geometric_mean([1.0, 4.0]) == pytest.approx(2.0)
    assert math.isnan(geometric_mean([]))


def test_the_summary_counts_a_failure_against_the_method() -> None:
    lines = summary(RESULTS).splitlines()

    assert lines[3] == "| MSTL | 1.10 (of 1) | 95.00% | 95.00% | a | 0 of 2 | 0.5 |"
    assert lines[4] == "| **Forescale** | 2.00 | 99.00% | 98.80% | b | 2 of 2 | 1.0 |"


def test_a_figure_of_a_method_that_missed_the_slo_is_set_apart_and_a_failure_named() -> None:
    lines = per_series(RESULTS, "cost", lambda value: f"{value:.1f}").splitlines()

    assert lines[2] == "| a | 2.0 | *1.1* | 1.0 |"
    assert lines[3] == "| b | 8.0 | failed | 4.0 |"


def test_other_slos_are_judged_by_their_own_tolerance() -> None:
    lines = other_settings(RESULTS).splitlines()

    assert lines[2] == "| 95.0% | 20 | 1.00 | 94.45% | 94.40% | 1 of 2 |"
    assert lines[3] == "| 99.0% | 20 | 2.00 | 99.00% | 98.80% | 2 of 2 |"


def test_targets_are_met_or_missed() -> None:
    assert bars(RESULTS).splitlines()[2:] == [
        "| attained at least 98.75% on every series | 2 of 2 | met |",
        "| cost at most 1.8 (geometric mean) | 2.00 | **missed** |",
        "| not costlier than reactive with hindsight on at least 2 of 2 | 2 of 2 | met |",
        "| at most 0.7 of the cost of reactive with hindsight (geometric mean) | 0.50 | met |",
    ]


def test_the_report_names_failures_and_the_facts_of_the_run() -> None:
    text = markdown(RESULTS, {"machine": "two cores"})

    assert "- mstl on b (SLO 0.99, 20 nodes): `ValueError: boom`" in text
    assert text.endswith("## Run\n\n- machine: two cores\n")
