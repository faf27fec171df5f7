"""What a forecast looks at: features of every interval, causal, free of scale; what is missing stays missing."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from shared.demand.history import History

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
DAY_S = 86_400
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_WEEKDAY = 3
"""1970-01-01 was a Thursday; Monday is 0."""
SATURDAY = 5
LOOK_BACK = timedelta(days=9)
"""The longest lag is a week; a day more carries the reference level, one more makes up for the grid."""
FLOORS = (1e-300, 1e18)
"""Bounds of what may be added to a demand before the logarithm, in the demand's unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureSpec:
    """What must be the same when fitting and when forecasting.

    ``floor`` is added to the demand before the logarithm, in the demand's unit, so that zero is allowed;
    ``holidays`` is an ISO 3166 country with an optional subdivision (``ES``, ``DE-BY``), or empty.
    """

    step: timedelta
    horizon: int
    floor: float
    timezone: str = "UTC"
    holidays: str = ""

    def __post_init__(self) -> None:
        """Refuse what no feature can be computed with."""
        if self.step <= timedelta(0) or self.horizon < 1 or not self.floor > 0:
            msg = f"step and floor must be > 0 and horizon >= 1, got {self}"
            raise ValueError(msg)

    @property
    def per_day(self) -> int:
        """Intervals in a day."""
        return max(1, round(DAY / self.step))

    def intervals(self, duration: timedelta) -> int:
        """Return the duration in intervals, at least one."""
        return max(1, round(duration / self.step))


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """One row an interval; row ``i`` rests on the demand up to and including interval ``i`` alone.

    ``matrix`` has shape ``(intervals, columns)``, NaN where unknown. ``now`` is the log of the demand, the last known
    carried over gaps: forecasts are made relative to it. ``log_demand`` is NaN where unknown.
    """

    matrix: Floats
    now: Floats
    log_demand: Floats
    names: tuple[str, ...]


def lag(values: Floats, intervals: int) -> Floats:
    """The value ``intervals`` ago. A negative lag looks ahead: for targets only."""
    out = np.full(len(values), np.nan)
    if intervals == 0:
        return values.copy()
    if abs(intervals) < len(values):
        if intervals > 0:
            out[intervals:] = values[:-intervals]
        else:
            out[:intervals] = values[-intervals:]
    return out


def rolling_mean(values: Floats, width: int) -> Floats:
    """Mean of the known values among the last ``width``; NaN where none is known."""
    known = ~np.isnan(values)
    total = np.concatenate([[0.0], np.cumsum(np.where(known, values, 0.0))])
    count = np.concatenate([[0], np.cumsum(known)])
    end = np.arange(1, len(values) + 1)
    start = np.maximum(end - width, 0)
    n = count[end] - count[start]
    return np.where(n > 0, (total[end] - total[start]) / np.maximum(n, 1), np.nan)


def rolling_max(values: Floats, width: int) -> Floats:
    """Maximum of the known values among the last ``width``; NaN where none is known."""
    out, have = np.where(np.isnan(values), -np.inf, values), 1
    while have < min(width, len(out)):  # by doubling: log2(width) passes instead of width
        jump = min(have, width - have)
        out[jump:] = np.maximum(out[jump:], out[:-jump])
        have += jump
    return np.where(np.isinf(out), np.nan, out)


def carry_forward(values: Floats) -> Floats:
    """The last known value; NaN before the first."""
    index = np.where(~np.isnan(values), np.arange(len(values)), 0)
    return values[np.maximum.accumulate(index)]


