"""Nobody there: requests for which the load balancer found no target."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from runbook_lib.incident.causes.facts import SOON, STRONG, Cause, Facts
from runbook_lib.incident.told import Entry
from runbook_lib.metric import NO_GROUP

NOTABLE = 0.1  # of the failed requests
# Calls that take targets out of service, or the tasks behind them.
TAKES_OUT = frozenset(
    {"DeleteService", "DeleteTargetGroup", "DeleteTaskSet", "DeregisterTargets", "StopTask", "UpdateService"}
)
MOST = 3  # of such calls, the last ones


def ask(facts: Facts) -> list[Cause]:
    """What the load balancer answered by itself, when the targets went, and the calls that take them out of service."""
    lost = sum(minute.failed or 0 for minute in facts.measured.of(NO_GROUP) if facts.during(minute))
    failed = facts.damage.sum("failed")
    if not lost or lost < NOTABLE * failed:
        return []
    since = facts.harm.start - SOON
    went = [e for e in facts.timeline.of("health") if since <= e.at < facts.harm.end and "-> none" in e.what]
    told = f"{lost:.0f} of {failed:.0f} failed requests found no target: the load balancer answered them itself"
    seen = (f"{entry.at:%H:%M} {entry.what}" for entry in (*_took(facts, went), *went))
    return [Cause("no target was in service", STRONG, (told, *seen))]


def _took(facts: Facts, went: Sequence[Entry]) -> list[Entry]:
    """The calls just before the targets had gone; health is told by the minute, so a call within it counts."""
    if not went:
        return []
    since, until = facts.harm.start - SOON, max(entry.at for entry in went) + timedelta(minutes=1)
    calls = (entry for entry in facts.timeline.of("change") if entry.call in TAKES_OUT and since <= entry.at < until)
    return list(calls)[-MOST:]
