"""Cron expressions of EventBridge: six fields, in UTC (EventBridge user guide, eb-cron-expressions).

`L` is known as a day of the month and behind a weekday, `#` as the n-th of a weekday; `W` is not simulated.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from runbook_lib.sandbox.errors import AwsError

MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
DAYS = {name: number for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), 1)}
RANGES = {"minute": (0, 59), "hour": (0, 23), "month": (1, 12), "year": (1970, 2199), "day": (1, 31), "weekday": (1, 7)}
INVALID = AwsError("ValidationException", "Parameter ScheduleExpression is not valid.")
LAST, ANY = "L", "?"


@dataclass(frozen=True)
class Cron:
    """When a schedule is due; days are told by the month or by the week, the other one is None."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int] | str | None  # "L": the last day of the month
    months: frozenset[int]
    weekdays: frozenset[int] | tuple[int, int] | None  # (day, n): its n-th in the month, 0 for the last one
    years: frozenset[int]

    def includes(self, day: datetime) -> bool:
        """Whether the schedule is due on a day."""
        if day.year not in self.years or day.month not in self.months:
            return False
        length = calendar.monthrange(day.year, day.month)[1]
        if self.days is not None:
            return day.day == length if isinstance(self.days, str) else day.day in self.days
        weekday = day.isoweekday() % 7 + 1
        if isinstance(self.weekdays, tuple):
            wanted, number = self.weekdays
            place = day.day > length - 7 if number == 0 else (day.day - 1) // 7 + 1 == number
            return weekday == wanted and place
        return self.weekdays is not None and weekday in self.weekdays


def read(expression: str) -> Cron:
    """A schedule from cron(minutes hours day-of-month month day-of-week year); refuses what is none."""
    fields = expression.removeprefix("cron(").removesuffix(")").upper().split()
    if not expression.endswith(")") or len(fields) != len(RANGES) or fields.count(ANY) != 1:
        raise INVALID
    minute, hour, day, month, weekday, year = fields
    if ANY not in (day, weekday):
        raise INVALID
    return Cron(
        _numbers("minute", minute),
        _numbers("hour", hour),
        None if day == ANY else LAST if day == LAST else _numbers("day", day),
        _numbers("month", month, MONTHS),
        None if weekday == ANY else _weekdays(weekday),
        _numbers("year", year),
    )


def _weekdays(text: str) -> frozenset[int] | tuple[int, int]:
    for mark, number in (("#", text.rpartition("#")[2]), (LAST, "0")):
        named = text.rpartition(mark)[0]
        if named and number.isdigit() and (named in DAYS or named.isdigit()):
            return DAYS.get(named) or _number("weekday", named, {}), int(number)
    return _numbers("weekday", text, DAYS)


def _numbers(field: str, text: str, names: dict[str, int] | None = None) -> frozenset[int]:
    return frozenset(number for part in text.split(",") for number in _part(field, part, names or {}))


def _part(field: str, text: str, names: dict[str, int]) -> Iterator[int]:
    least, most = RANGES[field]
    span, slash, step = text.partition("/")
    if slash and (not step.isdigit() or int(step) == 0):
        raise INVALID
    first, dash, last = span.partition("-")
    if first == "*":
        begin, end = least, most
    else:
        begin = _number(field, first, names)
        end = _number(field, last, names) if dash else (most if slash else begin)
    days = range(begin, end + 1) if begin <= end else [*range(begin, most + 1), *range(least, end + 1)]
    return iter(list(days)[:: int(step or 1)])


def _number(field: str, text: str, names: dict[str, int]) -> int:
    least, most = RANGES[field]
    value = names.get(text) or (int(text) if text.isdigit() else -1)
    if not least <= value <= most:
        raise INVALID
    return value


def following(cron: Cron, now: datetime) -> datetime | None:
    """The first time after now; None when there is none any more."""
    start = now.replace(second=0, microsecond=0) + timedelta(minutes=1)
    times = sorted((hour, minute) for hour in cron.hours for minute in cron.minutes)
    for day in _days(cron, start):
        due = (day.replace(hour=hour, minute=minute) for hour, minute in times)
        found = next((moment for moment in due if moment >= start), None)
        if found is not None:
            return found
    return None


def _days(cron: Cron, start: datetime) -> Iterator[datetime]:
    day = start.replace(hour=0, minute=0)
    while day.year <= max(cron.years):
        if cron.includes(day):
            yield day
        later = min(year for year in cron.years if year >= day.year)
        day = day + timedelta(days=1) if later == day.year else datetime(later, 1, 1, tzinfo=UTC)
