"""Keeps what a live demand source answered, a CSV file a day: training reads it, long after the source forgot it."""

import hashlib
import logging
from datetime import UTC, datetime, timedelta

from scaler.ports import DemandSource
from shared.demand_csv import write_demand_csv
from shared.errors import BlobChanged, BlobNotFound, CloudError
from shared.ports import Blobs, read_whole
from shared.series import History

logger = logging.getLogger(__name__)

DAY = timedelta(days=1)


class ArchivedDemand:
    """A ``scaler.ports.DemandSource`` that passes on another's answer and keeps it as ``history/<pool>/<date>.csv``.

    A stored day is only ever replaced by one that knows more of it. An archive that cannot be written costs a warning,
    never a decision.
    """

    def __init__(self, source: DemandSource, blobs: Blobs, *, pool: str) -> None:
        self._source = source
        self._blobs = blobs
        self._pool = pool
        self._kept: dict[str, str] = {}

    def history(self, now_utc: datetime) -> History:
        """See :meth:`scaler.ports.DemandSource.history`."""
        history = self._source.history(now_utc)
        try:
            for day in _days(history):
                self._keep(day)
        except (CloudError, BlobChanged) as exc:
            logger.warning("the demand of pool %r could not be archived: %s", self._pool, exc)
        return history

    def _keep(self, day: History) -> None:
        name = f"history/{self._pool}/{day.start_utc:%Y-%m-%d}.csv"
        data = write_demand_csv(day).encode()
        digest = hashlib.sha256(data).hexdigest()
        if self._kept.get(name) == digest:
            return
        try:
            stored = read_whole(self._blobs, name)
        except BlobNotFound:
            self._blobs.write(name, data, if_etag=None)
        else:
            if stored.data.count(b"\n") < data.count(b"\n"):
                self._blobs.write(name, data, if_etag=stored.etag)
        self._kept[name] = digest


def _days(history: History) -> list[History]:
    """Return the history cut at UTC midnights."""
    days: list[History] = []
    start = history.start_utc
    while start < history.end_utc:
        midnight = start.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + DAY
        day = history.until(midnight).last(-((start - midnight) // history.step))
        days.append(day)
        start = day.end_utc
    return days
