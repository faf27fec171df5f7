"""What both command lines share: one clear line for an operator's mistake, tables for people, JSON for machines."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from shared.errors import ForescaleError

FAILED = 1
INTERRUPTED = 130


def run_command(command: Callable[[], int]) -> int:
    """Run a command and return its exit code; an error of ours is one line on standard error, without a traceback."""
    try:
        return command()
    except ForescaleError as exc:
        print(f"error: {exc}", file=sys.stderr)  # noqa: T201 - a command line speaks
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED


def show_json(value: Any) -> None:  # noqa: ANN401 - whatever json can say
    """Print a value as indented JSON."""
    print(json.dumps(value, indent=2, default=str, allow_nan=False))  # noqa: T201 - a command line speaks


def show_table(rows: Sequence[Mapping[str, object]], *, title: str = "", out: Console | None = None) -> None:
    """Print rows as a table; the first row's keys are its columns, numbers stand to the right."""
    console = out or Console()
    if not rows:
        console.print(f"{title}: nothing")
        return
    table = Table(title=title or None, title_justify="left")
    for column, value in rows[0].items():
        table.add_column(column, justify="right" if isinstance(value, int | float) else "left")
    for row in rows:
        table.add_row(*(_format(value) for value in row.values()))
    console.print(table)


@contextmanager
def show_progress(doing: str) -> Iterator[Callable[[int, int, str], None]]:
    """Show a bar on standard error while the block runs.

    It yields a function that takes how much is done, how much there is, and what is being done.
    """
    with Progress(*Progress.get_default_columns(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(doing, total=None)

        def update(done: int, total: int, now_doing: str) -> None:
            bar.update(task, completed=done, total=total, description=f"{doing}: {now_doing}")

        yield update


def _format(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:,.4g}" if isinstance(value, float) else str(value)
