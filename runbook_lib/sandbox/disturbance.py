"""What happens to all versions alike for some minutes: a dependency that fails or is slow, a burst of requests.

A release has no part in it: that is what a look back must be able to tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

from runbook_lib.errors import BadInput

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
    """What holds at a moment: the first disturbance of the settings, then of the stories, that covers it; else none."""
    from runbook_lib.sandbox.traffic.tally import store

    first = world.settings.start - world.settings.start % MINUTE
    minute = (moment - first) // MINUTE
    known = chain(world.settings.disturbances, *store(world).stories.values())
    return next((one for one in known if one.after_minutes <= minute < one.after_minutes + one.minutes), NONE)


def tell(world: World, story: str, given: Iterable[Disturbance]) -> None:
    """Let a story happen in a world; told again it replaces what was told of it.

    Raises BadInput with live traffic: real processes cannot be disturbed.
    """
    from runbook_lib.sandbox.traffic.tally import store

    if world.settings.traffic == "live":
        raise BadInput(
            where=f"world {story}",
            seen="live traffic",
            wanted="modelled traffic: real processes cannot be disturbed",
            next_step="leave sandbox.traffic out of the parameters",
        )
    store(world).stories[story] = tuple(given)


def told(world: World) -> frozenset[str]:
    """The names of the stories that a world was told."""
    from runbook_lib.sandbox.traffic.tally import store

    return frozenset(store(world).stories)


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
