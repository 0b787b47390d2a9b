"""Harm that every version felt alike, or that no version of ours explains: something that they depend on."""

from __future__ import annotations

import re
from collections.abc import Sequence

from runbook_lib.incident.causes.facts import MORE, SOON, STRONG, WEAK, Cause, Facts, Served, ms, percent
from runbook_lib.incident.harm import SLOWER

DEPENDENCY = "something outside the versions: a dependency"
UNKNOWN = "something outside the releases: a dependency, configuration or data"
# What an application writes when somebody else does not answer it.
OUTSIDE = re.compile(
    r"upstream|timed? ?out|unreachable|connection (?:refused|reset)|could not connect|ECONN|throttl", re.IGNORECASE
)
ACTS = ("change", "traffic", "scaling", "task")  # after which something may be another than before


def ask(facts: Facts) -> list[Cause]:
    """A dependency: strong where two versions felt the same, where logs say so, or where it mended by itself."""
    versions = facts.versions()
    beside = facts.together()
    compared = beside if len(beside) > 1 else versions
    if len(compared) > 1:
        told = _alike(facts, compared)
        if told is None:
            return []
        alike = f"{told}, in the minutes in which both had traffic" if compared is beside else told
        return [Cause(DEPENDENCY, STRONG, (alike, *facts.where(), *_no_release(facts)), clears=True)]
    return [_alone(facts, *versions[0])] if versions else []


def _alone(facts: Facts, version: str, seen: Served) -> Cause:
    """Of one version: what speaks against a fault of its own."""
    usual = facts.harm.usual
    told = f"{version} failed {percent(seen.rate)} of its requests, {percent(usual.error_rate)} are usual"
    if "latency" in facts.harm.by:
        told += f"; its p99 reached {ms(seen.p99)}, {ms(usual.p99)} are usual"
    logs = _logs(facts)
    itself = _sudden(facts) and _mended_itself(facts)
    how = ["it was at its worst from the start, and ended while nothing was changed"] if itself else []
    strong = bool(logs) or itself
    evidence = (told, *logs, *how, *facts.where(), *_no_release(facts))
    return Cause(DEPENDENCY if strong else UNKNOWN, STRONG if strong else WEAK, evidence)


def _alike(facts: Facts, versions: Sequence[tuple[str, Served]]) -> str | None:
    """How two versions felt the same of what hurt, both more than usual; None: they did not."""
    (one, first), (other, second) = versions[:2]
    usual = facts.harm.usual
    if "errors" in facts.harm.by:
        low, high = sorted((first.rate, second.rate))
        if low > MORE * usual.error_rate and high <= MORE * low:
            return f"{one} failed {percent(first.rate)} and {other} {percent(second.rate)}: alike"
        return None
    low, high = sorted((first.p99, second.p99))
    if low > SLOWER * (usual.p99 or 0.0) and high <= SLOWER * low:
        return f"the p99 of {one} reached {ms(first.p99)} and that of {other} {ms(second.p99)}: alike"
    return None


def _logs(facts: Facts) -> list[str]:
    """What the application wrote during the harm about somebody else."""
    lines = [e.what for e in facts.timeline.of("log") if facts.harm.start <= e.at < facts.harm.end]
    return [f"the log says: {line}" for line in lines if OUTSIDE.search(line)][:2]


def _no_release(facts: Facts) -> list[str]:
    near = any(facts.harm.start - SOON <= found.created < facts.harm.start for found in facts.deployments)
    return [] if near else [f"no deployment began in the {SOON.seconds // 60} minutes before"]


def _mended_itself(facts: Facts) -> bool:
    """Whether it has ended, and nobody had changed anything since shortly before it began."""
    ended = facts.harm.end < facts.measured.end
    acts = (e for e in facts.timeline.of(*ACTS) if facts.harm.start - SOON <= e.at < facts.harm.end)
    return ended and not any(acts)


def _sudden(facts: Facts) -> bool:
    """Whether its first minutes hurt at least half as much as its worst: what breaks, breaks at once."""
    rates = [moment.failed / moment.requests for moment in facts.harm.minutes if moment.requests]
    slow = [moment.p99 or 0.0 for moment in facts.harm.minutes]
    felt = rates if "errors" in facts.harm.by else slow
    return bool(felt) and max(felt[:2]) >= 0.5 * max(felt)
