"""Alarms and log lines."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

from runbook_lib.accesslog.window import Window
from runbook_lib.account import Account
from runbook_lib.incident import links, redact
from runbook_lib.incident.told import Entry, Told
from runbook_lib.incident.window import moment_format
from runbook_lib.system import System

ALARMS, LOGS = "CloudWatch alarms", "Logs"
HISTORY = timedelta(days=30)  # how long alarms keep their history (CloudWatch API, DescribeAlarmHistory)
# Any of these words in a line; Logs' pattern for "one of" is a question mark before each.
LEVELS = "?ERROR ?Error ?error ?FATAL ?CRITICAL ?Exception ?Traceback ?panic"
MOST_LINES = 2_000
MOST_TEXT = 200  # letters of a line
MOST_STRETCHES = 100
QUIET = timedelta(minutes=5)  # without a line of its kind: the next one begins another stretch
SURGE, AT_LEAST = 5.0, 10  # times the usual lines in a minute, and lines in it, that make a surge
# What lines alike may differ in; not in a version's number (three parts): who wrote a line is worth knowing.
VERSION = r"(?<![\d.])\d{1,4}\.\d{1,4}\.\d{1,6}(?![\d.])"
NUMBERS = re.compile(rf"({VERSION})|0x[0-9a-f]+|[0-9a-f]{{8,}}|\d+", re.IGNORECASE)


def alarms(account: Account, system: System, window: Window) -> Told:
    """When the alarms changed their state, and why."""
    client = account.client("cloudwatch")
    names = (*system.alarms, f"{system.name}-rolling-errors")
    entries = []
    for name in names:
        pages = client.get_paginator("describe_alarm_history").paginate(
            AlarmName=name, HistoryItemType="StateUpdate", StartDate=window.start, EndDate=window.end
        )
        entries += [_change(system, item) for page in pages for item in page["AlarmHistoryItems"]]
    old = window.start < account.clock.now() - HISTORY
    missing = f"alarms keep their history for {HISTORY.days} days" if old else ""
    return Told(ALARMS, tuple(entry for entry in entries if window.holds(entry.at)), missing=missing)


@dataclass(frozen=True)
class Line:
    """A line of the application's log: its first line of text, without what is to be hidden, at most MOST_TEXT long."""

    at: datetime
    text: str

    @property
    def kind(self) -> str:
        """What lines alike have in common."""
        return NUMBERS.sub(lambda found: found[1] or "#", self.text)


@dataclass(frozen=True)
class Stretch:
    """Lines alike that follow each other, by time; of a surge `usual` is how many a minute came before (else None)."""

    lines: tuple[Line, ...]
    usual: float | None

    @property
    def first(self) -> Line:
        return self.lines[0]

    @property
    def last(self) -> Line:
        return self.lines[-1]

    def told(self, form: str) -> str:
        """The first of them, with how many there are and until when."""
        if len(self.lines) == 1:
            return self.first.text
        surge = "" if self.usual is None else f", {self.usual:.1f} a minute before"
        return f"{self.first.text} ({len(self.lines)} times until {self.last.at.strftime(form)}{surge})"


def errors(account: Account, system: System, window: Window) -> Told:
    """Log lines at error level; those that differ in numbers alone, versions apart, are one entry a stretch."""
    client = account.client("logs")
    try:
        pages = client.get_paginator("filter_log_events").paginate(
            logGroupName=system.log_group,
            startTime=int(window.start.timestamp() * 1000),
            endTime=int(window.end.timestamp() * 1000),
            filterPattern=LEVELS,
            PaginationConfig={"MaxItems": MOST_LINES},
        )
        lines = [_line(event) for page in pages for event in page["events"]]
    except client.exceptions.ResourceNotFoundException:
        return Told(LOGS, missing=f"there is no log group {system.log_group}")
    form = moment_format(window)
    found = [stretch for alike in in_kinds(lines).values() for stretch in stretches(alike)]
    shown = sorted(found, key=lambda one: -len(one.lines))[:MOST_STRETCHES]
    missing = []
    if len(lines) >= MOST_LINES:
        until = max(line.at for line in lines).strftime(form)
        missing.append(f"only the first {MOST_LINES} lines were read, until {until}")
    if len(found) > len(shown):
        missing.append(f"{len(found) - len(shown)} stretches of lines alike with the fewest of them are left out")
    return Told(LOGS, tuple(_entry(system, one, form) for one in shown), missing="; ".join(missing))


def _line(event: Mapping[str, Any]) -> Line:
    text = next(iter(event["message"].strip().splitlines()), "")
    return Line(datetime.fromtimestamp(event["timestamp"] / 1000, UTC), redact.log_line(text)[:MOST_TEXT])


def _change(system: System, item: Mapping[str, Any]) -> Entry:
    told = json.loads(item["HistoryData"])
    name, state = item["AlarmName"], told["newState"]
    what = f"{name}: {told['oldState']['stateValue']} -> {state['stateValue']}: {state.get('stateReason', '')}"
    fact = f"alarm {name} {state['stateValue']}"
    return Entry(item["Timestamp"], "alarm", what, ALARMS, fact, links.alarm(system, name))


def in_kinds(lines: Iterable[Line]) -> dict[str, list[Line]]:
    """Lines that differ in numbers alone (not in versions), by what they have in common; each kind by time."""
    found: dict[str, list[Line]] = {}
    for line in sorted(lines, key=lambda line: line.at):
        found.setdefault(line.kind, []).append(line)
    return found


def stretches(alike: Iterable[Line]) -> Iterator[Stretch]:
    """Lines alike in their stretches: cut where none came for QUIET, and where a minute has far more than those before.

    Far more is AT_LEAST lines, and SURGE times what each minute of the stretch so far had.
    """
    stretch: Stretch | None = None
    for minute, group in groupby(alike, key=lambda line: line.at.replace(second=0, microsecond=0)):
        lines = tuple(group)
        if stretch is None or lines[0].at - stretch.last.at > QUIET:
            cut, usual = True, None
        else:
            since = (minute - stretch.first.at.replace(second=0, microsecond=0)) / timedelta(minutes=1)
            usual = len(stretch.lines) / since
            cut = len(lines) >= max(AT_LEAST, SURGE * usual)
        if cut:
            if stretch:
                yield stretch
            stretch = Stretch(lines, usual)
        elif stretch:
            stretch = replace(stretch, lines=(*stretch.lines, *lines))
    if stretch:
        yield stretch


def _entry(system: System, found: Stretch, form: str) -> Entry:
    return Entry(found.first.at, "log", found.told(form), LOGS, f"log {found.first.kind}", links.log_group(system))
