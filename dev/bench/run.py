"""Runs every method on every series, several at a time, keeping each result as it comes."""

import logging
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from dev.bench.cache import Cache, Outcome, code_of, name_of
from dev.bench.methods import FORESCALE, METHODS, Method
from dev.bench.policies import MethodFailed, Setting
from dev.bench.trace import Trace, read_trace

NODES_ON_AVERAGE = 20.0
OTHER_NODES = (5.0, 100.0)
SLOS = (0.95, 0.99, 0.998)
QUICK_SERIES = 4
SHOWN_ERROR = 300
CODE_CHANGED = "its code changed while it ran: run it again"

Report = Callable[[Outcome, bool], None]
"""Reports each outcome as it comes, and whether it was kept from an earlier run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One method on one series."""

    path: Path
    series: str
    method: str
    setting: Setting
    name: str
    code: str
    root: Path


def jobs_of(traces: Sequence[Trace], methods: Sequence[Method], *, slo: float, quick: bool, root: Path) -> list[Job]:
    """Return what is to be run, the main setting first: Forescale at other SLOs and node sizes too, unless quick."""
    codes = {method.key: code_of(method, root) for method in methods}
    main = Setting(slo=slo, nodes=NODES_ON_AVERAGE)
    others = [Setting(slo=other, nodes=NODES_ON_AVERAGE) for other in SLOS if other != slo]
    others += [Setting(slo=slo, nodes=nodes) for nodes in OTHER_NODES]
    return [
        Job(
            path=trace.path,
            series=trace.name,
            method=method.key,
            setting=setting,
            name=name_of(method, setting, digest=trace.digest, code=codes[method.key]),
            code=codes[method.key],
            root=root,
        )
        for setting in [main, *others]
        for method in methods
        for trace in traces
        if setting == main or (method.key == FORESCALE and not quick)
    ]


def shortest(traces: Sequence[Trace]) -> list[Trace]:
    """Return the series of the fewest days, which need the fewest refits: what a quick run takes."""
    few = sorted(traces, key=lambda trace: (len(trace.history) * trace.step_min, trace.name))[:QUICK_SERIES]
    return [trace for trace in traces if trace in few]


def run(jobs: Sequence[Job], cache: Cache, *, processes: int, report: Report) -> list[Outcome]:
    """Run what is not kept yet; returns all outcomes in the order of the jobs."""
    outcomes: dict[str, Outcome] = {}
    for job in jobs:
        kept = cache.read(job.name)
        if kept is not None:
            outcomes[job.name] = kept
            report(kept, True)
    missing = [job for job in jobs if job.name not in outcomes]
    with ProcessPoolExecutor(max_workers=processes, mp_context=get_context("spawn"), initializer=_quiet) as pool:
        running = {pool.submit(outcome_of, job): job for job in missing}
        try:
            for future in as_completed(running):
                outcome = future.result()
                cache.write(running[future].name, outcome)
                outcomes[running[future].name] = outcome
                report(outcome, False)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [outcomes[job.name] for job in jobs]


def _quiet() -> None:
    """Silence what peers log on import and at every fit; what they raise is reported."""
    logging.disable(logging.ERROR)


def outcome_of(job: Job) -> Outcome:
    """Run one method on one series; one that fails is reported as failed and stops no other."""
    method = next(method for method in METHODS if method.key == job.method)
    trace = read_trace(job.path)
    scores, error = {}, ""
    began = time.perf_counter()
    try:
        scores = method.run(trace, job.setting)
    except MethodFailed as exc:
        error = str(exc)
    except Exception as exc:  # noqa: BLE001 - whatever a peer's package may raise is its result here
        traceback.print_exc()
        error = f"{type(exc).__name__}: {exc}"[:SHOWN_ERROR]
    if not error and code_of(method, job.root) != job.code:
        error = CODE_CHANGED
    return Outcome(
        series=trace.name,
        method=job.method,
        slo=job.setting.slo,
        nodes=job.setting.nodes,
        took_s=round(time.perf_counter() - began, 2),
        scores=scores,
        error=error,
    )
