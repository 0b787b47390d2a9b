"""What the sources tell, and one timeline of it: one clock, the same fact told once with everybody who told it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from runbook_lib.table import Table, table

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

# Two sources mean the same fact when they tell it so close to each other: each has its own lag and rounding.
TOGETHER = timedelta(seconds=60)


@dataclass(frozen=True)
class Entry:
    """One thing that happened.

    `fact` names it the same way in every source that knows it; `kind` is change, delivery, traffic, alarm, task,
    health, scaling, log or run.
    """

    at: datetime
    kind: str
    what: str
    source: str
    fact: str
    link: str = ""
    who: str = ""  # who did it, where that is known
    also: tuple[str, ...] = ()  # further sources that told it

    @property
    def sources(self) -> str:
        return ", ".join((self.source, *self.also))


@dataclass(frozen=True)
class Told:
    """What one source told of a window; `missing` says why it told nothing or not all."""

    source: str
    entries: tuple[Entry, ...] = ()
    missing: str = ""


@dataclass(frozen=True)
class Timeline:
    """The entries of all sources by time, and what each source could not tell."""

    entries: tuple[Entry, ...]
    told: tuple[Told, ...] = field(repr=False)

    @property
    def gaps(self) -> tuple[Told, ...]:
        return tuple(one for one in self.told if one.missing)

    def of(self, *kinds: str) -> tuple[Entry, ...]:
        return tuple(entry for entry in self.entries if entry.kind in kinds)

    def table(self, *, linked: bool, form: str = "%H:%M:%S") -> Table:
        """The timeline, one line each; who told it links to the page of the console, if there is one (`linked`).

        `form` is how its moments are written: `window.moment_format` knows it.
        """
        rows = [
            {"UTC": entry.at.strftime(form), "what": entry.what, "kind": entry.kind, "told by": entry.sources}
            for entry in self.entries
        ]
        found = table("Timeline", rows, ("UTC", "what", "kind", "told by"))
        links = {(number, 3): entry.link for number, entry in enumerate(self.entries) if entry.link}
        return replace(found, links=links if linked else {})


def refusal(error: ClientError) -> str:
    """What AWS refused, in its own words: why a source told nothing."""
    told = error.response["Error"]
    return f"{error.operation_name} was refused: {told['Code']}: {told.get('Message', '')}"


def timeline(told: Iterable[Told]) -> Timeline:
    """The entries of all sources in the order of time; the same fact within a minute is one entry, at its earliest.

    What one source tells twice happened twice.
    """
    told = tuple(told)
    merged: dict[str, list[Entry]] = {}
    for entry in sorted((entry for one in told for entry in one.entries), key=lambda entry: (entry.at, entry.source)):
        same = merged.setdefault(entry.fact, [])
        twin = next((n for n, known in enumerate(same) if _twins(known, entry)), None)
        if twin is None:
            same.append(entry)
        else:
            same[twin] = replace(same[twin], also=(*same[twin].also, entry.source), link=same[twin].link or entry.link)
    entries = (entry for same in merged.values() for entry in same)
    return Timeline(tuple(sorted(entries, key=lambda entry: (entry.at, entry.fact))), told)


def _twins(known: Entry, entry: Entry) -> bool:
    return entry.at - known.at <= TOGETHER and entry.source not in (known.source, *known.also)
