"""The tasks: versions that become slower with their age, and tasks that stop."""

from __future__ import annotations

import re
from collections.abc import Sequence

from runbook_lib.incident.causes.facts import SOON, STRONG, WEAK, Cause, Facts, ms
from runbook_lib.incident.told import Entry
from runbook_lib.preflight.decode import decode

GROWTH = 1.3  # times the median latency at the beginning
STEADY = 0.9  # rank correlation with time of a series that grows all the time
SHORTEST = 10  # minutes, below which nothing is called a growth
# An application that exits, grows or answers its container's check with no is at fault itself; retired hosts, reclaimed
# Spot capacity or a registry out of reach are not. ECS's words may change: a reason that is not known blames nobody.
# OutOfMemoryError is of the ECS developer guide (stopped-task-error-codes); the other words no source promises.
OWN = ("Essential container in task exited", "OutOfMemory", "failed container health checks")
OF_REVISION = re.compile(r" of (\S+) stopped: ")
TOLD_TO = ("Scaling activity", "Task stopped by user")  # why tasks stop that nothing is wrong with


def leak(facts: Facts) -> list[Cause]:
    """A version whose median latency grew all the time until users were hurt by it."""
    if "latency" not in facts.harm.by:
        return []
    grown = {version: points for version, points in _medians(facts).items() if _grows(points)}
    if not grown:
        return []
    version, points = max(grown.items(), key=lambda one: len(one[1]))
    grew = f"its median latency rose from {ms(points[0])} to {ms(points[-1])} in {len(points)} minutes, all the time"
    fresh = [e.what for e in facts.timeline.of("task") if "has started" in e.what and e.at >= facts.harm.end - SOON]
    evidence = (grew, f"it ended after {fresh[0]}") if fresh else (grew,)
    known = version if any(tenure.revision == version for tenure in facts.tenures) else None
    return [Cause(f"{version} becomes slower with its age: a leak", STRONG, evidence, version=known)]


def stopped(facts: Facts) -> list[Cause]:
    """Tasks that stopped without being told to."""
    dying = _dying(facts)
    if not dying:
        return []
    modes = tuple(dict.fromkeys(story.id for entry in dying for story in decode(entry.what)))
    said = tuple(dict.fromkeys(entry.what for entry in dying))[:3]
    lost = facts.damage.sum("failed") - facts.damage.sum("own_errors")
    unanswered = f"{lost:.0f} requests had no answer of a target"
    weight = STRONG if lost else WEAK
    return [Cause(f"tasks that stop: {len(dying)} did", weight, (*said, unanswered), modes, version=_fault(dying))]


def _fault(dying: Sequence[Entry]) -> str | None:
    """The one revision whose application ended itself; None where something else stopped its tasks."""
    own = all(any(reason in entry.what for reason in OWN) for entry in dying)
    revisions = {found.group(1) for entry in dying if (found := OF_REVISION.search(entry.what))}
    return revisions.pop() if own and len(revisions) == 1 else None


def _medians(facts: Facts) -> dict[str, list[float]]:
    """The median latency of each version until the end of the harm, minute by minute, in whatever roles it served."""
    found: dict[str, list[float]] = {}
    for tenure in facts.tenures:
        points = [m.p50 for m in facts.minutes(tenure) if m.p50 is not None and m.at < facts.harm.end]
        found.setdefault(tenure.revision or tenure.group, []).extend(points)
    return found


def _grows(points: Sequence[float]) -> bool:
    return len(points) >= SHORTEST and points[-1] > GROWTH * points[0] and _rank(points) > STEADY


def _dying(facts: Facts) -> list[Entry]:
    since, until = facts.harm.start - SOON, facts.harm.end
    stops = (e for e in facts.timeline.of("task") if since <= e.at < until and " stopped: " in e.what)
    return [entry for entry in stops if not any(reason in entry.what for reason in TOLD_TO)]


def _rank(points: Sequence[float]) -> float:
    """How steadily a series grows: Spearman's rank correlation with time, 1 for always."""
    many = len(points)
    rank = {n: place for place, n in enumerate(sorted(range(many), key=lambda n: points[n]))}
    return 1 - 6 * sum((rank[n] - n) ** 2 for n in range(many)) / (many * (many**2 - 1))
