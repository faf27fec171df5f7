"""Demand kept as blobs: daily CSV files that a collector adds to, one CSV file, or the workshop's log."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from shared.demand.csv_format import DemandRows, read_demand_csv, read_demand_rows
from shared.demand.history import History, history_from_rows
from shared.demand.workshop_log import read_workshop_log
from shared.errors import BlobNotFound, CloudError, DemandError, DemandUnavailable
from shared.pools import BlobDemand, Pool
from shared.ports import Blob, Blobs

DAYS_KEPT = 29
"""Daily files that a tick looks at: four weeks and today; training reads all of them."""


class _Parsed(NamedTuple):
    etag: str
    content: History | DemandRows


class BlobDemandSource:
    """``DemandSource`` over blobs; a file that did not change is neither downloaded nor parsed again."""

    def __init__(self, blobs: Blobs, demand: BlobDemand, *, pool: str, days: int | None = DAYS_KEPT) -> None:
        self._blobs = blobs
        self._demand = demand
        self._folder = f"history/{pool}/"
        self._days = days
        self._parsed: dict[str, _Parsed] = {}
        self._lock = threading.Lock()

    def history(self, now_utc: datetime) -> History:
        """See :meth:`shared.demand.source.DemandSource.history`."""
        with self._lock:
            known = self._all().until(now_utc).trimmed()
        if not len(known):
            where = self._demand.path or self._folder
            msg = f"{where} holds no demand for an interval that is complete at {now_utc.isoformat()}"
            raise DemandError(msg)
        return known

    def _all(self) -> History:
        if self._demand.path is not None:
            whole = self._file(self._demand.path, self._parse)
            assert isinstance(whole, History)  # noqa: S101 - as parsed
            return whole
        try:
            names = [name for name in self._blobs.names(self._folder) if name.endswith(".csv")]
        except CloudError as exc:
            raise DemandUnavailable(str(exc)) from exc
        if not names:
            msg = f"there is no demand: {self._folder} holds no <date>.csv (or set demand.path in the pools file)"
            raise DemandError(msg)
        parts = [self._file(name, _rows) for name in names[-self._days if self._days else 0 :]]
        try:
            return self._joined([part for part in parts if isinstance(part, DemandRows)])
        except DemandError as exc:
            msg = f"{self._folder}: {exc}"
            raise DemandError(msg) from exc

    def _file(self, name: str, parse: Callable[[str, Blob], History | DemandRows]) -> History | DemandRows:
        held = self._parsed.get(name)
        try:
            blob = self._blobs.read_if_changed(name, held.etag) if held else self._blobs.read(name)
        except BlobNotFound as exc:
            raise DemandError(str(exc)) from exc
        except CloudError as exc:
            raise DemandUnavailable(str(exc)) from exc
        if blob is None and held is not None:
            return held.content
        assert blob is not None  # noqa: S101 - only a held tag can be unchanged
        content = parse(name, blob)
        self._parsed[name] = _Parsed(blob.etag, content)
        return content

    def _parse(self, name: str, blob: Blob) -> History:
        if name.endswith(".pkl"):
            today = blob.modified_at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
            return read_workshop_log(blob.data, end_utc=today, name=name)
        return read_demand_csv(_text(name, blob), name=name, step=self._step, unit=self._demand.unit)

    def _joined(self, parts: list[DemandRows]) -> History:
        """Lay daily files behind one another; they must agree on their columns."""
        signals = parts[0].signals
        for part in parts:
            if part.signals != signals:
                msg = f"the daily files disagree on their columns: {signals} and {part.signals}"
                raise DemandError(msg)
        rows = [row for part in parts for row in part.rows]
        return history_from_rows(rows, signals=signals, step=self._step, unit=self._demand.unit)

    @property
    def _step(self) -> timedelta | None:
        return timedelta(minutes=self._demand.step_min) if self._demand.step_min else None


def training_history(blobs: Blobs, pool: Pool, *, now_utc: datetime) -> History:
    """Return everything known at ``now_utc``: the pool's blobs, or what the scaler kept of a live source.

    Raises :class:`shared.errors.DemandError`.
    """
    demand = pool.demand if isinstance(pool.demand, BlobDemand) else BlobDemand(source="blob")
    return BlobDemandSource(blobs, demand, pool=pool.name, days=None).history(now_utc)


def _rows(name: str, blob: Blob) -> DemandRows:
    return read_demand_rows(_text(name, blob), name=name)


def _text(name: str, blob: Blob) -> str:
    try:
        return blob.data.decode()
    except UnicodeDecodeError as exc:
        msg = f"{name} is not UTF-8 text (byte {exc.start}): write the demand as 'timestamp,demand' lines"
        raise DemandError(msg) from exc
