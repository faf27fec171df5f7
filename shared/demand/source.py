"""What may tell the demand of a pool."""

from datetime import datetime
from typing import Protocol

from shared.demand.history import History


class DemandSource(Protocol):
    """Recent demand of one pool."""

    def history(self, now_utc: datetime) -> History:
        """Return the complete intervals known at ``now_utc``, as many as the source keeps.

        Raises :class:`shared.errors.DemandError` (:class:`~shared.errors.DemandUnavailable` if it may work later).
        """
        ...
