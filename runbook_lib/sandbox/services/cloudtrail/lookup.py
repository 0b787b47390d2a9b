"""LookupEvents: the management events of ninety days, newest first (CloudTrail API reference, LookupEvents)."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox import trail
from runbook_lib.sandbox.calls import KEPT_SECONDS, CallRecord
from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.cloudtrail import naming, reading

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

DELAY = 300.0  # seconds until an event is seen: AWS says "on average within about 5 minutes"
MOST = 50
ADDRESS = "127.0.0.1"  # all calls come from this machine


def lookup_events(call: Call) -> dict[str, Any]:
    """LookupEvents."""
    world, told = call.world, call.params
    size = told.get("MaxResults", MOST)
    if not 1 <= size <= MOST:
        raise AwsError("InvalidMaxResultsException", f"Max results must be between 1 and {MOST}; it is {size}.")
    if told.get("EventCategory", "").lower() == "insight":
        return {"Events": []}
    found = [each for each in _within(world, told) if _wanted(world, each, told.get("LookupAttributes", []))]
    page = list(islice(found, size + 1))
    token = {"NextToken": str(page[size - 1].number)} if len(page) > size else {}
    return {"Events": [_shown(world, each) for each in page[:size]], **token}


def _within(world: World, told: Mapping[str, Any]) -> Iterator[CallRecord]:
    """The events of a time, from the newest or from where the last page ended."""
    start = told["StartTime"].timestamp() if "StartTime" in told else 0.0
    end = told["EndTime"].timestamp() if "EndTime" in told else world.now
    if start > end:
        raise AwsError("InvalidTimeRangeException", "The start time must be before the end time.")
    start = max(start, world.now - KEPT_SECONDS)
    end = min(end, world.now - (DELAY if world.settings.realism else 0.0))
    before = _token(told.get("NextToken"))
    for call in reversed(world.calls):
        if call.wire is not None and start <= call.time <= end and (before is None or call.number < before):
            yield call


def _token(text: str | None) -> int | None:
    if text is not None and not text.isdigit():
        raise AwsError("InvalidNextTokenException", "The token is not valid: it must be the one of the last answer.")
    return None if text is None else int(text)


# ---- attributes


def _wanted(world: World, call: CallRecord, attributes: list[dict[str, str]]) -> bool:
    if len(attributes) > 1:
        raise AwsError("InvalidLookupAttributesException", "You can only specify one lookup attribute.")
    return all(_ATTRIBUTES[one["AttributeKey"]](world, call, one["AttributeValue"]) for one in attributes)


def _has_resource(key: str) -> Callable[[World, CallRecord, str], bool]:
    return lambda world, call, value: value in [one[key] for one in _resources(call)]


_ATTRIBUTES: dict[str, Callable[[World, CallRecord, str], bool]] = {
    "AccessKeyId": lambda world, call, value: naming.access_key(world, call.caller) == value,
    "EventId": lambda world, call, value: _id(world, call) == value,
    "EventName": lambda world, call, value: naming.event(call.service, call.operation) == value,
    "EventSource": lambda world, call, value: naming.source(call.service) == value,
    "ReadOnly": lambda world, call, value: _read_only(call) == value.lower(),
    "ResourceName": _has_resource("ResourceName"),
    "ResourceType": _has_resource("ResourceType"),
    "Username": lambda world, call, value: naming.user(call.caller) == value,
}


def _read_only(call: CallRecord) -> str:
    return str(trail.reads(call.operation)).lower()


def _resources(call: CallRecord) -> list[dict[str, str]]:
    return naming.resources(call.service, reading.parameters(call.service, call.wire) if call.wire else None)


def _id(world: World, call: CallRecord, kind: str = "event") -> str:
    digest = hashlib.sha256(f"{world.settings.seed}/{kind}/{call.number}/{call.operation}".encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))


# ---- showing


def _shown(world: World, call: CallRecord) -> dict[str, Any]:
    record = _record(world, call)
    return {
        "EventId": record["eventID"],
        "EventName": record["eventName"],
        "ReadOnly": _read_only(call),
        "AccessKeyId": naming.access_key(world, call.caller),
        "EventTime": world.datetime(call.time),
        "EventSource": record["eventSource"],
        "Username": naming.user(call.caller),
        "Resources": naming.resources(call.service, record["requestParameters"]),
        "CloudTrailEvent": json.dumps(record),
    }


def _record(world: World, call: CallRecord) -> dict[str, Any]:
    """The event itself (CloudTrail user guide, cloudtrail-event-reference-record-contents)."""
    assert call.wire is not None
    reads = trail.reads(call.operation)
    return {
        "eventVersion": "1.11",
        "userIdentity": naming.identity(world, call),
        "eventTime": f"{world.datetime(call.time):%Y-%m-%dT%H:%M:%SZ}",
        "eventSource": naming.source(call.service),
        "eventName": naming.event(call.service, call.operation),
        "awsRegion": call.region,
        "sourceIPAddress": ADDRESS,
        "userAgent": call.wire.agent,
        **_error(call),
        "requestParameters": reading.parameters(call.service, call.wire),
        "responseElements": None if reads else reading.elements(call.service, call.wire),
        "requestID": reading.request_id(call.wire) or _id(world, call, "request"),
        "eventID": _id(world, call),
        "readOnly": reads,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": world.settings.account,
        "eventCategory": "Management",
    }


def _error(call: CallRecord) -> dict[str, str]:
    if not call.error or call.wire is None:
        return {}
    code = f"Client.{call.error}" if call.service == "ec2" else call.error
    return {"errorCode": code, "errorMessage": reading.error_message(call.service, call.wire)}


OPERATIONS = {"LookupEvents": lookup_events}
