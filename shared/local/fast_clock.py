"""A clock that runs faster than the world, so that a newcomer sees a day in minutes."""

from datetime import UTC, datetime, timedelta

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from shared.clock import Clock, system_clock
from shared.errors import BlobNotFound, ConfigurationError
from shared.ports import Blobs, read_whole

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
    """Return the fast clock that the local backend's directory holds, or the machine's own."""
    try:
        blob = read_whole(blobs, CLOCK_FILE)
    except BlobNotFound:
        return system_clock
    try:
        return FastClock.model_validate_json(blob.data)
    except ValidationError as exc:
        msg = f"{CLOCK_FILE} cannot be read ({exc.errors()[0]['msg']}): delete it to live by the machine's clock"
        raise ConfigurationError(msg) from exc
