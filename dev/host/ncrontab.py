"""When a timer is due: NCRONTAB schedules, read as the Azure Functions host reads them.

Every cron library for Python differs from the host in at least one rule that matters here: the host ANDs day of month
with weekday, swaps the ends of a reversed range, takes a step of zero for one, and knows neither weekday 7 nor
``L # ? @daily``. The rules are those of NCrontab, the .NET library inside the host (github.com/atifaziz/NCrontab), and
of CronSchedule in azure-webjobs-sdk-extensions, which takes five fields for "at second 0"; both read on 2026-11-22.
"""

import re
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import MAXYEAR, UTC, datetime, timedelta
from typing import Self

from shared.errors import ConfigurationError

EXAMPLES = 'for example "0 */5 * * * *" (every five minutes) or "0 30 9 * * 1-5" (09:30 UTC on weekdays)'

_TIME_SPAN = re.compile(r"-?(\d+\.)?\d+:\d+(:\d+(\.\d+)?)?|-?\d+", re.ASCII)
_LARGEST_STEP = 2**31 - 1
"""A step is an ``int`` of .NET; a larger one stops the host's parser."""

_LEAP_YEAR = 2000
_FIELDS_WITHOUT_SECONDS = 5
_DIGITS = frozenset("0123456789")


@dataclass(frozen=True, kw_only=True)
class Field:
    """One position of an expression: its name and the values that it may take, both ends included."""

    name: str
    lowest: int
    highest: int
    names: tuple[str, ...] = ()

    def values(self, text: str) -> frozenset[int]:
        """Read one field of an expression.

        Raises:
            ValueError: the message tells which part of the field is wrong, and what may stand there.
        """
        return frozenset(value for part in text.split(",") for value in self._part(part))

    def _part(self, part: str) -> range:
        span, slash, step_text = part.partition("/")
        step = self._step(step_text, part) if slash else 1
        if span == "*":
            return range(self.lowest, self.highest + 1, step)
        first_text, dash, last_text = span.partition("-")
        first = self._value(first_text, part)
        last = self._value(last_text, part) if dash else self.highest if slash else first
        first, last = sorted((first, last))  # the host swaps a reversed range, it does not wrap around
        return range(first, last + 1, step)

    def _step(self, text: str, part: str) -> int:
        if not re.fullmatch(r"[+-]?[0-9]+", text) or int(text) > _LARGEST_STEP:
            msg = f'"{text}" in "{part}" is not a step, which is a whole number'
            raise ValueError(msg)
        return max(1, int(text))

    def _value(self, text: str, part: str) -> int:
        where = "" if text == part else f' in "{part}"'
        if text and set(text) <= _DIGITS:
            if not self.lowest <= int(text) <= self.highest:
                msg = f'"{text}"{where} is outside {self.lowest}-{self.highest}'
                raise ValueError(msg)
            return int(text)
        # The host takes the first name that starts with the text, so "j" is January and "t" is Tuesday.
        for value, name in enumerate(self.names, start=self.lowest):
            if text and name.startswith(text.lower()):
                return value
        allowed = f"{self.lowest}-{self.highest}"
        or_name = f" or a name such as {self.names[1][:3]}" if self.names else ""
        msg = (
            f'"{text}"{where} is not a value: a number {allowed}{or_name}, a list, a range, a step or * may stand here'
        )
        raise ValueError(msg)


