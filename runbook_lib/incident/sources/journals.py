"""The runbooks' own journals: what was judged, decided and done, by the clock of the machine that ran them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from statistics import median

from runbook_lib.accesslog.window import Window
from runbook_lib.check import Verdict
from runbook_lib.incident.told import CALL, Entry, Told, may_be_same, names_in
from runbook_lib.journal import Entry as Line

SOURCE = "journal"
ALLOWED = timedelta(seconds=5)  # between two clocks and the calls' own time: less is no skew
PARTS = re.compile(r"[@/ :]+")  # of how a step says what it touches: orders@main, orders/Deploy
# The runbooks' own books lie in objects of S3: the lease, what scaling was like, what is left to tear down.  Writing
# them changes nothing of the service, and the event history does not show them either: they are data events.
OWN_BOOKS = frozenset({"s3:PutObject", "s3:DeleteObject"})


def told(lines: Iterable[Line], window: Window, *, trail: Sequence[Entry]) -> Told:
    """What the journals say of a window, by AWS's clock: calls that CloudTrail tells too show how far it is off.

    What they wrote into their own books (OWN_BOOKS) is left out.
    """
    found = list(_told(lines))
    skew = skew_of(found, trail)
    moved = tuple(replace(entry, at=entry.at - skew) for entry in found)
    kept = tuple(entry for entry in moved if window.holds(entry.at))
    ahead = "ahead of" if skew > timedelta(0) else "behind"
    far = abs(skew).total_seconds()
    said = f"the runner's clock was {far:.0f} s {ahead} AWS's: its times are corrected" if skew else ""
    return Told(SOURCE, kept, missing=said)


def skew_of(entries: Sequence[Entry], trail: Sequence[Entry]) -> timedelta:
    """How far the journals' clock is ahead of AWS's, by the calls that both told; 0 where it does not matter.

    A call is matched with the nearest within ten minutes that may be the same; at least two are wanted.
    """
    apart = []
    for entry in entries:
        same = [other.at for other in trail if may_be_same(other, entry)]
        nearest = min((entry.at - at for at in same), key=abs, default=None)
        if nearest is not None and abs(nearest) < timedelta(minutes=10):
            apart.append(nearest.total_seconds())
    found = timedelta(seconds=round(median(apart))) if len(apart) > 1 else timedelta(0)
    return found if abs(found) > ALLOWED else timedelta(0)


def _told(lines: Iterable[Line]) -> Iterator[Entry]:
    """The entries of several journals, one behind the other; a run's first line says who runs it."""
    who: str = ""
    given: tuple[str, ...] = ()  # to the call that is being made
    for line in lines:
        if line.number == 1:  # another journal
            who = caller(line.fields.get("who", "")) if line.kind == "begin" else ""
        if line.kind == "intent":
            given = names_in([line.fields["touches"], PARTS.split(line.fields["touches"]), line.fields["arguments"]])
        yield from (replace(entry, who=who, on=given if entry.call else ()) for entry in _entries(line))
        if line.kind == "step":
            given = ()


def caller(arn: str) -> str:
    """Who an ARN of a caller names, as CloudTrail does: the user, the role's session, or root."""
    return arn.rpartition("/" if "/" in arn else ":")[2]


def _entries(line: Line) -> Iterator[Entry]:
    at, told = datetime.fromisoformat(line.at), line.fields
    if line.kind == "step" and told.get("done") and told["call"] not in OWN_BOOKS:
        action = told["call"].partition(":")[2]
        yield Entry(at, "change", f"runbook: {action} {told['touches']}", SOURCE, f"{CALL}{action}")
    elif line.kind == "checks" and told["verdict"] != str(Verdict.SKIP):  # nothing was asked: nothing happened
        yield Entry(at, "run", f"{told['title']}: {told['verdict']}", SOURCE, f"checks {told['title']} {line.number}")
    elif line.kind == "gate":
        what = "opened" if told.get("opened") else "closed"
        yield Entry(at, "run", f"gate {told.get('title', '')} {what}", SOURCE, f"gate {line.number} {line.at}")
    elif line.kind == "decide":
        yield Entry(at, "run", str(told["said"]), SOURCE, f"decide {line.number} {line.at}")
