"""``python -m scaler``: run a tick, look at pools, explain a decision, replay history."""

import argparse
import sys
from collections.abc import Sequence

from scaler.explain import explained
from scaler.record import DecisionLog, Record
from scaler.wiring import node_pools_of, now, pools_of, tick_of
from shared.command_line import guarded, show_json, show_table
from shared.errors import CloudError, ConfigurationError
from shared.pools import Pool
from shared.settings import load_settings
from shared.wiring import blobs_of


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    options = _parser().parse_args(arguments)
    return guarded(lambda: int(options.run(options)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scaler", description="Size node pools ahead of demand.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    machine = argparse.ArgumentParser(add_help=False)
    machine.add_argument("--json", action="store_true", help="for machines")
    one = argparse.ArgumentParser(add_help=False)
    one.add_argument("--pool", help="only this pool (default: all in the pools file)")

    command = commands.add_parser("tick", parents=[machine, one], help="forecast, decide and size once, as the timer")
    command.set_defaults(run=_tick)
    command = commands.add_parser("pools", parents=[machine], help="the pools as they are now")
    command.set_defaults(run=_pools)
    command = commands.add_parser("explain", parents=[machine, one], help="why the latest decision is what it is")
    command.set_defaults(run=_explain)
    return parser


def _tick(options: argparse.Namespace) -> int:
    settings = load_settings()
    records = tick_of(settings).run(_chosen(pools_of(settings), options.pool), now_utc=now(settings))
    if options.json:
        show_json([record.fields() for record in records])
    else:
        show_table([_row(record) for record in records], title="Decisions")
    return 0


def _pools(options: argparse.Namespace) -> int:
    settings = load_settings()
    node_pools = node_pools_of(settings)
    rows = []
    for pool in pools_of(settings):
        try:
            state = node_pools.read(pool)
            told: dict[str, object] = {
                "nodes": state.nodes,
                "lever": state.lever.value,
                "setting": state.setting,
                "state": state.provisioning.value,
            }
        except CloudError as exc:
            told = {"nodes": None, "lever": None, "setting": None, "state": str(exc)}
        rows.append(
            {"pool": pool.name, "mode": pool.mode.value, **told, "limits": f"{pool.min_nodes}-{pool.max_nodes}"}
        )
    if options.json:
        show_json(rows)
    else:
        show_table(rows, title="Pools")
    return 0


def _explain(options: argparse.Namespace) -> int:
    settings = load_settings()
    log = DecisionLog(blobs_of(settings))
    for pool in _chosen(pools_of(settings), options.pool):
        days = log.days(pool.name)
        if not days:
            msg = f"pool {pool.name!r} has no decisions yet: run a tick first"
            raise ConfigurationError(msg)
        record = log.of_day(pool.name, days[-1])[-1]
        if options.json:
            show_json(record)
            continue
        change = f"{record['current_nodes']} → {record['desired_nodes']} nodes"
        print(f"{record['pool']} at {record['at']}: {change}")  # noqa: T201 - a command line speaks
        for line in explained(record):
            print(f"  {line}")  # noqa: T201 - a command line speaks
    return 0


def _chosen(pools: Sequence[Pool], name: str | None) -> list[Pool]:
    chosen = [pool for pool in pools if name in {None, pool.name}]
    if not chosen:
        msg = f"there is no pool {name!r} in the pools file; it has {', '.join(pool.name for pool in pools)}"
        raise ConfigurationError(msg)
    return chosen


def _row(record: Record) -> dict[str, object]:
    decision = record.decision
    return {
        "pool": decision.pool,
        "nodes": decision.current_nodes,
        "desired": decision.desired_nodes,
        "applied": record.applied,
        "reasons": ", ".join(reason.value for reason in record.reasons),
    }


if __name__ == "__main__":
    sys.exit(main())
