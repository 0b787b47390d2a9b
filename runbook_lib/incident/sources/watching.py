"""Alarms and log lines."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from runbook_lib.accesslog.window import Window
from runbook_lib.account import Account
from runbook_lib.incident import links
from runbook_lib.incident.told import Entry, Told
from runbook_lib.system import System

ALARMS, LOGS = "CloudWatch alarms", "Logs"
HISTORY = timedelta(days=30)  # how long alarms keep their history (CloudWatch API, DescribeAlarmHistory)
# Any of these words in a line; Logs' pattern for "one of" is a question mark before each.
LEVELS = "?ERROR ?Error ?error ?FATAL ?CRITICAL ?Exception ?Traceback ?panic"
MOST_LINES = 2_000
NUMBERS = re.compile(r"0x[0-9a-f]+|[0-9a-f]{8,}|\d+", re.IGNORECASE)


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


def errors(account: Account, system: System, window: Window) -> Told:
    """Log lines at error level; lines that differ in numbers alone are one entry, at the first of them."""
    client = account.client("logs")
    try:
        pages = client.get_paginator("filter_log_events").paginate(
            logGroupName=system.log_group,
            startTime=int(window.start.timestamp() * 1000),
            endTime=int(window.end.timestamp() * 1000),
            filterPattern=LEVELS,
            PaginationConfig={"MaxItems": MOST_LINES},
        )
        lines = [line for page in pages for line in page["events"]]
    except client.exceptions.ResourceNotFoundException:
        return Told(LOGS, missing=f"there is no log group {system.log_group}")
    entries = tuple(_group(system, alike, window) for alike in _alike(lines).values())
    missing = f"only the first {MOST_LINES} lines were read" if len(lines) >= MOST_LINES else ""
    return Told(LOGS, entries, missing=missing)


def _change(system: System, item: Mapping[str, Any]) -> Entry:
    told = json.loads(item["HistoryData"])
    name, state = item["AlarmName"], told["newState"]
    what = f"{name}: {told['oldState']['stateValue']} -> {state['stateValue']}: {state.get('stateReason', '')}"
    fact = f"alarm {name} {state['stateValue']}"
    return Entry(item["Timestamp"], "alarm", what, ALARMS, fact, links.alarm(system, name))


def _alike(lines: Iterable[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for line in lines:
        found.setdefault(NUMBERS.sub("#", line["message"]), []).append(line)
    return found


def _group(system: System, alike: list[Mapping[str, Any]], window: Window) -> Entry:
    from datetime import UTC, datetime

    first = min(alike, key=lambda line: line["timestamp"])
    at = datetime.fromtimestamp(first["timestamp"] / 1000, UTC)
    text = first["message"].strip().splitlines()[0][:200]
    times = f" ({len(alike)} times)" if len(alike) > 1 else ""
    del window
    return Entry(at, "log", f"{text}{times}", LOGS, f"log {NUMBERS.sub('#', text)}", links.log_group(system))
