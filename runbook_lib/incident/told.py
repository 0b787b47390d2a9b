"""What the sources tell, and one timeline of it: one clock, the same fact told once with everybody who told it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from runbook_lib.journal import HIDDEN
from runbook_lib.table import Table, table

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

# Two sources mean the same fact when they tell it so close to each other: each has its own lag and rounding.
TOGETHER = timedelta(seconds=60)
MOST_NAMES = 50  # of a call, by which it is known again
CALL = "call "  # so begins the fact of a call


@dataclass(frozen=True)
class Entry:
    """One thing that happened.

    `fact` names it the same way in every source that knows it ("call NAME" is a call of AWS's); `kind` is change,
    delivery, traffic, alarm, task, health, scaling, log or run.
    """

    at: datetime
    kind: str
    what: str
    source: str
    fact: str
    link: str = ""
    who: str = ""  # who did it, where that is known
    also: tuple[str, ...] = ()  # further sources that told it
    on: tuple[str, ...] = ()  # names and ids of what a call touches, where they are known

    @property
    def call(self) -> str:
        """The name of the call, such as ModifyListener; empty when it is none."""
        return self.fact.removeprefix(CALL) if self.fact.startswith(CALL) else ""

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

    What one source tells twice happened twice: of several that it may be, the same is the one that has most in common
    with it, and the nearest of those.
    """
    told = tuple(told)
    merged: dict[str, list[Entry]] = {}
    for entry in sorted((entry for one in told for entry in one.entries), key=lambda entry: (entry.at, entry.source)):
        same = merged.setdefault(entry.fact, [])
        twins = [n for n, known in enumerate(same) if _twins(known, entry)]
        if twins:
            likest = max(twins, key=lambda n: (len(set(same[n].on) & set(entry.on)), same[n].at))
            same[likest] = _joined(same[likest], entry)
        else:
            same.append(entry)
    entries = (entry for same in merged.values() for entry in same)
    return Timeline(tuple(sorted(entries, key=lambda entry: (entry.at, entry.fact))), told)


def may_be_same(one: Entry, other: Entry) -> bool:
    """Whether two entries may tell the same fact: what both know of it, by whom and on what, is no contradiction."""
    by_another = one.who and other.who and one.who != other.who
    elsewhere = one.on and other.on and not set(one.on) & set(other.on)
    return one.fact == other.fact and not by_another and not elsewhere


def names_in(value: Any) -> tuple[str, ...]:
    """The texts that stand as values in what a call was given, at most MOST_NAMES: what it touches is among them."""
    return tuple(islice(dict.fromkeys(text for text in _leaves(value) if text != HIDDEN), MOST_NAMES))


def _leaves(value: Any) -> Iterator[str]:
    """Every text that stands as a value in it, with the name at the end of an ARN beside it."""
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from _leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner)
    elif isinstance(value, str) and value:
        yield value
        if value.startswith("arn:"):
            yield value.rpartition("/" if "/" in value else ":")[2]


def _twins(known: Entry, entry: Entry) -> bool:
    near = entry.at - known.at <= TOGETHER
    return near and entry.source not in (known.source, *known.also) and may_be_same(known, entry)


def _joined(known: Entry, entry: Entry) -> Entry:
    """One entry of two, as the earlier one tells it, with what the other knows beside that."""
    return replace(
        known,
        also=(*known.also, entry.source),
        link=known.link or entry.link,
        who=known.who or entry.who,
        on=tuple(dict.fromkeys((*known.on, *entry.on))),
    )
