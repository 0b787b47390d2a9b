"""Waiting, through the clock: for something to become true, within a limit that the caller names."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from runbook_lib.clock import Clock
from runbook_lib.errors import OutOfTime

T = TypeVar("T")

# Metrics and alarms follow what happened by minutes, and no event announces them.
SETTLED = timedelta(minutes=15)


def wait_until(
    clock: Clock,
    read: Callable[[], T],
    done: Callable[[T], bool],
    *,
    what: str,
    limit: timedelta,
    every: float | Callable[[T], float] = 10.0,
    seen: Callable[[T], None] | None = None,
) -> T:
    """Read until it is done and give the last reading; `every` is in seconds, or says how many after a
    reading; `seen` is told every reading.

    Raises OutOfTime when the limit is reached, or once nothing that could make it happen was left for SETTLED.
    """
    deadline = clock.now() + limit
    idle_since: datetime | None = None
    while True:
        reading = read()
        if seen is not None:
            seen(reading)
        if done(reading):
            return reading
        left = (deadline - clock.now()).total_seconds()
        if left <= 0:
            raise _out_of_time(what, f"not so after {_minutes(limit)}", "look at the last state above, then run again")
        idle_since = (idle_since or clock.now()) if clock.idle() else None
        if idle_since is not None and clock.now() - idle_since >= SETTLED:
            raise _out_of_time(what, "nothing is left that could make it happen", "start what should make it happen")
        clock.sleep(min(every(reading) if callable(every) else every, left))


def _out_of_time(what: str, seen: str, next_step: str) -> OutOfTime:
    return OutOfTime(where=f"waiting until {what}", seen=seen, wanted=what, next_step=next_step)


def _minutes(limit: timedelta) -> str:
    return f"{limit.total_seconds() / 60:g} min"
