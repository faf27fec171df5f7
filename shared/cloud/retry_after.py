"""How long a service asks to be left alone: its ``Retry-After`` header, and how much of it is believed."""

from collections.abc import Mapping
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime

from shared.clock import system_clock

LONGEST_BELIEVED = timedelta(hours=1)
"""A longer wait is taken for a mistake: no pool is left alone for a day because of one header."""


def read_retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """Return the wait, given in seconds or as an HTTP date (RFC 9110, section 10.2.3), at most ``LONGEST_BELIEVED``.

    None where the header is missing, is neither of the two, or names the past.
    """
    value = (headers.get("Retry-After") or "").strip()
    wait_s = float(value) if value.isdecimal() else _seconds_until(value)
    if wait_s is None or wait_s <= 0:
        return None
    return timedelta(seconds=min(wait_s, LONGEST_BELIEVED.total_seconds()))


def _seconds_until(date: str) -> float | None:
    try:
        instant = parsedate_to_datetime(date)
    except ValueError:
        return None
    aware = instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC)
    return (aware - system_clock()).total_seconds()
