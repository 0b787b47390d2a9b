"""The release: harm that began when its traffic moved, and is the new version's alone."""

from __future__ import annotations

import math
from datetime import timedelta

from runbook_lib.deployment import Deployment
from runbook_lib.incident.causes.facts import (
    MORE,
    SOON,
    STRONG,
    WEAK,
    Cause,
    Facts,
    Served,
    listed,
    ms,
    percent,
    served,
)
from runbook_lib.incident.harm import SLOWER
from runbook_lib.incident.roles import BLUE, GREEN, Tenure
from runbook_lib.preflight.decode import decode

APART = 3.0  # standard errors between two shares of failures that are told apart
ROUNDING = timedelta(minutes=1)  # harm is known by the minute


def ask(facts: Facts) -> list[Cause]:
    """Each release whose version did worse than the former one, after its traffic had moved."""
    releases = (found for found in facts.deployments if found.rolls_back is None)
    return [cause for found in releases for cause in _asked(facts, found)]


def _asked(facts: Facts, found: Deployment) -> list[Cause]:
    moved = next((event.start for event in found.events if event.name == "AllowTraffic" and event.start), None)
    if moved is None or facts.harm.start < moved - ROUNDING:
        return []
    green, blue = (
        next((t for t in facts.tenures if t.deployment == found.id and t.role == role), None) for role in (GREEN, BLUE)
    )
    worse = _worse(facts, green, blue)
    if green is None:
        return []
    if worse is None:
        return _soon(facts, found, green)
    late = max(timedelta(0), facts.harm.start - moved).total_seconds() / 60
    evidence = [worse, f"harm began {late:.0f} min after its traffic moved"]
    if found.completed and found.status in ("Stopped", "Failed") and facts.harm.end >= found.completed:
        evidence.append("it ended when the deployment was taken back")
    modes = tuple(story.id for story in decode(found.error or ""))
    what = _named(found, green)
    return [Cause(what, STRONG, (*evidence, *facts.where(), *_changed(facts)), modes, version=green.revision)]


def _soon(facts: Facts, found: Deployment, green: Tenure) -> list[Cause]:
    """A release that had ended well shortly before: nobody is left to compare its version with."""
    alone = [version for version, _ in facts.versions()] == [green.revision]
    if found.completed is None or not alone or not found.completed <= facts.harm.start < found.completed + SOON:
        return []
    late = (facts.harm.start - found.completed).total_seconds() / 60
    told = f"harm began {late:.0f} min after it had ended, and no other version had traffic to compare with"
    return [Cause(_named(found, green), WEAK, (told, *facts.where(), *_changed(facts)), version=green.revision)]


def _worse(facts: Facts, new: Tenure | None, former: Tenure | None) -> str | None:
    """How green did worse than blue in the same minutes, or than usual where blue had no traffic; None: it did not."""
    both = {minute.at for minute in facts.minutes(new)} & {minute.at for minute in facts.minutes(former)}
    green, blue = (
        served(m for m in facts.minutes(tenure) if facts.during(m) and (not both or m.at in both))
        for tenure in (new, former if both else None)
    )
    if green is None:
        return None
    usual = facts.harm.usual
    other = blue.rate if blue else usual.error_rate
    if green.rate > MORE * max(other, 1 / green.requests) and (blue is None or _apart(green, blue) > APART):
        beside = f"blue {percent(other)} in the same minutes" if blue else f"{percent(other)} are usual"
        return f"green failed {percent(green.rate)} of its requests, {beside}"
    p99 = blue.p99 if blue else usual.p99 or 0.0
    if "latency" in facts.harm.by and green.p99 > SLOWER * p99:
        return f"green's p99 was {ms(green.p99)}, {'blue' if blue else 'the usual'} {ms(p99)}"
    return None


def _named(found: Deployment, green: Tenure) -> str:
    return f"the release {found.id} ({green.revision or 'its revision is not known'})"


def _changed(facts: Facts) -> list[str]:
    told = [f"it changed {listed(one.field for one in facts.differences)}"] if facts.differences else []
    return told + ([f"its commit touches {listed(facts.files) or 'no file'}"] if facts.files is not None else [])


def _apart(one: Served, other: Served) -> float:
    """How many standard errors two shares of failures are apart (pooled two-sample test of proportions)."""
    pooled = (one.failed + other.failed) / (one.requests + other.requests)
    error = math.sqrt(pooled * (1 - pooled) * (1 / one.requests + 1 / other.requests))
    return (one.rate - other.rate) / error if error else 0.0
