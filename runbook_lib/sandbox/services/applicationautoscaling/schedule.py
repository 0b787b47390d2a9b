"""When a scheduled action is due: at(...), rate(...) and cron(...), in a time zone.

Source: Application Auto Scaling API reference, PutScheduledAction; user guide,
scheduled-scaling-using-cron-expressions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from runbook_lib.sandbox.errors import AwsError, not_simulated

FORM = re.compile(r"(at|rate|cron)\((.+)\)")
RATE = re.compile(r"([1-9]\d*) (minute|hour|day)s?")
UNITS = {"minute": 60, "hour": 3600, "day": 86400}
MONTHS = {name: month for month, name in enumerate(re.findall("...", "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC"), 1)}
DAYS = {name: day for day, name in enumerate(re.findall("...", "SUNMONTUEWEDTHUFRISAT"), 1)}
# field -> least, most, names
FIELDS: Mapping[str, tuple[int, int, Mapping[str, int]]] = {
    "minutes": (0, 59, {}),
    "hours": (0, 23, {}),
    "day of month": (1, 31, {}),
    "month": (1, 12, MONTHS),
    "day of week": (1, 7, DAYS),
    "year": (1970, 2199, {}),
}
HORIZON = 366 * 5  # days within which a cron expression must come true again


def next_time(expression: str, zone: str, *, after: float, origin: float) -> float | None:
    """When an expression is due next after a time (epoch seconds); None when never again.

    A rate counts from `origin`. Raises AwsError (ValidationException): what cannot be read.
    """
    found = FORM.fullmatch(expression.strip())
    if found is None:
        raise AwsError("ValidationException", f"Invalid schedule expression: {expression}")
    kind, words = found.groups()
    if kind == "rate":
        return _rate(words, after, origin)
    place = _zone(zone)
    return _at(words, place, after) if kind == "at" else _cron(words, place, after)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise AwsError("ValidationException", f"Invalid timezone: {name}") from None


def _rate(words: str, after: float, origin: float) -> float:
    found = RATE.fullmatch(words)
    if found is None:
        raise AwsError("ValidationException", f"Invalid rate expression: rate({words})")
    every = int(found[1]) * UNITS[found[2]]
    return origin + ((after - origin) // every + 1) * every


def _at(words: str, zone: ZoneInfo, after: float) -> float | None:
    try:
        due = datetime.strptime(words, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=zone).timestamp()
    except ValueError:
        raise AwsError("ValidationException", f"Invalid at expression: at({words})") from None
    return due if due > after else None


def _cron(words: str, zone: ZoneInfo, after: float) -> float | None:
    texts = words.split()
    if len(texts) != len(FIELDS):
        raise AwsError("ValidationException", f"Invalid cron expression: cron({words})")
    sets = {name: _values(text, name, words) for text, name in zip(texts, FIELDS, strict=True)}
    first = datetime.fromtimestamp(after, UTC).astimezone(zone).date()
    days = (first + timedelta(days=ahead) for ahead in range(HORIZON))
    times = (due for day in days if _holds(day, sets) for due in _times(day, sets, zone))
    return next((due for due in times if due > after), None)


def _holds(day: date, sets: Mapping[str, set[int]]) -> bool:
    named = {"year": day.year, "month": day.month, "day of month": day.day, "day of week": day.isoweekday() % 7 + 1}
    return all(value in sets[name] for name, value in named.items())


def _times(day: date, sets: Mapping[str, set[int]], zone: ZoneInfo) -> list[float]:
    moments = [time(hour, minute, tzinfo=zone) for hour in sets["hours"] for minute in sets["minutes"]]
    return sorted(datetime.combine(day, moment).timestamp() for moment in moments)


def _values(text: str, name: str, whole: str) -> set[int]:
    if re.search(r"[LW#]", re.sub("|".join([*MONTHS, *DAYS]), "", text)):
        raise not_simulated(f"application-autoscaling: L, W and # in cron({whole})")
    return {value for part in text.split(",") for value in _range(part, name, whole)}


def _range(part: str, name: str, whole: str) -> range:
    least, most, names = FIELDS[name]
    span, _, step = part.partition("/")
    first, _, last = span.partition("-")
    try:
        low = least if first in ("*", "?") else names.get(first) or int(first)
        high = names.get(last) or int(last) if last else most if step or first in ("*", "?") else low
        if not least <= low <= high <= most:
            raise ValueError(part)
        return range(low, high + 1, int(step or 1))
    except ValueError:
        raise AwsError("ValidationException", f"Invalid {name} in cron({whole}): {part}") from None
