"""The wall's time beside the world's: what really flowed is stamped by the wall and told in the world's time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from runbook_lib.sandbox.clocks import ScaledClock

OFTEN = 0.05  # seconds between two questions


def now() -> float:
    """Epoch seconds of the wall, as other programs stamp their logs."""
    return time.time()


def wait_until(true: Callable[[], bool], *, at_most: float) -> None:
    """Wait until something is so, at most so many seconds."""
    end = time.monotonic() + at_most
    while not true() and time.monotonic() < end:
        time.sleep(OFTEN)


@dataclass(frozen=True)
class Pace:
    """How the world's time ran beside the wall's, up to a moment."""

    clock: ScaledClock
    ahead: float  # by how many seconds the epoch is ahead of what the clock calls the wall

    @classmethod
    def of(cls, clock: ScaledClock) -> Pace:
        """The pace of a clock until now."""
        return cls(clock, now() - clock.wall())

    def in_world(self, wall: float) -> float:
        """The world's time at a moment of the wall that is past; where the world stood still, that of standing."""
        return min(self.clock.at(wall - self.ahead), self.clock.world.now)
