"""``python -m scaler``: run a tick, look at pools, explain a decision, replay history."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from scaler.explain import explain
from scaler.preflight import PoolCheck, check_pools
from scaler.record import Record
from scaler.replay.from_file import Figures, demand_file, pool_for
from scaler.replay.replay import replay
from scaler.replay.report import rows, scorecard, write_steps
from scaler.stores import DecisionLog
from scaler.wiring import fan_out_of, node_pools_of, now, pool_inspector_of
from shared.cli import run_command, show_json, show_progress, show_table
from shared.errors import CloudError, ConfigurationError
from shared.forecasting.eligibility import fit_preferred
from shared.settings import load_settings
from shared.version import VERSION
from shared.wiring import blobs_of, pools


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    options = _parser().parse_args(arguments)
    return run_command(lambda: int(options.run(options)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scaler", description="Size node pools ahead of demand.")
    parser.add_argument("--version", action="version", version=f"forescale {VERSION}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    machine = argparse.ArgumentParser(add_help=False)
    machine.add_argument("--json", action="store_true", help="for machines")
    one = argparse.ArgumentParser(add_help=False)
    one.add_argument("--pool", help="only this pool (default: all in the pools file)")

    command = commands.add_parser("tick", parents=[machine, one], help="forecast, decide and size once, as the timer")
    command.set_defaults(run=_tick)
    command = commands.add_parser("pools", parents=[machine], help="the pools as they are now")
    command.add_argument("action", nargs="?", choices=["check"], help="check: what Forescale may do, before it acts")
    command.set_defaults(run=_pools)
    command = commands.add_parser("explain", parents=[machine, one], help="why the latest decision is what it is")
    command.set_defaults(run=_explain)
    command = commands.add_parser("replay", parents=[machine], help="what past demand would have cost, and missed")
    command.add_argument("demand", type=Path, help="a CSV file with timestamp,demand")
    command.add_argument("--units-per-node", type=float, help="demand one node serves (default: mean demand / 20)")
    command.add_argument("--lead-time-min", type=float, default=10, help="minutes until an ordered node serves")
    command.add_argument("--slo", type=float, default=0.99, help="share of intervals to serve")
    command.add_argument("--evaluate-from", type=float, default=0.5, help="share of the history before scoring")
    command.add_argument("--step-out", type=Path, help="write a row for each scored interval here")
    command.set_defaults(run=_replay)
    return parser


def _tick(options: argparse.Namespace) -> int:
    settings = load_settings()
    records = fan_out_of(settings).run(pools(settings, _named(options.pool)), now_utc=now(settings))
    if options.json:
        show_json([record.fields() for record in records])
    else:
        show_table([_row(record) for record in records], title="Decisions")
    return 0


def _pools(options: argparse.Namespace) -> int:
    settings = load_settings()
    if options.action == "check":
        return _check(check_pools(pools(settings), pool_inspector_of(settings)), as_json=options.json)
    node_pools = node_pools_of(settings)
    rows = []
    for pool in pools(settings):
        try:
            state = node_pools.read(pool)
            shown: dict[str, object] = {
                "nodes": state.nodes,
                "scaled_field": state.scaled_field.value,
                "configured_nodes": state.configured_nodes,
                "state": state.provisioning.value,
            }
        except CloudError as exc:
            shown = {"nodes": None, "scaled_field": None, "configured_nodes": None, "state": str(exc)}
        rows.append(
            {"pool": pool.name, "mode": pool.mode.value, **shown, "limits": f"{pool.min_nodes}-{pool.max_nodes}"}
        )
    if options.json:
        show_json(rows)
    else:
        show_table(rows, title="Pools")
    return 0


def _check(checks: Sequence[PoolCheck], *, as_json: bool) -> int:
    """Show the checks; the exit code is 1 if a pool could not act."""
    if as_json:
        show_json([checked.fields() for checked in checks])
    else:
        show_table([checked.row() for checked in checks], title="What Forescale may do")
        findings: list[dict[str, object]] = [
            {"pool": checked.pool.name, "": found.severity.value, "finding": found.message}
            for checked in checks
            for found in checked.findings
        ]
        show_table(findings, title="Findings")
    return 0 if all(checked.can_act for checked in checks) else 1


def _explain(options: argparse.Namespace) -> int:
    settings = load_settings()
    log = DecisionLog(blobs_of(settings))
    for pool in pools(settings, _named(options.pool)):
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
        for line in explain(record):
            print(f"  {line}")  # noqa: T201 - a command line speaks
    return 0


def _replay(options: argparse.Namespace) -> int:
    """Replay a demand file, refitting as it goes."""
    history = demand_file(options.demand)
    figures = Figures(units_per_node=options.units_per_node, lead_time_min=options.lead_time_min, slo=options.slo)
    pool = pool_for(history, figures, path=options.demand)
    with show_progress("replaying") as progress:
        replayed = replay(
            history,
            pool,
            fit=lambda pool, past: fit_preferred(pool, past).model,
            evaluate_from=options.evaluate_from,
            progress=progress,
        )
    card = scorecard(replayed, history, slo=options.slo)
    if options.step_out is not None:
        write_steps(options.step_out, replayed, history)
    if options.json:
        show_json(card)
    else:
        title = f"{options.demand}: SLO {options.slo:g}, {card['units_per_node']:.6g} units a node"
        show_table(rows(card), title=title)
    return 0


def _named(name: str | None) -> tuple[str, ...]:
    return (name,) if name else ()


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
