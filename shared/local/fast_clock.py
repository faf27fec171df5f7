"""A clock that runs faster than the world, so that a newcomer sees a day in minutes."""

from datetime import UTC, datetime, timedelta

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from shared.clock import Clock, system_clock
from shared.json_blob import JsonBlob
from shared.ports import Blobs

CLOCK_FILE = "clock.json"


class FastClock(BaseModel):
    """At the real instant ``real_utc`` it shows ``shown_utc``; from there it runs ``speed`` times as fast."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    real_utc: AwareDatetime
    shown_utc: AwareDatetime
    speed: float = Field(gt=0)

    def __call__(self) -> datetime:
        """Return what the clock shows now, in UTC, to the microsecond."""
        real = (system_clock() - self.real_utc).total_seconds()
        return (self.shown_utc + timedelta(seconds=real * self.speed)).astimezone(UTC)


def local_clock(blobs: Blobs) -> Clock:
    """Return the fast clock that the local backend's directory holds, or the machine's own.

    Raises :class:`~shared.errors.ConfigurationError` for a clock file that cannot be read.
    """
    remedy = "delete it to live by the machine's clock"
    stored = JsonBlob(blobs=blobs, name=CLOCK_FILE, kind=FastClock, remedy=remedy).read()
    return stored.value if stored else system_clock
