"""The one place that reads the clock."""

from datetime import timedelta

from shared.clock import system_clock


def test_the_system_clock_is_aware_and_in_utc() -> None:
    assert system_clock().utcoffset() == timedelta(0)
