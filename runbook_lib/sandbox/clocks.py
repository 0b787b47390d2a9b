"""The two clocks of a world in this process: virtual, and scaled to the wall."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

from runbook_lib.sandbox.world import World


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


class ScaledClock:
    """A second of the wall is `scale` seconds of the world; looking lets the world catch up with the wall."""

    def __init__(
        self,
        world: World,
        *,
        scale: float,
        wall: Callable[[], float] = time.monotonic,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self.world, self.scale, self._wall, self._wait = world, scale, wall, wait
        self._origin = (wall(), world.now)

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
        wall, world = self._origin
        return world + (self._wall() - wall) * self.scale

    def catch_up(self, *, at_most: float = float("inf")) -> None:
        """Let the events happen that are due by the wall; a running handler keeps its frozen time."""
        if not self.world.busy:
            self.world.run_until(min(self.due(), at_most))

    def _wait_for(self, moment: float) -> None:
        left = moment - self.due()
        if left > 0:
            self._wait(left / self.scale)


def _not_negative(seconds: float) -> float:
    if seconds < 0:
        raise ValueError(f"seen: a wait of {seconds} seconds; wanted: 0 or more")
    return seconds


def clock_of(world: World) -> VirtualClock | ScaledClock:
    """The clock that the settings of a world ask for; live traffic flows at its pace from now on."""
    if world.settings.clock != "scaled":
        return VirtualClock(world)
    clock = ScaledClock(world, scale=world.settings.scale)
    if world.settings.traffic == "live":
        from runbook_lib.sandbox.traffic import live

        live.attach(world, clock)
    return clock