def local_seconds(starts_s: Ints, timezone: str) -> Ints:
    """Return seconds since the epoch on the local wall clock; the offset is looked up once for each UTC hour."""
    if timezone == "UTC":
        return starts_s
    hours, place = np.unique(starts_s // 3600, return_inverse=True)
    offsets_s = np.array([_offset_s(int(hour), timezone) for hour in hours], dtype=np.int64)
    return starts_s + offsets_s[place]


@lru_cache(maxsize=20_000)
def _offset_s(hour: int, timezone: str) -> int:
    offset = (EPOCH + hour * HOUR).astimezone(ZoneInfo(timezone)).utcoffset()
    return int((offset or timedelta()).total_seconds())


@lru_cache(maxsize=256)
def _public_holidays(code: str, year: int) -> frozenset[int]:
    """Return the public holidays of a country in a year, as days since the epoch."""
    import holidays  # noqa: PLC0415 - only pools with a country pay for it

    country, _, subdivision = code.partition("-")
    found = holidays.country_holidays(country, subdiv=subdivision or None, years=year)
    return frozenset(day.toordinal() - date(1970, 1, 1).toordinal() for day in found)


def calendar(starts_s: Ints, spec: FeatureSpec) -> dict[str, Floats]:
    """Return local time of day, phase in the hour, day of the week, weekend, and holidays where a country is set."""
    local_s = local_seconds(starts_s, spec.timezone)
    day = local_s // DAY_S
    weekday = (day + EPOCH_WEEKDAY) % 7
    angle = 2 * np.pi * (local_s % DAY_S) / DAY_S
    columns = {f"{name}{k}": wave(k * angle) for k in (1, 2) for name, wave in (("sin", np.sin), ("cos", np.cos))}
    columns["minute_of_day"] = local_s % DAY_S / 60
    columns["minute_of_hour"] = local_s % 3600 / 60
    columns["weekday"] = weekday.astype(float)
    columns["weekend"] = (weekday >= SATURDAY).astype(float)
    if spec.holidays:
        years = range((EPOCH + int(day[0]) * DAY).year, (EPOCH + (int(day[-1]) + 1) * DAY).year + 1)
        off = np.array(sorted(frozenset().union(*(_public_holidays(spec.holidays, year) for year in years))))
        columns["holiday"] = np.isin(day, off).astype(float)
        columns["holiday_tomorrow"] = np.isin(day + 1, off).astype(float)
    return columns


def recent(z: Floats, level: Floats, spec: FeatureSpec) -> dict[str, Floats]:
    """Last values, short means, extremes and volatility, relative to the level of the last day."""
    day, hour = spec.per_day, spec.intervals(HOUR)
    out = {"level0": z - level, "level1": lag(z, 1) - level, "level2": lag(z, 2) - level}
    out |= {f"change{j}": z - lag(z, j) for j in range(1, 6)}
    for width in sorted({3, max(4, hour), max(6, 3 * hour)}):
        out[f"mean{width}"] = rolling_mean(z, width) - level
        out[f"max{width}"] = rolling_max(z, width) - level
        out[f"min{width}"] = -rolling_max(-z, width) - level
    move = np.abs(z - lag(z, 1))
    out |= {"move_hour": rolling_mean(move, max(3, hour)), "move_day": rolling_mean(move, day)}
    out |= {"move_day_max": rolling_max(move, day), "day_max": rolling_max(z, day) - level}
    out |= {"day_min": -rolling_max(-z, day) - level, "week_mean": rolling_mean(z, 7 * day) - level}
    return out


def seasonal(z: Floats, level: Floats, spec: FeatureSpec) -> dict[str, Floats]:
    """The same time yesterday, the day before and last week, at and after the decision's time of day."""
    day, ahead = spec.per_day, spec.horizon
    out: dict[str, Floats] = {}
    if day <= ahead + 2:  # a lag of one day would reach into the future
        return out
    smooth = lag(rolling_mean(z, 3), -1)  # centred; read at least a day minus the horizon back
    peak = rolling_max(z, ahead + 2)
    for name, ago in (("day", day), ("two_days", 2 * day), ("week", 7 * day)):
        out[f"{name}_level"] = lag(level, ago) - level
        out |= {f"{name}+{k}": lag(smooth, ago - k) - level for k in range(ahead + 1)}
        out[f"{name}_change"] = z - lag(z, ago)
        out[f"{name}_peak"] = lag(peak, ago - ahead - 1) - level
    return out


def typical(z: Floats, level: Floats, spec: FeatureSpec, *, newest: slice) -> dict[str, Floats]:
    """The middle and the top of the last seven days at this time of day, of the newest rows alone: medians are dear."""
    day, ahead = spec.per_day, spec.horizon
    out: dict[str, Floats] = {}
    if day <= ahead + 2:
        return out
    peak = rolling_max(z, ahead)
    at = np.stack([lag(z, d * day - 1)[newest] for d in range(1, 8)])
    window = np.stack([lag(peak, d * day - ahead)[newest] for d in range(1, 8)])
    for name, stack in (("typical", at), ("typical_window", window)):
        known = ~np.isnan(stack).all(axis=0)
        middle, top = np.full(stack.shape[1], np.nan), np.full(stack.shape[1], np.nan)
        middle[known], top[known] = np.nanmedian(stack[:, known], axis=0), np.nanmax(stack[:, known], axis=0)
        out |= {name: middle - level[newest], f"{name}_max": top - level[newest]}
    return out


def features_of(history: History, spec: FeatureSpec, *, newest: int | None = None) -> Features:
    """Return the features of every interval of the history, or of the ``newest`` alone: the same rows, but sooner."""
    rows = slice(-min(newest or len(history), len(history)), None)
    z = np.log(history.demand + spec.floor)
    level = carry_forward(rolling_mean(z, spec.per_day))
    short = rolling_mean(z, max(2, spec.intervals(timedelta(minutes=15))))
    start_s, step_s = (history.start_utc - EPOCH).total_seconds(), history.step.total_seconds()
    starts_s = np.floor(start_s + step_s * np.arange(len(history))).astype(np.int64)
    columns = {name: column[rows] for name, column in (recent(z, level, spec) | seasonal(z, level, spec)).items()}
    columns |= typical(z, level, spec, newest=rows) | calendar(starts_s[rows], spec)
    return Features(
        matrix=np.column_stack(list(columns.values())),
        now=carry_forward(np.where(np.isnan(z), short, z))[rows],
        log_demand=z[rows],
        names=tuple(columns),
    )


@lru_cache(maxsize=256)
def feature_names(spec: FeatureSpec) -> tuple[str, ...]:
    """Return the names of the columns that :func:`features_of` gives; they depend on the spec alone."""
    moment = History(start_utc=EPOCH, step=spec.step, values=np.ones((1, 1)))
    return features_of(moment, spec).names


def targets(features: Features, horizon: int) -> Floats:
    """Return the log-ratio of the demand 1 to ``horizon`` intervals ahead to the demand now; NaN where unknown.

    Shape ``(intervals, horizon)``. These look ahead: for fitting only.
    """
    z = features.log_demand
    return np.column_stack([lag(z, -ahead) for ahead in range(1, horizon + 1)]) - features.now[:, None]
