"""``python -m training``: fit, evaluate, promote, roll back, show how models stand. A training job runs the same."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from scaler.replay.from_file import Figures, demand_file, pool_for
from shared.cli import FAILED, run_command, show_json, show_progress, show_table
from shared.demand.blob_source import training_history
from shared.demand.history import History
from shared.errors import ConfigurationError, TrainingRefused
from shared.forecasting.store import ModelStore
from shared.pools import CapacitySizing, Pool
from shared.settings import Settings, load_settings
from shared.version import VERSION
from shared.wiring import blobs_of, clock_of, pools
from training.evaluation import MIN_INTERVALS
from training.job import is_failed
from training.results import PoolStage
from training.retraining import new_run_id
from training.rollback import roll_back
from training.selection import TrainOptions, compete
from training.verdict import best_of
from training.wiring import job_of


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    options = _parser().parse_args(arguments)
    return run_command(lambda: int(options.run(options)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description="Make, judge and publish models.")
    parser.add_argument("--version", action="version", version=f"forescale {VERSION}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--pool", action="append", help="only this pool, may be repeated (default: all of them)")
    shared.add_argument("--json", action="store_true", help="for machines")

    command = commands.add_parser("fit", parents=[shared], help="compete, evaluate, publish; serve if better")
    command.add_argument("--force", action="store_true", help="let the result serve, whatever the verdict")
    command.add_argument("--quick", action="store_true", help="fit one family, evaluate nothing, let it serve")
    command.add_argument("--run-id", default="", help="name of the run, as retraining chose it")
    command.set_defaults(run=_fit)
    command = commands.add_parser("evaluate", parents=[shared], help="what every family would have cost and missed")
    command.add_argument("demand", nargs="?", type=Path, help="a CSV file with timestamp,demand, instead of a pool")
    command.add_argument("--units-per-node", type=float, help="for a file: demand one node serves (default: mean / 20)")
    command.add_argument("--lead-time-min", type=float, default=10, help="for a file: until an ordered node serves")
    command.add_argument("--slo", type=float, default=0.99, help="for a file: share of intervals to serve")
    command.set_defaults(run=_evaluate)
    command = commands.add_parser("status", parents=[shared], help="which models there are, and which serves")
    command.set_defaults(run=_status)
    command = commands.add_parser("promote", parents=[shared], help="let a published version serve")
    command.add_argument("--version", required=True, help="as `status` shows it")
    command.add_argument("--reason", default="promoted by hand")
    command.set_defaults(run=_promote)
    command = commands.add_parser("rollback", parents=[shared], help="let the version before the present one serve")
    command.add_argument("--from-version", required=True, help="the one that serves, as `status` shows it")
    command.add_argument("--reason", default="rolled back by hand")
    command.set_defaults(run=_rollback)
    return parser


def _fit(options: argparse.Namespace) -> int:
    """Train each pool; one that cannot be trained does not stop the others, but the exit code tells."""
    settings = load_settings()
    chosen = pools(settings, options.pool or ())
    run_id = options.run_id or new_run_id(clock_of(settings)(), "by-hand")
    with show_progress("training") as progress:
        train_options = TrainOptions(force=options.force, quick=options.quick, progress=progress)
        run = job_of(settings).run(chosen, run_id=run_id, options=train_options)
    if options.json:
        show_json(run.model_dump(mode="json"))
    else:
        rows = [
            {"pool": name, "outcome": result.stage.value, "version": result.version, "why": result.why}
            for name, result in run.pools.items()
        ]
        show_table(rows, title="Trained")
    unwilling = options.run_id == "" and any(result.stage is PoolStage.REFUSED for result in run.pools.values())
    return FAILED if is_failed(run) or unwilling else 0


def _evaluate(options: argparse.Namespace) -> int:
    """Show how every family would have done, on a file or on each pool's history."""
    scores: list[dict[str, object]] = []
    for pool, history in _to_evaluate(options):
        with show_progress(pool.name) as progress:
            competition = compete(pool, history, progress=progress)
        if competition is None:
            msg = f"{pool.name}: {len(history)} intervals are too few to judge on ({MIN_INTERVALS} are needed)"
            raise TrainingRefused(msg)
        winner, _ = best_of(competition.evaluations, slo=_slo_of(pool))
        scores += [
            {"pool": pool.name, "family": one.name, "best": one is winner, **one.scores}
            for one in competition.evaluations
        ]
    if options.json:
        show_json(scores)
    else:
        names = {"family": "family", "best": "best", "attained": "attained", "misses": "misses", "cost": "cost"}
        names |= {"node_hours": "node-hours", "pinball_50": "pb .5", "pinball_90": "pb .9", "pinball_99": "pb .99"}
        for name in dict.fromkeys(row["pool"] for row in scores):
            rows = [{short: row[key] for key, short in names.items()} for row in scores if row["pool"] == name]
            show_table(rows, title=f"{name}: walk-forward over {scores[0]['scored_intervals']:,.0f} intervals")
    return 0


def _to_evaluate(options: argparse.Namespace) -> list[tuple[Pool, History]]:
    if options.demand is not None:
        history = demand_file(options.demand)
        figures = Figures(units_per_node=options.units_per_node, lead_time_min=options.lead_time_min, slo=options.slo)
        return [(pool_for(history, figures, path=options.demand), history)]
    settings = load_settings()
    now_utc = clock_of(settings)()
    chosen = [pool for pool in pools(settings, options.pool or ()) if isinstance(pool.sizing, CapacitySizing)]
    if not chosen:
        msg = "no pool chosen is sized by capacity: only those can be judged by nodes and misses"
        raise ConfigurationError(msg)
    return [(pool, training_history(blobs_of(settings), pool, now_utc=now_utc)) for pool in chosen]


def _slo_of(pool: Pool) -> float:
    return pool.sizing.slo if isinstance(pool.sizing, CapacitySizing) else 1.0


def _status(options: argparse.Namespace) -> int:
    settings = load_settings()
    store = ModelStore(blobs_of(settings))
    rows = []
    for pool in pools(settings, options.pool or ()):
        pointed = store.pointer(pool.name)
        serving = pointed[0].version if pointed else None
        rows += [
            {"serves": version == serving, **store.card(pool.name, version).model_dump(mode="json")}
            for version in store.versions(pool.name)
        ]
    if options.json:
        show_json(rows)
    else:
        chosen = ("serves", "pool", "version", "family", "size_bytes", "reason")
        show_table([{key: row[key] for key in chosen} for row in rows], title="Models")
    return 0


def _promote(options: argparse.Namespace) -> int:
    settings = load_settings()
    pool = _one_pool(settings, options.pool)
    store, now_utc = ModelStore(blobs_of(settings)), clock_of(settings)()
    pointer = store.promote(pool.name, options.version, now_utc=now_utc, reason=options.reason)
    show_json(pointer.model_dump(mode="json"))
    return 0


def _rollback(options: argparse.Namespace) -> int:
    settings = load_settings()
    pool = _one_pool(settings, options.pool)
    store, now_utc = ModelStore(blobs_of(settings)), clock_of(settings)()
    version = options.from_version
    pointer = roll_back(store, pool.name, from_version=version, now_utc=now_utc, reason=options.reason)
    show_json(pointer.model_dump(mode="json"))
    return 0


def _one_pool(settings: Settings, names: Sequence[str] | None) -> Pool:
    if names is None or len(set(names)) != 1:
        msg = "say which pool, and one only: --pool NAME"
        raise ConfigurationError(msg)
    return pools(settings, names)[0]


if __name__ == "__main__":
    sys.exit(main())
