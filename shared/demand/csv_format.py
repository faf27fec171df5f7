"""Demand as CSV text: ``timestamp`` and one column a signal, ISO 8601 UTC, empty where unknown."""

import csv
import io
import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from shared.demand.history import History, history_from_rows
from shared.errors import DemandError

if TYPE_CHECKING:
    from _csv import Reader as _Reader


class DemandRows(NamedTuple):
    """What a demand file says, row by row, not yet laid on a grid."""

    signals: tuple[str, ...]
    rows: list[tuple[datetime, list[float]]]


def read_demand_csv(text: str, *, name: str, step: timedelta | None = None, unit: str = "") -> History:
    """Parse a whole demand file; ``name`` is what error messages call it.

    The header is ``timestamp,<signal>[,<signal>…]``, the first signal is the demand; a stamp without a zone is UTC.
    Raises :class:`DemandError` naming the file, the line and the value.
    """
    signals, rows = read_demand_rows(text, name=name)
    try:
        return history_from_rows(rows, signals=signals, step=step, unit=unit)
    except DemandError as exc:
        msg = f"{name}: {exc}"
        raise DemandError(msg) from exc


def read_demand_rows(text: str, *, name: str) -> DemandRows:
    """Parse a file that may be a part of a history: one row is enough, since its neighbours give the step."""
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=None))
    try:
        return _read(reader, name=name)
    except csv.Error as exc:
        msg = f"{name}, line {reader.line_num}: {exc}"
        raise DemandError(msg) from exc


def _read(reader: "_Reader", *, name: str) -> DemandRows:
    header = [cell.strip() for cell in next(reader, [])]
    if len(header) < 2 or header[0] != "timestamp":  # noqa: PLR2004 - a stamp and a value
        msg = f"{name}: the first line must be 'timestamp,demand', got {','.join(header)!r}"
        raise DemandError(msg)
    rows = [
        (_instant(row[0], name, line), _values(row[1:], header[1:], name, line))
        for line, row in enumerate(reader, start=2)
        if row
    ]
    return DemandRows(tuple(header[1:]), rows)


def write_demand_csv(history: History) -> str:
    """Write what :func:`read_demand_csv` reads; values keep all their digits."""
    lines = [",".join(("timestamp", *history.signals))]
    for index, row in enumerate(history.values.tolist()):
        stamp = history.instant(index).isoformat().replace("+00:00", "Z")
        cells = ("" if math.isnan(value) else repr(value) for value in row)
        lines.append(",".join((stamp, *cells)))
    return "\n".join(lines) + "\n"


def _instant(cell: str, name: str, line: int) -> datetime:
    try:
        instant = datetime.fromisoformat(cell.strip())
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        msg = f"{name}, line {line}: {cell!r} is not an ISO 8601 timestamp (such as 2026-11-22T06:00:00Z)"
        raise DemandError(msg) from exc


def _values(cells: list[str], signals: list[str], name: str, line: int) -> list[float]:
    if len(cells) != len(signals):
        msg = f"{name}, line {line}: expected {len(signals) + 1} columns, got {len(cells) + 1}"
        raise DemandError(msg)
    return [_value(cell, signal, f"{name}, line {line}") for cell, signal in zip(cells, signals, strict=True)]


def _value(cell: str, signal: str, where: str) -> float:
    if not cell.strip():
        return math.nan
    try:
        value = float(cell)
    except ValueError as exc:
        msg = f"{where}: {signal} is {cell!r}, which is not a number (leave it empty where it is unknown)"
        raise DemandError(msg) from exc
    if not math.isfinite(value) or value < 0:
        msg = f"{where}: {signal} is {cell!r}: demand must be finite and not negative (leave it empty where unknown)"
        raise DemandError(msg)
    return value
