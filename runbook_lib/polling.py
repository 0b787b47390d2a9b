"""When to look at what of a deployment: as seldom as its phase allows, and never more often than a budget of calls.

CodeDeploy shifts by the clock, so the moments at which something can change are known beforehand; between them one look
a minute is enough to see what nobody predicted.  AWS publishes no call rates of CodeDeploy: four calls a minute for
everything are a quarter of what its own waiter, `aws ecs deploy` and dashboards beside them need together.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, get_args

from runbook_lib.deployment import Deployment

Phase = Literal["starting", "install", "ready", "shift", "hold", "fresh", "bake", "over"]
Source = Literal[
    "deployment", "target", "course", "pair", "weights", "failures", "tasks", "metrics", "alarms", "activities"
]

CALLS, WINDOW = 4, timedelta(seconds=60)  # what following may cost: four calls in any minute
SETTLE = timedelta(seconds=5)  # a predicted change is looked for this long after its moment
SOON = timedelta(seconds=60)
AGAIN = timedelta(seconds=30)  # after a reading that was throttled
FRESH = timedelta(minutes=10)  # a version that has just taken all traffic is looked at more often
NEVER = float("inf")

# Phase -> source -> seconds between two looks; what is left out is read only when something else asks for it.
EVERY: Mapping[Phase, Mapping[Source, float]] = {
    "starting": {"target": 20, "deployment": 120},
    # Task starts fail here, and only the stopped tasks say why.
    "install": {"target": 30, "tasks": 60, "metrics": 120, "deployment": 300},
    "ready": {"deployment": 60, "metrics": 60, "target": 300},
    "shift": {"target": 60, "weights": 60, "metrics": 60, "deployment": 240, "alarms": 240},
    "hold": {"target": 120, "metrics": 60, "deployment": 120, "alarms": 180, "weights": 300},
    # At most one call a minute on average over an hour, the renewals of the lease included.
    "fresh": {"metrics": 60, "deployment": 180, "target": 300},
    "bake": {"metrics": 180, "deployment": 300, "alarms": 900},
    "over": {},
}
URGENT: tuple[Source, ...] = get_args(Source)  # their precedence when the minute's calls are short


@dataclass
class Budget:
    """How many calls are left in the running minute."""

    calls: int = CALLS
    window: timedelta = WINDOW
    spent: deque[datetime] = field(default_factory=deque)

    def left(self, now: datetime) -> int:
        """How many calls may be made now."""
        while self.spent and now - self.spent[0] >= self.window:
            self.spent.popleft()
        return self.calls - len(self.spent)

    def spend(self, now: datetime, calls: int = 1) -> None:
        """Write down calls that were made."""
        self.spent.extend([now] * calls)

    def free_in(self, now: datetime) -> float:
        """Seconds until a call may be made; 0 when one may be made now."""
        if self.left(now) > 0:
            return 0.0
        return (self.spent[len(self.spent) - self.calls] + self.window - now).total_seconds()


@dataclass
class Rota:
    """Which sources were read when, and which are due: by their interval, by a predicted change, or on request."""

    budget: Budget = field(default_factory=Budget)
    read: dict[Source, datetime] = field(default_factory=dict)
    wanted: set[Source] = field(default_factory=set)
    later: dict[Source, datetime] = field(default_factory=dict)  # what was not answered is not asked for before

    def ask(self, *sources: Source) -> None:
        """Let these be read at the next look, whatever their interval."""
        self.wanted.update(sources)

    def done(self, source: Source, now: datetime, *, calls: int = 1) -> None:
        """Note that a source was read, and what it cost."""
        self.read[source] = now
        self.wanted.discard(source)
        self.budget.spend(now, calls)

    def failed(self, source: Source, now: datetime) -> None:
        """Note that a source did not answer: it stays as wanted as it was, and is asked again after a while."""
        self.budget.spend(now)
        self.later[source] = now + AGAIN

    def due(self, phase: Phase, now: datetime, changes: Sequence[datetime] = ()) -> Source | None:
        """The source that is to be read next, None when none is due or the minute's calls are used up."""
        if self.budget.left(now) <= 0:
            return None
        return next((s for s in URGENT if self._due_in(s, phase, now, changes) <= 0), None)

    def wait(self, phase: Phase, now: datetime, changes: Sequence[datetime] = ()) -> float:
        """Seconds until the next look is worth its call; at least one."""
        soonest = min((self._due_in(s, phase, now, changes) for s in URGENT), default=NEVER)
        return max(1.0, self.budget.free_in(now), min(soonest, 600.0))

    def _due_in(self, source: Source, phase: Phase, now: datetime, changes: Sequence[datetime]) -> float:
        """Seconds until a source is due; NEVER for one that this phase does not read."""
        due = self._wished_in(source, phase, now, changes)
        return max(due, (self.later[source] - now).total_seconds()) if source in self.later else due

    def _wished_in(self, source: Source, phase: Phase, now: datetime, changes: Sequence[datetime]) -> float:
        if source in self.wanted:
            return 0.0
        every = EVERY[phase].get(source, NEVER)
        last = self.read.get(source)
        if last is None:
            return 0.0 if every < NEVER else NEVER
        by_interval = every - (now - last).total_seconds()
        if source not in ("target", "weights") or every == NEVER:
            return by_interval
        # What moves by the clock is read once, just after each of its moments.
        moments = [at + SETTLE for at in changes if at + SETTLE > last]
        return min([by_interval, *((at - now).total_seconds() for at in moments)])


def phase_of(found: Deployment, now: datetime, changes: Sequence[datetime] = ()) -> Phase:
    """In which phase a deployment is, as far as following goes; `changes` are the predicted moments of its shift."""
    if found.over:
        return "over"
    if not found.events:
        return "starting"
    if found.shifted:
        ends = [event.end for event in found.events if event.end]
        return "fresh" if ends and now - max(ends) < FRESH else "bake"
    if "Ready" in (found.status, found.target_status):
        return "ready"
    if found.began("AllowTraffic") is None:
        return "install"
    return "shift" if any(abs(at - now) <= SOON for at in changes) or now >= max(changes, default=now) else "hold"
