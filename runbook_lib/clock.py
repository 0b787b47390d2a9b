"""The only place that knows what time it is: everybody else is given a clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time and waits; looking never moves time, waiting is the only thing that does."""

    def now(self) -> datetime:
        """The time, aware and in UTC."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait that many seconds of this clock."""
        ...

    def idle(self) -> bool:
        """Whether nothing is left that could still happen by itself (never on the wall clock)."""
        ...


class WallClock:
    """The clock of the real world."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def idle(self) -> bool:
        return False
