"""Demand kept as blobs: daily CSV files that a collector adds to, one CSV file, or the workshop's log."""

import threading
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import numpy as np

from shared.demand_csv import read_demand_csv
from shared.errors import BlobNotFound, CloudError, DemandError, DemandUnavailable
from shared.pools import BlobDemand
from shared.ports import Blobs
from shared.series import History, history_from_rows
from shared.workshop_log import read_workshop_log

DAYS_KEPT = 29
"""Daily files that a tick looks at: four weeks and today; training reads all of them."""


class _Parsed(NamedTuple):
    etag: str
    history: History


class BlobDemandSource:
    """``scaler.ports.DemandSource`` over blobs; a file that did not change is neither downloaded nor parsed again."""

    def __init__(self, blobs: Blobs, demand: BlobDemand, *, pool: str, days: int | None = DAYS_KEPT) -> None:
        self._blobs = blobs
        self._demand = demand
        self._folder = f"history/{pool}/"
        self._days = days
        self._parsed: dict[str, _Parsed] = {}
        self._lock = threading.Lock()

    def history(self, now_utc: datetime) -> History:
        """See :meth:`scaler.ports.DemandSource.history`."""
        with self._lock:
            known = self._all().until(now_utc).trimmed()
        if not len(known):
            where = self._demand.path or self._folder
            msg = f"{where} holds no demand for an interval that is complete at {now_utc.isoformat()}"
            raise DemandError(msg)
        return known

    def _all(self) -> History:
        if self._demand.path is not None:
            return self._file(self._demand.path)
        try:
            names = [name for name in self._blobs.names(self._folder) if name.endswith(".csv")]
        except CloudError as exc:
            raise DemandUnavailable(str(exc)) from exc
        if not names:
            msg = f"there is no demand: {self._folder} holds no <date>.csv (or set demand.path in the pools file)"
            raise DemandError(msg)
        return _joined([self._file(name) for name in names[-self._days if self._days else 0 :]])

    def _file(self, name: str) -> History:
        held = self._parsed.get(name)
        try:
            blob = self._blobs.read(name, unless_etag=held.etag if held else None)
        except BlobNotFound as exc:
            raise DemandError(str(exc)) from exc
        except CloudError as exc:
            raise DemandUnavailable(str(exc)) from exc
        if blob is None and held is not None:
            return held.history
        assert blob is not None  # noqa: S101 - only a held tag can be unchanged
        history = self._parse(name, blob.data, blob.modified_at)
        self._parsed[name] = _Parsed(blob.etag, history)
        return history

    def _parse(self, name: str, data: bytes, modified_at: datetime) -> History:
        if name.endswith(".pkl"):
            today = modified_at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
            return read_workshop_log(data, end_utc=today, name=name)
        try:
            text = data.decode()
        except UnicodeDecodeError as exc:
            msg = f"{name} is no UTF-8 text (byte {exc.start}): write the demand as 'timestamp,demand' lines"
            raise DemandError(msg) from exc
        step = timedelta(minutes=self._demand.step_min) if self._demand.step_min else None
        return read_demand_csv(text, name=name, step=step, unit=self._demand.unit)


def _joined(parts: list[History]) -> History:
    """Lay daily files behind one another; they must agree on signals and step."""
    first = parts[0]
    rows = [(part.instant(index), row) for part in parts for index, row in enumerate(part.values.tolist())]
    for part in parts:
        if part.signals != first.signals:
            msg = f"the daily files disagree on their columns: {first.signals} and {part.signals}"
            raise DemandError(msg)
    joined = history_from_rows(rows, signals=first.signals, unit=first.unit)
    return joined if np.isfinite(joined.demand).any() else joined.first(0)
