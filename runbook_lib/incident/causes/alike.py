"""Harm that every version felt alike, or that no version of ours explains: something that they depend on."""

from __future__ import annotations

from runbook_lib.incident.causes.facts import MORE, SOON, STRONG, WEAK, Cause, Facts, ms, percent

DEPENDENCY = "something outside the versions: a dependency"


def ask(facts: Facts) -> list[Cause]:
    """A dependency: strong where two versions failed alike, or where it broke and mended at once."""
    versions = facts.versions()
    if len(versions) > 1:
        (one, first), (other, second) = versions[:2]
        low, high = sorted((first.rate, second.rate))
        if low and high <= MORE * low:
            told = f"{one.role} failed {percent(first.rate)} and {other.role} {percent(second.rate)}: alike"
            return [Cause(DEPENDENCY, STRONG, (told, *facts.where(), *_no_release(facts)))]
    if not versions or len(versions) > 1:
        return []
    tenure, seen = versions[0]
    usual = facts.harm.usual
    told = f"{tenure.role} failed {percent(seen.rate)} of its requests, {percent(usual.error_rate)} are usual"
    if "latency" in facts.harm.by:
        told += f"; its p99 reached {ms(seen.p99)}, {ms(usual.p99)} are usual"
    sudden = _sudden(facts)
    how = "it was at its worst from the start, while every task ran" if sudden else "no task stopped"
    return [Cause(DEPENDENCY, STRONG if sudden else WEAK, (told, how, *facts.where(), *_no_release(facts)))]


def _no_release(facts: Facts) -> list[str]:
    near = any(facts.harm.start - SOON <= found.created < facts.harm.start for found in facts.deployments)
    return [] if near else [f"no deployment began in the {SOON.seconds // 60} minutes before"]


def _sudden(facts: Facts) -> bool:
    """Whether its first minutes hurt at least half as much as its worst: what breaks, breaks at once."""
    rates = [moment.failed / moment.requests for moment in facts.harm.minutes if moment.requests]
    slow = [moment.p99 or 0.0 for moment in facts.harm.minutes]
    felt = rates if "errors" in facts.harm.by else slow
    return bool(felt) and max(felt[:2]) >= 0.5 * max(felt)
