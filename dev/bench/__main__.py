"""``make bench``: run the benchmark and write its table, plot and raw results."""

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from dev.bench.cache import Cache, Outcome
from dev.bench.machine import facts
from dev.bench.methods import METHODS
from dev.bench.plot import draw
from dev.bench.policies import Setting
from dev.bench.report import Results, markdown, summary
from dev.bench.run import NODES_ON_AVERAGE, jobs_of, run, shortest
from dev.bench.tick_cost import TickCost, measured
from dev.bench.trace import Trace, read_trace
from shared.errors import ForescaleError

ROOT = Path(__file__).resolve().parents[2]
REFUSED = 2
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m dev.bench", description=__doc__)
    parser.add_argument("--traces", type=Path, default=ROOT.parent / "shared" / "traces", help="a folder of CSV files")
    parser.add_argument("--slo", type=float, default=0.99, help="share of intervals to serve")
    parser.add_argument("--quick", action="store_true", help="the shortest series, at one SLO and one node size")
    parser.add_argument("--methods", default="", help="only these, separated by commas; writes no results")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1), help="processes at a time")
    parser.add_argument("--out", type=Path, help="where results go (default: dev/bench, or dev/bench/quick)")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does, leaving no process behind
    try:
        return _run(options)
    except (ForescaleError, OSError) as exc:
        print(f"error: {exc}", file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        print("Stopped; what was finished is kept, the same command goes on from here.", file=sys.stderr)
        return INTERRUPTED


def _run(options: argparse.Namespace) -> int:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # the processes share the cores; a library must not take them all
    os.environ["PYTHONWARNINGS"] = "ignore"  # peers warn about each other; what they raise is reported
    traces = [read_trace(path) for path in sorted(options.traces.glob("*.csv"))]
    if not traces:
        print(f"error: there are no CSV files in {options.traces}", file=sys.stderr)
        return REFUSED
    if options.quick:
        traces = shortest(traces)
    chosen = options.methods.split(",") if options.methods else [method.key for method in METHODS]
    methods = [method for method in METHODS if method.key in chosen]
    jobs = jobs_of(traces, methods, slo=options.slo, quick=options.quick, root=ROOT)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("benchmark", total=len(jobs))

        def show(outcome: Outcome, kept: bool) -> None:  # noqa: FBT001 - the runner's signature
            bar.update(task, advance=1)
            if not kept:
                bar.console.print(_line(outcome), markup=False, highlight=False, soft_wrap=True)

        outcomes = run(jobs, Cache(directory=ROOT / ".cache" / "bench"), processes=options.jobs, report=show)
    if options.methods:
        return 0
    results = Results(outcomes=outcomes, main=Setting(slo=options.slo, nodes=NODES_ON_AVERAGE))
    console.print("Measuring one tick …")
    written = options.out or ROOT / "dev" / "bench" / ("quick" if options.quick else "")
    _write(written, results, traces, measured(), processes=options.jobs)
    console.print(f"Wrote RESULTS.md, results.png and results.json to {written}", soft_wrap=True)
    print(summary(results))
    return 0


def _write(directory: Path, results: Results, traces: Sequence[Trace], tick_cost: TickCost, *, processes: int) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    about = facts(traces, root=ROOT, processes=processes)
    raw = {
        "facts": about,
        "tick": asdict(tick_cost),
        "outcomes": [asdict(outcome) for outcome in results.outcomes],
    }
    (directory / "results.json").write_text(json.dumps(raw, indent=1) + "\n")
    draw(results, traces, directory / "results.png")
    (directory / "RESULTS.md").write_text(markdown(results, about, tick_cost))


def _line(outcome: Outcome) -> str:
    what = f"{outcome.series:<26} {outcome.method:<20} SLO {outcome.slo:<6g} {outcome.nodes:>4g} nodes"
    if outcome.error:
        return f"{what}  FAILED after {outcome.took_s:.0f} s: {outcome.error}"
    scores = outcome.scores
    return f"{what}  attained {scores['attained']:8.3%}  cost {scores['cost']:7.3f}  {outcome.took_s:6.1f} s"


if __name__ == "__main__":
    sys.exit(main())
