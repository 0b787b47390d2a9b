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
    """Starts of tasks that were asked for and not answered yet, how checks of targets went, what came of the load."""

    asked: dict[str, None] = field(default_factory=dict)  # ARNs, in order
    streaks: dict[tuple[str, str, int], Streak] = field(default_factory=dict)  # by group, address and port
    lost: dict[str, None] = field(default_factory=dict)  # log groups that are gone, and with them what is written
    load: LoadTally = field(default_factory=LoadTally)


def store(world: World) -> LiveStore:
    """The world's own."""
    found: LiveStore = world.store("live")
    return found
