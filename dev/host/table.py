"""Shows decisions as they fall, a line each, with their reasons; reads the same JSON lines that Azure Monitor gets."""

import json
import logging
import threading
from datetime import datetime
from typing import Any

from rich.console import Console

from shared.telemetry import Event

ROWS_BETWEEN_HEADERS = 20
BAR_CELLS = 24


class DecisionTable(logging.Handler):
    """Prints a row for each ``scale_decision``; of other events what a person should see."""

    def __init__(self, out: Console) -> None:
        super().__init__()
        self._out = out
        self._rows = 0
        self._most_nodes = 1
        self._lock = threading.Lock()

    def emit(self, record: logging.LogRecord) -> None:
        """Show one telemetry line."""
        fields = json.loads(record.getMessage())
        with self._lock:
            if fields["event"] == Event.SCALE_DECISION:
                self._show(fields)
            elif fields["event"] != Event.RESIZE_OUTCOME or record.levelno > logging.INFO:
                style = "red" if record.levelno >= logging.ERROR else "dim"
                shown = ", ".join(f"{key} {value}" for key, value in fields.items() if key not in {"event", "run_id"})
                self._out.print(f"  {fields['event']}: {shown}", style=style, markup=False, highlight=False)

    def _show(self, fields: dict[str, Any]) -> None:
        if self._rows % ROWS_BETWEEN_HEADERS == 0:
            header = f"{'time (UTC)':16}  {'pool':12}  {'demand':>10}  {'expected … at most':>21}  {'nodes':>9}  "
            self._out.print(
                f"{header}{'':{BAR_CELLS}}  why", style="bold", markup=False, highlight=False, soft_wrap=True
            )
        self._rows += 1
        before, after = fields["current_nodes"], fields["desired_nodes"]
        self._most_nodes = max(self._most_nodes, before, after)
        bar = "█" * round(after / max(1.0, self._most_nodes / BAR_CELLS))
        moved = f"{before} → {after}" if before != after else f"{after}"
        line = (
            f"{datetime.fromisoformat(fields['at']):%Y-%m-%d %H:%M}  {fields['pool']:12.12}  "
            f"{_number(fields['numbers'].get('demand')):>10}  {_expected(fields['forecast']):>21}  {moved:>9}  "
            f"{bar:{BAR_CELLS}}  {', '.join(fields['reasons'])}"
        )
        style = "green" if after > before else "cyan" if after < before else ""
        self._out.print(line, style=style, markup=False, highlight=False, soft_wrap=True)
        for note in fields["notes"]:
            self._out.print(f"{'':18}{note}", style="yellow", markup=False, highlight=False, soft_wrap=True)


def _expected(forecast: dict[str, Any] | None) -> str:
    """The middle and the 99 % quantile of the last interval forecast: the one that an order made now first serves."""
    if forecast is None:
        return "-"
    middle, high = forecast["q0.5"][-1], forecast["q0.99"][-1]
    return _number(middle) if middle == high else f"{_number(middle)} … {_number(high)}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.4g}" if abs(value) < 10_000 else f"{value:,.0f}"  # noqa: PLR2004
