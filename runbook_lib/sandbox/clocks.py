"""The two clocks of a world in this process: virtual, and scaled to the wall."""

from __future__ import annotations

import bisect
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from runbook_lib.sandbox.world import World

# Seconds of the wall. A release at 60 times the clock has limits of minutes, and so of seconds of the wall: what takes
# longer than a blink holds the world's time, what is shorter is left in the pace.
BLINK = 0.1
UNSEEN = 0.5  # what is outside is looked at ten times a second: a world that was left alone so long has stood still
KEPT_LEGS = 100


class VirtualClock:
    """Time moves only when somebody waits."""

    def __init__(self, world: World) -> None:
        self.world = world

    def now(self) -> datetime:
        return self.world.datetime()

    def sleep(self, seconds: float) -> None:
        self.world.run_until(self.world.now + _not_negative(seconds))

    def idle(self) -> bool:
        return self.world.idle()

    def catch_up(self) -> None:
        """Looking never moves this clock."""


@dataclass(frozen=True)
class Outside:
    """What really happens beside a world: looked at so often, in seconds of the wall."""

    look: Callable[[], None]
    every: float


class ScaledClock:
    """A second of the wall is `scale` seconds of the world; looking lets the world catch up with the wall.

    The world's time stands still while what happens in it takes long on the wall: a build that really runs, a machine
    that is busy.  Its time is declared (participants.py), and nothing else in the world shall run into a limit by it.
    With something outside that is looked at, it stands still as well while nobody looks.
    """

    def __init__(
        self,
        world: World,
        *,
        scale: float,
        wall: Callable[[], float] = time.monotonic,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self.world, self.scale, self.wall, self._wait = world, scale, wall, wait
        self._legs = [(wall(), world.now)]  # since when of the wall it runs, from which time of the world
        self._outside: Outside | None = None
        self._next_look = float("inf")

    def now(self) -> datetime:
        self.catch_up()
        return self.world.datetime()

    def sleep(self, seconds: float) -> None:
        self.catch_up()
        target = self.world.now + _not_negative(seconds)
        while self.world.now < target:
            due = self.world.next_event_time()
            self._wait_for(target if due is None else min(target, due))
            self.catch_up(at_most=target)

    def idle(self) -> bool:
        return self.world.idle()

    def due(self) -> float:
        """The time that the world should have by the wall."""
        return self.at(self.wall())

    def at(self, wall: float) -> float:
        """The time that the world had, or will have, at a moment of the wall."""
        number = max(0, bisect.bisect_right(self._legs, (wall, float("inf"))) - 1)
        since, world = self._legs[number]
        stops = self._legs[number + 1][1] if number + 1 < len(self._legs) else float("inf")
        return min(world + (wall - since) * self.scale, stops)

    def catch_up(self, *, at_most: float = float("inf")) -> None:
        """Let the events happen that are due by the wall; a running handler keeps its frozen time."""
        if self.world.busy:
            return
        if self._outside is not None and self.due() - self.world.now > UNSEEN * self.scale:
            self._stand_still()
        began = self.wall()
        self.world.run_until(min(self.at(began), at_most))
        self._look()
        if self.wall() - began > BLINK:
            self._stand_still()

    def _stand_still(self) -> None:
        """Go on from here: what has passed on the wall since the world came to its time is left out."""
        self._legs = [*self._legs[-KEPT_LEGS:], (self.wall(), self.world.now)]

    # ---- what is outside

    def watch(self, outside: Outside | None) -> None:
        """Look at what is outside from now on, at once first; None: at nothing."""
        self._outside = outside
        self._next_look = float("inf") if outside is None else self.wall()

    def _look(self) -> None:
        if self._outside is not None and self.wall() >= self._next_look:
            try:
                self._outside.look()
            finally:
                if self._outside is not None:
                    self._next_look = self.wall() + self._outside.every

    def left_until(self, moment: float) -> float:
        """Seconds of the wall until that time of the world, or until the next look if that is sooner; at least 0."""
        wall = self.wall()
        return max(0.0, min((moment - self.at(wall)) / self.scale, self._next_look - wall))

    def _wait_for(self, moment: float) -> None:
        left = self.left_until(moment)
        if left > 0:
            self._wait(left)


def _not_negative(seconds: float) -> float:
    if seconds < 0:
        raise ValueError(f"seen: a wait of {seconds} seconds; wanted: 0 or more")
    return seconds


def clock_of(world: World, *, tell: Callable[[str, Any], None] | None = None) -> VirtualClock | ScaledClock:
    """The clock that the settings of a world ask for; live traffic flows at its pace from now on.

    `tell` lets a handler happen with what was seen outside (Server.input); left out, it just happens.
    """
    if world.settings.clock != "scaled":
        return VirtualClock(world)
    clock = ScaledClock(world, scale=world.settings.scale)
    if world.settings.traffic == "live":
        from runbook_lib.sandbox.traffic import live

        live.attach(world, clock, tell=tell or world.happen)
    return clock
