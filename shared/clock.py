"""The only place that reads the clock."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns the present instant as an aware UTC ``datetime``."""


def system_clock() -> datetime:
    """Return the machine's present instant, in UTC."""
    return datetime.now(tz=UTC)
