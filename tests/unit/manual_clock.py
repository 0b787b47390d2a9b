"""A clock for unit tests: time moves by sleeping alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta


@dataclass
class ManualClock:
    """Starts at a fixed time; `ends` is when nothing is left to happen."""

    time: datetime = datetime(2026, 3, 2, 9, tzinfo=UTC)
    ends: datetime | None = None
    slept: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += timedelta(seconds=seconds)

    def idle(self) -> bool:
        return self.ends is not None and self.time >= self.ends
