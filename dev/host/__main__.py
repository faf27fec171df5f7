"""The quick start, ``make run``: make a world, train, publish, then run the function app in it."""

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from dev.host.serve import ServeOptions, load_app, serve
from dev.host.table import DecisionTable
from dev.host.world import World, open_world
from shared.errors import ForescaleError
from shared.version import VERSION

EVERY_SECOND = "* * * * * *"
HOURLY = "0 15 * * * *"
TICKS_OF_ONCE = 20
REFUSED = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the quick start; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m dev.host", description=__doc__)
    parser.add_argument("--version", action="version", version=f"forescale {VERSION}")
    parser.add_argument("--data", type=Path, help="a CSV file with timestamp,demand, or the workshop's log_data.pkl")
    parser.add_argument("--once", action="store_true", help=f"stop after {TICKS_OF_ONCE} ticks")
    parser.add_argument("--ticks", type=int, metavar="N", help="stop after N ticks")
    parser.add_argument("--port", type=int, default=7071, help="0 takes any free port")
    parser.add_argument("--dir", type=Path, default=Path(".forescale"), help="where worlds are kept")
    options = parser.parse_args(arguments)
    out = Console()
    try:
        return _run(options, out)
    except ForescaleError as exc:
        Console(stderr=True).print(f"error: {exc}", style="red", markup=False, highlight=False, soft_wrap=True)
        return REFUSED


def _run(options: argparse.Namespace, out: Console) -> int:
    def say(line: str) -> None:
        out.print(line, markup=False, highlight=False, soft_wrap=True)

    world = open_world(options.dir, options.data, say=say)
    say(world.story)
    _enter(world)
    _show_decisions(out)
    wanted = options.ticks or (TICKS_OF_ONCE if options.once else world.ticks_left)
    ticks = min(wanted, world.ticks_left)
    code = serve(
        lambda: load_app("function_app:app"),
        ServeOptions(port=options.port, state_dir=world.directory),
        max_runs={"scale": ticks},
        out=out,
    )
    if ticks == world.ticks_left:
        say("The demand has been replayed to its end; `make run` again starts the replay anew.")
    return code


def _enter(world: World) -> None:
    """Set the app settings for this world, in place of any that the shell has."""
    for name in [name for name in os.environ if name.startswith("FORESCALE_")]:
        del os.environ[name]
    os.environ["FORESCALE_BACKEND"] = "local"
    os.environ["FORESCALE_LOCAL_DIR"] = str(world.directory)
    os.environ["FORESCALE_SCHEDULE"] = EVERY_SECOND
    os.environ["FORESCALE_WATCH_SCHEDULE"] = HOURLY


def _show_decisions(out: Console) -> None:
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    telemetry = logging.getLogger("forescale")
    telemetry.setLevel(logging.INFO)
    telemetry.propagate = False
    telemetry.addHandler(DecisionTable(out))


if __name__ == "__main__":
    sys.exit(main())
