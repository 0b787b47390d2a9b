"""CloudTrail: who changed what."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from runbook_lib import inventory
from runbook_lib.accesslog.window import Window
from runbook_lib.account import Account
from runbook_lib.incident import links
from runbook_lib.incident.belongings import read_belongings
from runbook_lib.incident.sources.deployments import LONGEST
from runbook_lib.incident.told import CALL, Entry, Told, names_in
from runbook_lib.system import System

SOURCE = "CloudTrail"
KEPT = timedelta(days=90)  # the event history (CloudTrail user guide, view-cloudtrail-events)
LAG = timedelta(minutes=15)  # about 5 minutes on average, 15 are seen; no source promises a limit
MOST = 1_000  # events; LookupEvents answers two calls a second, of 50 events each
# What services do for themselves all the time, and says nothing about a change: every task has an interface.
NOISE = frozenset({"CreateLogStream", "AssumeRole", "CreateNetworkInterface", "CreateNetworkInterfacePermission"})
ID = re.compile(r"[a-z]{2,5}-[0-9a-f]{8,17}")  # such as sg-0123456789abcdef0
# In the ARN of a target group, a load balancer or its listener an id stands behind the name.
BALANCING = re.compile(r":(?:targetgroup|(?:loadbalancer|listener|listener-rule)/\w+)/([^/]+)/")
# Where an event says what it touches; who made it, and by which program, says nothing of that.
TOUCHED = ("requestParameters", "responseElements", "resources", "errorMessage")


def changes(account: Account, system: System, window: Window) -> Told:
    """The calls that changed something of this system or of what it hangs on, refused ones too, with who made them.

    Left out, and counted, is what touches nothing that is known to be its own, and the runbooks' own inventory.
    """
    pages = (
        account.client("cloudtrail")
        .get_paginator("lookup_events")
        .paginate(
            LookupAttributes=[{"AttributeKey": "ReadOnly", "AttributeValue": "false"}],
            StartTime=window.start,
            EndTime=window.end,
            PaginationConfig={"MaxItems": MOST},
        )
    )
    found = [event for page in pages for event in page["Events"]]
    own = read_belongings(account, system, since=window.start - LONGEST, until=window.end)
    ours: list[Entry] = []
    left = books = 0
    for event in (event for event in found if event["EventName"] not in NOISE):
        record = json.loads(event["CloudTrailEvent"])
        text = json.dumps([_resources(event), *(record.get(part) for part in TOUCHED)])
        met = own.met(text, source=event.get("EventSource", ""), event=event["EventName"])
        if f"{inventory.path(system.name)}/" in text:
            books += 1
        elif met:
            ours.append(_entry(system, event, record, met))
        else:
            left += 1
    return Told(SOURCE, tuple(ours), missing=_missing(account, window, len(found), left, books, own.missing))


def _missing(account: Account, window: Window, many: int, left: int, books: int, unread: str) -> str:
    now = account.clock.now()
    parts = [
        f"{left} of {many} changes in the account name nothing of this system and are left out" if left else "",
        f"{books} wrote the runbooks' own inventory" if books else "",
        unread,
        f"the event history goes back {KEPT.days} days" if window.start < now - KEPT else "",
        f"events follow by some minutes: incomplete until {window.end + LAG:%H:%M}" if window.end + LAG > now else "",
        f"only the newest {MOST} events were read" if many >= MOST else "",
    ]
    return "; ".join(part for part in parts if part)


def _entry(system: System, event: Mapping[str, Any], told: Mapping[str, Any], met: Mapping[str, str]) -> Entry:
    on = names_in([_resources(event), told.get("requestParameters")])
    refused = f", refused: {told['errorCode']}" if told.get("errorCode") else ""
    names = _resources(event) or list(met)
    touched = ", ".join(_called(name, met.get(name, "")) for name in names)
    who = who_called(event, told)
    name = event["EventName"]
    what = f"{who}: {name}{f' {touched}' if touched else ''}{refused}"
    link = links.event(system, event["EventId"])
    return Entry(event["EventTime"], "change", what, SOURCE, f"{CALL}{name}", link, who, on=on)


def who_called(event: Mapping[str, Any], told: Mapping[str, Any]) -> str:
    """The person, the role's session, or the service of AWS's that called for itself.

    A service in a role of ours has a session that looks like a person's: `invokedBy`, and the place where an address
    stands otherwise, name it (CloudTrail user guide, cloudtrail-event-reference-user-identity and -record-contents).
    """
    names = (told.get("userIdentity", {}).get("invokedBy"), told.get("sourceIPAddress"))
    service = next((name for name in names if name and name.endswith(".amazonaws.com")), None)
    return service or event.get("Username") or names[0] or "somebody"


def _called(name: str, what: str) -> str:
    """A resource by its name; by what it is, too, where an id alone says nothing."""
    behind = BALANCING.search(name)
    end = behind.group(1) if behind else name.rpartition("/")[2]
    return f"{end} ({what})" if what and ID.fullmatch(name) else end


def _resources(event: Mapping[str, Any]) -> list[str]:
    return [one["ResourceName"] for one in event.get("Resources", ()) if one.get("ResourceName")]
