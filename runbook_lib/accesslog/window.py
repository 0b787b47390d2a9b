"""The stretch of time that is asked about: whole minutes, as the counts are kept by minute."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from runbook_lib.errors import BadInput

MINUTE = timedelta(minutes=1)
LONGEST = timedelta(days=366)
FORM = "%Y-%m-%dT%H:%M"


@dataclass(frozen=True)
class Window:
    """From `start` (inclusive) to `end` (exclusive); both aware, and widened to whole minutes of UTC.

    Raises BadInput for times without a zone, for an end that is not after the start, and for more than LONGEST.
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        for name in ("start", "end"):
            if getattr(self, name).tzinfo is None:
                raise _wrong(f"{name} {getattr(self, name)} without a time zone", "a time with its zone, such as UTC")
        start, end = self.start.astimezone(UTC), self.end.astimezone(UTC)
        if end <= start:
            raise _wrong(f"a window from {start:{FORM}} to {end:{FORM}}", "an end after the start")
        if end - start > LONGEST:
            raise _wrong(f"a window of {(end - start).days} days", f"at most {LONGEST.days} days at once")
        object.__setattr__(self, "start", _floor(start))
        object.__setattr__(self, "end", _floor(end + timedelta(seconds=59, microseconds=999_999)))

    def __str__(self) -> str:
        same = self.start.date() == self.end.date()
        return f"{self.start:%Y-%m-%d %H:%M} to {self.end:{'%H:%M' if same else '%Y-%m-%d %H:%M'}} UTC"

    def holds(self, at: datetime) -> bool:
        return self.start <= at < self.end

    def minutes(self) -> Iterator[datetime]:
        """Each minute's beginning."""
        at = self.start
        while at < self.end:
            yield at
            at += MINUTE

    @property
    def first(self) -> str:
        """The first minute as the log writes it: 2026-03-02T09:37."""
        return f"{self.start:{FORM}}"

    @property
    def behind(self) -> str:
        """The first minute behind the window, written likewise."""
        return f"{self.end:{FORM}}"


def _floor(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)


def _wrong(seen: str, wanted: str) -> BadInput:
    return BadInput(where="the window", seen=seen, wanted=wanted, next_step="correct the window and run again")
