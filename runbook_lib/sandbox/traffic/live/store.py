"""What the world remembers of its live traffic: plain data, saved with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runbook_lib.sandbox.services.elbv2.health import Streak
from runbook_lib.sandbox.traffic.live.tally import LoadTally

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World


@dataclass
class LiveStore:
    """Whether the next look is planned, how the checks of the targets went, and what came of the load."""

    ticking: bool = False
    streaks: dict[tuple[str, str, int], Streak] = field(default_factory=dict)  # by group, address and port
    load: LoadTally = field(default_factory=LoadTally)


def store(world: World) -> LiveStore:
    """The world's own."""
    found: LiveStore = world.store("live")
    return found
