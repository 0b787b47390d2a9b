"""What may have caused it, each candidate with what speaks for it; "not known" when nothing does."""

from __future__ import annotations

from collections.abc import Iterable

from runbook_lib.incident.causes import alike, crowd, outage, people, release, tasks
from runbook_lib.incident.causes.facts import STRONG, Cause, Facts
from runbook_lib.table import Table, table

__all__ = ["STRONG", "Cause", "Facts", "causes", "causes_table"]

# What explains an incident by itself; only where none of them does, something outside is looked for.
FIRST = (release.ask, outage.ask, tasks.leak, tasks.stopped, crowd.ask)


def causes(facts: Facts) -> tuple[Cause, ...]:
    """The candidates, those with the most behind them first; empty when nothing speaks for anything: not known."""
    found = [cause for ask in FIRST for cause in ask(facts)]
    if not any(cause.weight == STRONG for cause in found):
        found += alike.ask(facts)
    found += people.ask(facts)
    return tuple(sorted(found, key=lambda cause: cause.weight != STRONG))


def causes_table(found: Iterable[Cause]) -> Table:
    """The candidates with their evidence."""
    rows = [
        {
            "cause": cause.what,
            "evidence is": cause.weight,
            "because": "; ".join(cause.evidence),
            "failure modes": ", ".join(cause.modes) or None,
        }
        for cause in found
    ]
    unknown = [{"cause": "not known", "evidence is": "-", "because": "nothing that was read speaks for a cause"}]
    return table("Causes", rows or unknown, ("cause", "evidence is", "because", "failure modes"))
