"""The wall's time beside the world's: what really flowed is stamped by the wall and told in the world's time."""

from __future__ import annotations

import time
from dataclasses import dataclass

from runbook_lib.sandbox.clocks import ScaledClock


def now() -> float:
    """Epoch seconds of the wall, as other programs stamp their logs."""
    return time.time()


@dataclass(frozen=True)
class Pace:
    """How the world's time runs beside the wall's at a moment."""

    wall: float  # epoch seconds
    world: float  # epoch seconds
    scale: float  # seconds of the world in one of the wall

    @classmethod
    def of(cls, clock: ScaledClock) -> Pace:
        """The pace of a clock now."""
        return cls(now(), clock.due(), clock.scale)

    def in_world(self, wall: float) -> float:
        """The world's time at a moment of the wall."""
        return self.world + (wall - self.wall) * self.scale
