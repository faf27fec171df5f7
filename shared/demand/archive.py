"""Keeps what a live demand source answered, a CSV file a day: training reads it, long after the source forgot it."""

import hashlib
import logging
import math
from datetime import datetime, timedelta

import numpy as np

from shared.demand.csv_format import read_demand_csv, write_demand_csv
from shared.demand.history import History, history_from_rows
from shared.demand.source import DemandSource
from shared.errors import BlobChanged, BlobNotFound, CloudError, DemandError
from shared.ports import Blobs

logger = logging.getLogger(__name__)

DAY = timedelta(days=1)


class ArchivedDemand:
    """A ``DemandSource`` that passes on another's answer and keeps it as ``history/<pool>/<date>.csv``.

    A stored day only ever learns: what it knew stays, and a newer answer wins where both know. An archive that cannot
    be written costs a warning, never a decision.
    """

    def __init__(self, source: DemandSource, blobs: Blobs, *, pool: str) -> None:
        self._source = source
        self._blobs = blobs
        self._pool = pool
        self._kept: dict[str, str] = {}

    def history(self, now_utc: datetime) -> History:
        """See :meth:`shared.demand.source.DemandSource.history`."""
        history = self._source.history(now_utc)
        try:
            for day in _days(history):
                self._keep(day)
        except (CloudError, BlobChanged, DemandError) as exc:
            logger.warning("the demand of pool %r could not be archived: %s", self._pool, exc)
        return history

    def _keep(self, day: History) -> None:
        name = f"history/{self._pool}/{day.start_utc:%Y-%m-%d}.csv"
        data = write_demand_csv(day).encode()
        digest = hashlib.sha256(data).hexdigest()
        if self._kept.get(name) == digest:
            return
        try:
            stored = self._blobs.read(name)
        except BlobNotFound:
            self._blobs.write(name, data, if_etag=None)
        else:
            known = read_demand_csv(stored.data.decode(errors="replace"), name=name, step=day.step, unit=day.unit)
            merged = write_demand_csv(_merged(known, day)).encode()
            if merged != stored.data:
                self._blobs.write(name, merged, if_etag=stored.etag)
        self._kept[name] = digest


def _merged(known: History, day: History) -> History:
    """Return what either knows; where both do, the newer answer."""
    rows = {
        part.instant(index): row
        for part in (known, day)
        for index, row in enumerate(part.values.tolist())
        if math.isfinite(row[0])
    }
    return history_from_rows(sorted(rows.items()), signals=day.signals, step=day.step, unit=day.unit)


def _days(history: History) -> list[History]:
    """Return the history cut at UTC midnights, days without any known demand left out; an interval starts its day."""
    days: list[History] = []
    first = 0
    while first < len(history):
        start = history.instant(first)
        midnight = start.replace(hour=0, minute=0, second=0, microsecond=0) + DAY
        stop = min(len(history), first - (start - midnight) // history.step)
        days.append(history.first(stop).last(stop - first))
        first = stop
    return [day for day in days if np.isfinite(day.demand).any()]
