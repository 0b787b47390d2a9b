"""What happens to all versions alike for some minutes: a dependency that fails or is slow, a burst of requests.

A release has no part in it: that is what a look back must be able to tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runbook_lib.sandbox.traffic.behaviour import Behaviour
    from runbook_lib.sandbox.world import World

MINUTE = 60


@dataclass(frozen=True)
class Disturbance:
    """From so many whole minutes after the world's first one, for so many minutes."""

    after_minutes: int = 0
    minutes: int = 1
    error_rate: float = 0.0  # share of requests that fail, beside the version's own errors
    latency_factor: float = 1.0
    requests_factor: float = 1.0

    def felt_by(self, behaviour: Behaviour) -> Behaviour:
        """How a version behaves meanwhile."""
        kept = (1 - behaviour.error_rate) * (1 - self.error_rate)
        slower = replace(behaviour, error_rate=1 - kept, latency_ms=behaviour.latency_ms * self.latency_factor)
        return replace(slower, error_path="") if self.error_rate else slower  # what all feel keeps to no path


NONE = Disturbance()


def now(world: World, moment: float) -> Disturbance:
    """What holds at a moment: the first disturbance of the settings that covers it, else none."""
    first = world.settings.start - world.settings.start % MINUTE
    minute = (moment - first) // MINUTE
    known = world.settings.disturbances
    return next((one for one in known if one.after_minutes <= minute < one.after_minutes + one.minutes), NONE)


def read(given: Any) -> Disturbance:
    """A disturbance from its data; raises ValueError, with what is wanted, for anything else."""
    if isinstance(given, Disturbance):
        return given
    known = {figure.name for figure in fields(Disturbance)}
    if not isinstance(given, Mapping) or not set(given) <= known:
        raise ValueError(f"a mapping with some of {', '.join(sorted(known))}")
    figures = dict(given)
    for name, value in figures.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            raise ValueError(f"{name}: a number of at least 0")
    whole = {name: int(figures[name]) for name in ("after_minutes", "minutes") if name in figures}
    if any(whole[name] != figures[name] for name in whole) or not 0 <= figures.get("error_rate", 0) <= 1:
        raise ValueError("whole minutes, and an error_rate between 0 and 1")
    return Disturbance(**{**figures, **whole})
