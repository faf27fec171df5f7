"""``python -m training``: fit, promote, roll back, tell how the models stand. A training job runs the same."""

import argparse
import sys
from collections.abc import Sequence

from shared.command_line import FAILED, guarded, show_json, show_table
from shared.errors import ConfigurationError
from shared.model_store import ModelStore
from shared.pools import POOLS_FILE, Pool, read_pools
from shared.ports import read_whole
from shared.settings import Settings, load_settings
from shared.wiring import blobs_of, clock_of
from training.job import is_failed
from training.promotion import rolled_back
from training.retraining import new_run_id
from training.wiring import job_of, pools_named


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    options = _parser().parse_args(arguments)
    return guarded(lambda: int(options.run(options)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description="Make, judge and publish models.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--pool", help="only this pool (default: all in the pools file)")
    shared.add_argument("--json", action="store_true", help="for machines")

    command = commands.add_parser("fit", help="fit a model, judge it, let it serve if it is better")
    command.add_argument("--pool", action="append", default=[], dest="pools", help="this pool (may be repeated)")
    command.add_argument("--run-id", default="", help="name of the run, as retraining chose it")
    command.add_argument("--force", action="store_true", help="let it serve even if it is not better")
    command.add_argument("--json", action="store_true", help="for machines")
    command.set_defaults(run=_fit)
    command = commands.add_parser("status", parents=[shared], help="which models there are, and which serves")
    command.set_defaults(run=_status)
    command = commands.add_parser("promote", parents=[shared], help="let a published version serve")
    command.add_argument("--version", required=True, help="as `status` shows it")
    command.add_argument("--reason", default="promoted by hand")
    command.set_defaults(run=_promote)
    command = commands.add_parser("rollback", parents=[shared], help="let the version before the present one serve")
    command.add_argument("--reason", default="rolled back by hand")
    command.set_defaults(run=_rollback)
    return parser


def _fit(options: argparse.Namespace) -> int:
    settings = load_settings()
    pools = pools_named(settings, tuple(options.pools))
    run_id = options.run_id or new_run_id(clock_of(settings)(), "by-hand")
    told = job_of(settings).run(pools, run_id=run_id, force=options.force)
    if options.json:
        show_json(told.model_dump(mode="json"))
    else:
        rows = [
            {"pool": name, "outcome": result.stage.value, "version": result.version, "why": result.why}
            for name, result in told.pools.items()
        ]
        show_table(rows, title="Trained")
    return FAILED if is_failed(told) else 0


def _status(options: argparse.Namespace) -> int:
    settings = load_settings()
    store = ModelStore(blobs_of(settings))
    rows = []
    for pool in _pools(settings, options.pool):
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
    pointer = rolled_back(store, pool.name, now_utc=now_utc, reason=options.reason)
    show_json(pointer.model_dump(mode="json"))
    return 0


def _pools(settings: Settings, name: str | None) -> list[Pool]:
    pools = read_pools(read_whole(blobs_of(settings), POOLS_FILE).data)
    chosen = [pool for pool in pools if name in {None, pool.name}]
    if not chosen:
        msg = f"{POOLS_FILE} has no pool {name!r}; it has {', '.join(pool.name for pool in pools)}"
        raise ConfigurationError(msg)
    return chosen


def _one_pool(settings: Settings, name: str | None) -> Pool:
    if name is None:
        msg = "say which pool: --pool NAME"
        raise ConfigurationError(msg)
    return _pools(settings, name)[0]


if __name__ == "__main__":
    sys.exit(main())
