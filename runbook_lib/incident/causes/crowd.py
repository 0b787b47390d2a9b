"""The users: more requests than usual."""

from __future__ import annotations

from statistics import median

from runbook_lib.incident.causes.facts import STRONG, WEAK, Cause, Facts

BURST, CROWD = 1.5, 3.0  # times the usual requests: perhaps, and surely


def ask(facts: Facts) -> list[Cause]:
    """A burst that began with the harm."""
    usual = median(moment.requests for moment in facts.harm.moments)
    first = max((moment.requests for moment in facts.harm.minutes[:3]), default=0.0)
    if not usual or first < BURST * usual:
        return []
    told = f"{first:.0f} requests a minute, {usual:.0f} are usual"
    return [Cause("more requests than usual", STRONG if first >= CROWD * usual else WEAK, (told,))]
