"""When people use a pool, and what they planned for it: time zone, holidays, events and windows.

Times without an offset are local. In the hour that clocks skip in spring a local time does not exist: it then counts as
one hour later, which is what the clock on the wall shows. In the hour that they repeat in autumn the first one counts.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Annotated, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from shared.validation import Part

DAY = timedelta(days=1)


class Weekday(StrEnum):
    """A day of the week."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


class Resizes(StrEnum):
    """Which resizes a window lets through."""

    ALL = "all"
    GROWTH = "growth"
    NONE = "none"


class CalendarSpan(Part):
    """Once from `start` to `end`, or again on `days` from `from_time` to `to_time`."""

    start: datetime | None = None
    """Start of a span that comes once, ISO 8601; without an offset it is in the calendar's time zone."""
    end: datetime | None = None
    """End of a span that comes once, ISO 8601; without an offset it is in the calendar's time zone."""
    days: tuple[Weekday, ...] = ()
    """Days on which a recurring span begins (`mon` to `sun`); none means every day."""
    from_time: time | None = None
    """Local time at which a recurring span begins, such as `06:30`."""
    to_time: time | None = None
    """Local time at which a recurring span ends; not later than `from_time` means on the next day."""
    reason: Annotated[str, Field(max_length=200)] = ""
    """What it is for; shown on the decisions that it bears on."""

    @model_validator(mode="after")
    def _is_of_one_kind(self) -> Self:
        once = (self.start is not None, self.end is not None)
        again = (self.from_time is not None, self.to_time is not None)
        if once not in {(True, True), (False, False)} or again not in {(True, True), (False, False)} or once == again:
            msg = "give start and end (it comes once), or from_time and to_time (it comes again), and not both"
            raise ValueError(msg)
        if self.days and once == (True, True):
            msg = "days are for a span that comes again: give from_time and to_time instead of start and end"
            raise ValueError(msg)
        if any(moment is not None and moment.tzinfo is not None for moment in (self.from_time, self.to_time)):
            msg = "from_time and to_time are local times: write them without an offset"
            raise ValueError(msg)
        return self


class CalendarEvent(CalendarSpan):
    """A planned event: a floor under the pool, ready from its first minute."""

    min_nodes: Annotated[int, Field(ge=0)]
    """Nodes to have ready during the event, from its first minute."""


class CalendarWindow(CalendarSpan):
    """A time with rules of its own: a change freeze, only growth, a floor or a ceiling."""

    resizes: Resizes = Resizes.ALL
    """`all`, `growth` (nodes may only be added) or `none` (nothing is written, as during an upgrade of AKS)."""
    min_nodes: Annotated[int, Field(ge=0)] | None = None
    """Nodes to have ready during the window, from its first minute."""
    max_nodes: Annotated[int, Field(ge=0)] | None = None
    """At most so many nodes during the window."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.resizes is Resizes.ALL and self.min_nodes is None and self.max_nodes is None:
            msg = "a window needs resizes, min_nodes or max_nodes: this one changes nothing"
            raise ValueError(msg)
        if self.min_nodes is not None and self.max_nodes is not None and self.min_nodes > self.max_nodes:
            msg = f"min_nodes ({self.min_nodes}) must not exceed max_nodes ({self.max_nodes})"
            raise ValueError(msg)
        return self


class Calendar(Part):
    """When people use the pool, and what they planned for it."""

    timezone: str = "UTC"
    """IANA name, such as `Europe/Madrid`; days, weeks and daylight saving follow it."""
    holidays: Annotated[str, Field(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$")] | None = None
    """ISO 3166 country, with a subdivision where wanted (`ES`, `DE-BY`): its public holidays are unlike other days."""
    events: tuple[CalendarEvent, ...] = ()
    """Planned events, each a floor under the pool."""
    windows: tuple[CalendarWindow, ...] = ()
    """Times with rules of their own: change freezes, only growth, floors and ceilings."""

    @field_validator("timezone")
    @classmethod
    def _zone_exists(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
            msg = f"no time zone is named {name!r} (an IANA name such as 'Europe/Madrid' is meant)"
            raise ValueError(msg) from exc
        return name

    @model_validator(mode="after")
    def _spans_have_an_end(self) -> Self:
        for name, span in self._named_spans():
            if span.start is None or span.end is None:
                continue
            if (span.start.tzinfo is None) is not (span.end.tzinfo is None):
                msg = f"{name}: start and end must both have an offset, or both be local times"
                raise ValueError(msg)
            if span.end <= span.start:
                msg = f"{name} ends ({span.end.isoformat()}) before it starts ({span.start.isoformat()})"
                raise ValueError(msg)
        return self

    def utc(self, instant: datetime) -> datetime:
        """Return the instant in UTC; one without an offset is in the calendar's time zone."""
        zoned = instant.replace(tzinfo=ZoneInfo(self.timezone)) if instant.tzinfo is None else instant
        return zoned.astimezone(UTC)

    def occurs(self, span: CalendarSpan, from_utc: datetime, until_utc: datetime) -> bool:
        """Return whether some part of the span lies within ``from_utc`` and ``until_utc``, both included."""
        return any(start <= until_utc and from_utc < end for start, end in self._occurrences(span, from_utc, until_utc))

    def skipped_times(self) -> tuple[str, ...]:
        """Return a sentence for each planned time that clocks skip, and so comes an hour later than it is written."""
        return tuple(
            f"calendar.{name}.{edge} is {local.isoformat()}, which clocks in {self.timezone} skip: it counts as "
            f"{self.utc(local).astimezone(ZoneInfo(self.timezone)):%H:%M}"
            for name, span in self._named_spans()
            for edge, local in (("start", span.start), ("end", span.end))
            if local is not None and local.tzinfo is None and self._is_skipped(local)
        )

    def _occurrences(
        self, span: CalendarSpan, from_utc: datetime, until_utc: datetime
    ) -> Iterator[tuple[datetime, datetime]]:
        """Yield start and end, in UTC, of each time that the span comes between the two instants, and some around."""
        if span.start is not None and span.end is not None:
            yield self._whole(span.start, span.end)
        if span.from_time is None or span.to_time is None:
            return
        zone = ZoneInfo(self.timezone)
        day, last = (from_utc - DAY).astimezone(zone).date(), until_utc.astimezone(zone).date()
        while day <= last:
            if not span.days or list(Weekday)[day.weekday()] in span.days:
                yield self._whole(*_times(day, span.from_time, span.to_time))
            day += DAY

    def _whole(self, start: datetime, end: datetime) -> tuple[datetime, datetime]:
        """Return both in UTC; a span whose end clocks have moved before its start keeps its length."""
        start_utc, end_utc = self.utc(start), self.utc(end)
        return start_utc, end_utc if end_utc > start_utc else start_utc + (end - start)

    def _is_skipped(self, local: datetime) -> bool:
        return self.utc(local).astimezone(ZoneInfo(self.timezone)).replace(tzinfo=None) != local

    def _named_spans(self) -> Iterator[tuple[str, CalendarSpan]]:
        for name, spans in (("events", self.events), ("windows", self.windows)):
            yield from ((f"{name}[{index}]", span) for index, span in enumerate(spans))


def _times(day: date, begins: time, ends: time) -> tuple[datetime, datetime]:
    start, end = datetime.combine(day, begins), datetime.combine(day, ends)
    return start, end if end > start else end + DAY
