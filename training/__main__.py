"""``python -m training``: fit, promote, roll back, tell how the models stand. A training job runs the same."""

import argparse
import sys
from collections.abc import Sequence

from scaler.blob_demand import BlobDemandSource
from shared.command_line import guarded, show_json, show_table
from shared.errors import ConfigurationError
from shared.model_card import ModelCard
from shared.model_store import ModelStore
from shared.pools import POOLS_FILE, BlobDemand, Pool, read_pools
from shared.ports import read_whole
from shared.settings import Settings, load_settings
from shared.wiring import blobs_of, clock_of
from training.fit import fit, publish


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

    command = commands.add_parser("fit", parents=[shared], help="fit a model, publish it, let it serve")
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
    store, now_utc = ModelStore(blobs_of(settings)), clock_of(settings)()
    cards = []
    for pool in _pools(settings, options.pool):
        demand = pool.demand if isinstance(pool.demand, BlobDemand) else BlobDemand(source="blob")
        source = BlobDemandSource(blobs_of(settings), demand, pool=pool.name, days=None)
        history = source.history(now_utc)
        card = publish(store, pool, history, fit(pool, history), now_utc=now_utc)
        store.promote(pool.name, card.version, now_utc=now_utc, reason=card.reason or "fitted on the latest history")
        cards.append(card)
    _show(cards, options, title="Published")
    return 0


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
    pointed = store.pointer(pool.name)
    if pointed is None or pointed[0].previous is None:
        msg = f"pool {pool.name!r} has no version before the present one to roll back to"
        raise ConfigurationError(msg)
    pointer = store.promote(pool.name, pointed[0].previous, now_utc=now_utc, reason=options.reason)
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


def _show(cards: Sequence[ModelCard], options: argparse.Namespace, *, title: str) -> None:
    if options.json:
        show_json([card.model_dump(mode="json") for card in cards])
        return
    rows = [
        {
            "pool": card.pool,
            "version": card.version,
            "family": card.family.value,
            "intervals": card.training.intervals,
            "bytes": card.size_bytes,
            "scores": ", ".join(f"{name} {score:.4f}" for name, score in card.scores.items()),
        }
        for card in cards
    ]
    show_table(rows, title=title)


if __name__ == "__main__":
    sys.exit(main())
