"""Nobody there: requests for which the load balancer found no target."""

from __future__ import annotations

from runbook_lib.incident.causes.facts import SOON, STRONG, Cause, Facts
from runbook_lib.metric import NO_GROUP

NOTABLE = 0.1  # of the failed requests


def ask(facts: Facts) -> list[Cause]:
    """What the load balancer answered by itself, and when the targets went; who made them go is another question."""
    lost = sum(minute.failed or 0 for minute in facts.measured.of(NO_GROUP) if facts.during(minute))
    failed = facts.damage.sum("failed")
    if not lost or lost < NOTABLE * failed:
        return []
    since = facts.harm.start - SOON
    went = [e for e in facts.timeline.of("health") if since <= e.at < facts.harm.end and "-> none" in e.what]
    told = f"{lost:.0f} of {failed:.0f} failed requests found no target: the load balancer answered them itself"
    return [Cause("no target was in service", STRONG, (told, *(f"{e.at:%H:%M} {e.what}" for e in went)))]
