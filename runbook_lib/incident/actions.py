"""What is to be done after an incident, from what was found; each item says where it comes from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from runbook_lib.incident.causes.facts import STRONG
from runbook_lib.incident.harm import Harm
from runbook_lib.incident.look import Incident, Seen
from runbook_lib.sections import Alarms
from runbook_lib.table import Table, table

QUICK = timedelta(minutes=2)  # a judge of every request needs no more (error rates of some percent)


@dataclass(frozen=True)
class Item:
    """Something to do, and why."""

    what: str
    why: str


def items(
    incident: Incident, alarms: Alarms, *, bad_commit: str | None, innocent: str | None, back_to: str | None, logs: bool
) -> tuple[Item, ...]:
    """The action items; `bad_commit` must not be deployed again, `innocent` may.

    `back_to` is the revision that one would go back to, None where none is known; `logs` tells whether access logs are
    kept.
    """
    return (*_at_once(incident, back_to), *_items(incident, alarms, bad_commit, innocent, logs))


def table_of(found: Iterable[Item]) -> Table:
    """The items, numbered."""
    rows = [{"no": number, "what": item.what, "why": item.why} for number, item in enumerate(found, 1)]
    return table("Action items", rows, ("no", "what", "why"))


def _at_once(incident: Incident, back_to: str | None) -> Iterator[Item]:
    """While it lasts: the way back, before anything else."""
    if incident.intervals and incident.intervals.ongoing and incident.blamed:
        where = f"to {back_to}" if back_to else "to a former revision: none of the last releases that went well is left"
        yield Item(f"Go back {where} now (40_roll_back)", f"{incident.blamed} still hurts users")


def _items(
    incident: Incident, alarms: Alarms, bad_commit: str | None, innocent: str | None, logs: bool
) -> Iterator[Item]:
    if incident.harm is None or incident.intervals is None or incident.damage is None:
        return
    strong = [cause for cause in incident.causes if cause.weight == STRONG]
    for cause in strong:
        told = f"; failure modes {', '.join(cause.modes)}: `runbook explain {cause.modes[0]}`" if cause.modes else ""
        yield Item(f"Mend the cause: {cause.what}", f"{cause.evidence[0]}{told}")
    if not strong:
        yield Item("Find the cause", "no evidence is strong: the tables above show what was read, and what is missing")
    if innocent:
        yield Item(f"Release commit {innocent[:7]} again once this is over", "it was taken back, and not by its fault")
    if bad_commit:
        yield Item(
            f"Revert or mend commit {bad_commit[:7]} before anything enters Deploy",
            "the next push would deploy it again; hands = freeze closes the way meanwhile",
        )
    slow = incident.intervals.to_detect
    if slow is None:
        yield Item("Add an alarm that sees this", "nothing noticed it in the window")
    elif slow > QUICK:
        patience = f"{alarms.breaching_minutes} of {alarms.evaluation_minutes} minutes"
        yield Item(
            "Notice it sooner",
            f"it took {_minutes(slow)} to detect; the alarms want {patience} and follow by some more",
        )
    if incident.intervals.decided.at is None:
        yield Item("Decide beforehand who goes back, and when", "nobody acted in the window")
    if incident.damage.budget.worst > 1:
        what = "Release in smaller first steps"
        if not (incident.blamed and _in_a_release(incident.seen, incident.harm)):
            what = "Hold back what may fail until the error budget allows it again"
        yield Item(what, f"this incident alone took {100 * incident.damage.budget.worst:.0f} % of the error budget")
    if not logs:
        yield Item(
            "Let the load balancer write access logs", "without them clients and paths that were hurt are not known"
        )
    for gap in incident.timeline.gaps:
        if any(word in gap.missing for word in ("refused", "AccessDenied")):
            yield Item(f"Let the runbooks read {gap.source}", gap.missing)


def _in_a_release(seen: Seen, harm: Harm) -> bool:
    """Whether harm began while traffic could move: a smaller step would have hurt fewer."""
    releases = (found for found in seen.deployments if not found.goes_back)
    return any(one.created <= harm.start and (one.completed is None or harm.start < one.completed) for one in releases)


def _minutes(span: timedelta) -> str:
    return f"{span.total_seconds() / 60:.0f} min"