_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december"),
)
_WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
FIELDS = (
    Field(name="second", lowest=0, highest=59),
    Field(name="minute", lowest=0, highest=59),
    Field(name="hour", lowest=0, highest=23),
    Field(name="day of month", lowest=1, highest=31),
    Field(name="month", lowest=1, highest=12, names=_MONTHS),
    Field(name="weekday", lowest=0, highest=6, names=_WEEKDAYS),
)


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The instants at which a timer is due; an instant is due when each field admits it."""

    text: str
    seconds: frozenset[int]
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]

    def __post_init__(self) -> None:
        """Refuse what the host would accept and then never fire, such as 30 February."""
        if not any(min(self.days) <= monthrange(_LEAP_YEAR, month)[1] for month in self.months):
            msg = (
                f'Schedule "{self.text}": day of month {min(self.days)} does not occur in month '
                f"{', '.join(map(str, sorted(self.months)))}, so the timer would never fire. Change one of the two."
            )
            raise ConfigurationError(msg)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an expression of six fields (seconds first) or five (minutes first, at second 0).

        Raises:
            ConfigurationError: the message names the expression, the field, the value and the way out.
        """
        parts = [part for part in text.split(" ") if part]
        if len(parts) == _FIELDS_WITHOUT_SECONDS:
            parts = ["0", *parts]
        if len(parts) != len(FIELDS):
            raise ConfigurationError(_wrong_shape(text, len(parts)))
        values: list[frozenset[int]] = []
        for field, part in zip(FIELDS, parts, strict=True):
            try:
                values.append(field.values(part))
            except ValueError as exc:
                msg = f'Schedule "{text}": in the {field.name} field, "{part}", {exc}. Write NCRONTAB, {EXAMPLES}.'
                raise ConfigurationError(msg) from exc
        seconds, minutes, hours, days, months, weekdays = values
        return cls(
            text=text, seconds=seconds, minutes=minutes, hours=hours, days=days, months=months, weekdays=weekdays
        )

    def next_after(self, instant_utc: datetime) -> datetime:
        """Return the first due instant that is strictly later, in UTC and on a whole second.

        Raises:
            OverflowError: there is none before the year 10000.
        """
        start = instant_utc.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=1)
        for day in self._days_from(start):
            earliest = (start.hour, start.minute, start.second) if day.date() == start.date() else (0, 0, 0)
            clock = self._first_clock(earliest)
            if clock is not None:
                hour, minute, second = clock
                return day.replace(hour=hour, minute=minute, second=second)
        msg = f'Schedule "{self.text}" is not due again before the year 10000'
        raise OverflowError(msg)

    def admits(self, instant_utc: datetime) -> bool:
        """Tell whether each of the six fields holds the instant's value; parts of a second are ignored."""
        at = instant_utc.astimezone(UTC)
        clock = at.hour in self.hours and at.minute in self.minutes and at.second in self.seconds
        return clock and at.day in self.days and at.month in self.months and at.isoweekday() % 7 in self.weekdays

    def _days_from(self, start: datetime) -> Iterator[datetime]:
        for year in range(start.year, MAXYEAR + 1):
            for month in sorted(self.months):
                for day in sorted(self.days):
                    if (year, month, day) < (start.year, start.month, start.day) or day > monthrange(year, month)[1]:
                        continue
                    midnight = datetime(year, month, day, tzinfo=UTC)
                    if midnight.isoweekday() % 7 in self.weekdays:
                        yield midnight

    def _first_clock(self, earliest: tuple[int, int, int]) -> tuple[int, int, int] | None:
        """Return the first hour, minute and second of a day that is not before ``earliest``."""
        hour, minute, second = earliest
        later_second = min((s for s in self.seconds if s >= second), default=None)
        if hour in self.hours and minute in self.minutes and later_second is not None:
            return hour, minute, later_second
        later_minute = min((m for m in self.minutes if m > minute), default=None)
        if hour in self.hours and later_minute is not None:
            return hour, later_minute, min(self.seconds)
        later_hour = min((h for h in self.hours if h > hour), default=None)
        return None if later_hour is None else (later_hour, min(self.minutes), min(self.seconds))


def _wrong_shape(text: str, fields: int) -> str:
    way_out = f"Write six fields (second minute hour day month weekday) or five (without the second), {EXAMPLES}."
    if _TIME_SPAN.fullmatch(text.strip()):
        return f'Schedule "{text}" is a time span, which the host takes on a dedicated plan only. {way_out}'
    if text.lstrip().startswith("@"):
        return f'Schedule "{text}" is a macro of other crons, which the host does not know. {way_out}'
    return f'Schedule "{text}" has {fields} fields. {way_out}'
