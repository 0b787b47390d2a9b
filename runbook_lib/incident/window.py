"""The stretch of time that is looked at, as a person names it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from runbook_lib.accesslog.window import Window
from runbook_lib.errors import BadInput

LONGEST = timedelta(days=7)
MINUTE_POINTS = timedelta(days=15)  # CloudWatch keeps points of 60 seconds so long (user guide, cloudwatch_concepts)


def window(since: str, until: str, *, now: datetime) -> Window:
    """The window between two times as a person writes them, ISO 8601 and UTC unless they say otherwise.

    `until` may be a time of the day alone, then of the same day as `since`, or empty: now.  Raises BadInput for a time
    that cannot be read, and for a window that is empty, begins in the future, or is longer than a week.
    """
    start = _time(since, "since", day=now)
    end = _time(until, "until", day=start) if until else now
    end = min(end, now)
    if start >= now:
        raise _bad(
            f"it begins at {start:%Y-%m-%d %H:%M} UTC, and now it is {now:%Y-%m-%d %H:%M}", "a window in the past"
        )
    if start >= end:
        raise _bad(f"from {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}", "an end after the beginning")
    if end - start > LONGEST:
        raise _bad(f"{(end - start).days} days", f"at most {LONGEST.days} days: an incident is minutes or hours")
    return Window(start, end)


def moment_format(window: Window, *beside: datetime) -> str:
    """How moments of a window are written: the time of the day, with its date where the window has more than one.

    `beside` are moments outside of it that are written as well.
    """
    last = max((window.end - timedelta(microseconds=1), *beside))
    first = min((window.start, *beside))
    return "%H:%M:%S" if first.date() == last.date() else "%Y-%m-%d %H:%M:%S"


def _time(text: str, name: str, *, day: datetime) -> datetime:
    try:
        read = datetime.fromisoformat(text if len(text) > len("23:59:59") else f"{day:%Y-%m-%d}T{text}")
    except ValueError:
        raise _bad(f"{name} = {text!r}", "a time such as 2026-03-02T14:00 or 14:00, in UTC") from None
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)


def _bad(seen: str, wanted: str) -> BadInput:
    return BadInput(where="the window", seen=seen, wanted=wanted, next_step="correct since and until")
