"""The benchmark's runner: what is kept is not computed again, what changed is."""

from dataclasses import replace
from pathlib import Path

import pytest

from dev.bench.cache import Cache, Outcome, code_of, name_of, versions
from dev.bench.methods import FORESCALE, METHODS, Method
from dev.bench.policies import MethodFailed, Setting
from dev.bench.run import CODE_CHANGED, Job, jobs_of, outcome_of, run, shortest
from dev.bench.trace import Trace, read_trace
from tests.conftest import ROOT

MAIN = Setting(slo=0.99, nodes=20)
BY_KEY = {method.key: method for method in METHODS}
KEPT = Outcome(
    series="web", method="reactive_70", slo=0.99, nodes=20, took_s=1.5, scores={"attained": 0.9, "cost": 2.0}
)


def written(directory: Path, *, name: str = "web", days: int = 3) -> Trace:
    rows = [f"2026-03-{day + 1:02}T{hour:02}:00:00Z,{10 + hour}" for day in range(days) for hour in range(24)]
    path = directory / f"{name}.csv"
    path.write_text("\n".join(["timestamp,demand", *rows]) + "\n")
    return read_trace(path)


def job_for(trace: Trace, method: str = "reactive_70") -> Job:
    code = code_of(BY_KEY[method], ROOT)
    return Job(path=trace.path, series=trace.name, method=method, setting=MAIN, name="kept.json", code=code, root=ROOT)


def test_what_was_kept_is_read_back_whole(tmp_path: Path) -> None:
    cache = Cache(directory=tmp_path)

    cache.write("a.json", KEPT)

    assert cache.read("a.json") == KEPT
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_a_failure_is_not_kept(tmp_path: Path) -> None:
    cache = Cache(directory=tmp_path / "new")

    cache.write("a.json", replace(KEPT, error="out of memory"))

    assert cache.read("a.json") is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"series": "web"}'])
def test_a_damaged_file_counts_as_not_kept(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.json").write_text(content)

    assert Cache(directory=tmp_path).read("a.json") is None


def test_a_resumed_run_takes_what_is_kept_and_computes_nothing(tmp_path: Path) -> None:
    cache = Cache(directory=tmp_path / "cache")
    cache.write("kept.json", KEPT)
    reported: list[tuple[Outcome, bool]] = []

    outcomes = run(
        [job_for(written(tmp_path))], cache, processes=1, report=lambda outcome, kept: reported.append((outcome, kept))
    )

    assert outcomes == [KEPT]
    assert reported == [(KEPT, True)]


@pytest.mark.parametrize(
    "other",
    [
        name_of(BY_KEY["mstl"], MAIN, digest="d", code="c"),
        name_of(BY_KEY["prophet"], Setting(slo=0.95, nodes=20), digest="d", code="c"),
        name_of(BY_KEY["prophet"], MAIN, digest="e", code="c"),
        name_of(BY_KEY["prophet"], MAIN, digest="d", code="changed"),
    ],
    ids=["method", "setting", "series", "code"],
)
def test_a_result_is_named_by_all_that_it_depends_on(other: str) -> None:
    assert name_of(BY_KEY["prophet"], MAIN, digest="d", code="c") != other


def test_the_code_of_a_method_changes_with_its_sources_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("1")
    (tmp_path / "other.py").write_text("1")
    method = replace(BY_KEY["mstl"], sources=("mine.py",))
    before = code_of(method, tmp_path)

    (tmp_path / "other.py").write_text("2")
    unchanged = code_of(method, tmp_path)
    (tmp_path / "mine.py").write_text("2")

    assert unchanged == before
    assert code_of(method, tmp_path) != before


def test_every_source_that_a_method_names_exists() -> None:
    assert [
        (method.key, source) for method in METHODS for source in method.sources if not list(ROOT.glob(source))
    ] == []


def test_a_package_that_is_not_there_is_told_as_missing() -> None:
    assert versions(["no-such-package-anywhere"]) == {"no-such-package-anywhere": "missing"}


def test_forescale_alone_is_run_at_other_slos_and_node_sizes(tmp_path: Path) -> None:
    methods = [BY_KEY["reactive_70"], BY_KEY[FORESCALE]]

    jobs = jobs_of([written(tmp_path)], methods, slo=0.99, quick=False, root=tmp_path)

    assert [(job.method, job.setting.slo, job.setting.nodes) for job in jobs] == [
        ("reactive_70", 0.99, 20),
        (FORESCALE, 0.99, 20),
        (FORESCALE, 0.95, 20),
        (FORESCALE, 0.998, 20),
        (FORESCALE, 0.99, 5),
        (FORESCALE, 0.99, 100),
    ]


def test_a_quick_run_takes_the_series_of_the_fewest_days(tmp_path: Path) -> None:
    traces = [written(tmp_path, name=f"s{days}", days=days) for days in (5, 2, 4, 6, 3)]

    assert [trace.name for trace in shortest(traces)] == ["s5", "s2", "s4", "s3"]


def test_a_method_is_scored_on_the_second_half(tmp_path: Path) -> None:
    outcome = outcome_of(job_for(written(tmp_path, days=4)))

    assert outcome.scores["intervals"] == 48
    assert outcome.error == ""


@pytest.mark.parametrize(
    ("raised", "reported"),
    [(MethodFailed("no headroom meets it"), "no headroom meets it"), (KeyError("hi-98"), "KeyError: 'hi-98'")],
)
def test_a_peer_that_crashes_is_told_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raised: Exception, reported: str
) -> None:
    def crash(_trace: Trace, _setting: Setting) -> dict[str, float]:
        raise raised

    crashing: Method = replace(BY_KEY["mstl"], run=crash)
    monkeypatch.setattr("dev.bench.run.METHODS", (crashing,))

    outcome = outcome_of(job_for(written(tmp_path), "mstl"))

    assert (outcome.error, outcome.scores) == (reported, {})


def test_a_result_of_code_that_changed_meanwhile_is_a_failure(tmp_path: Path) -> None:
    job = replace(job_for(written(tmp_path)), code="as it was at the start")

    assert outcome_of(job).error == CODE_CHANGED
