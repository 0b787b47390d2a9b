"""The bus: events come in, and the rules that take them tell their targets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.events import pattern as patterns
from runbook_lib.sandbox.services.events.store import Rule, check_bus, store

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

DELIVERY = 1.0  # seconds until a target hears of an event
MOST_ENTRIES = 10


def emit(world: World, *, source: str, detail_type: str, resources: list[str], detail: Mapping[str, Any]) -> None:
    """Let something be known: every enabled rule whose pattern takes it tells its targets."""
    _publish(world, event(world, source=source, detail_type=detail_type, resources=resources, detail=detail))


def event(
    world: World,
    *,
    source: str,
    detail_type: str,
    resources: list[str],
    detail: Mapping[str, Any],
    time: float | None = None,
) -> dict[str, Any]:
    """An event in its envelope."""
    return {
        "version": "0",
        "id": world.ids.uuid("event"),
        "detail-type": detail_type,
        "source": source,
        "account": world.settings.account,
        "time": world.datetime(time).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": world.settings.region,
        "resources": resources,
        "detail": dict(detail),
    }


def tell(world: World, rule: Rule, told: dict[str, Any]) -> None:
    """Let a rule tell its targets of an event."""
    for target in rule.targets:
        world.after(DELIVERY, "events.deliver", rule.name, target, told)


def put_events(call: Call) -> dict[str, Any]:
    """PutEvents: own events; an entry that is refused does not keep the others back."""
    if len(call.params["Entries"]) > MOST_ENTRIES:
        text = "1 validation error detected: Value at 'entries' failed to satisfy constraint: Member must have length"
        raise AwsError("ValidationException", f"{text} less than or equal to {MOST_ENTRIES}")
    entries = [_put(call, entry) for entry in call.params["Entries"]]
    return {"FailedEntryCount": sum("ErrorCode" in entry for entry in entries), "Entries": entries}


def _put(call: Call, entry: Mapping[str, Any]) -> dict[str, str]:
    for key in ("Source", "DetailType", "Detail"):
        if not entry.get(key):
            return _failed("InvalidArgument", f"Parameter {key} is not valid. Reason: {key} is a required argument.")
    if entry["Source"].startswith("aws."):
        return _failed("NotAuthorizedForSourceException", "Not authorized for the source.")
    try:
        detail = json.loads(entry["Detail"])
    except ValueError:
        detail = None
    if not isinstance(detail, dict):
        return _failed("MalformedDetail", "Detail is malformed.")
    check_bus(call)
    made = event(
        call.world,
        source=entry["Source"],
        detail_type=entry["DetailType"],
        resources=list(entry.get("Resources", ())),
        detail=detail,
        time=entry["Time"].timestamp() if "Time" in entry else None,
    )
    _publish(call.world, made)
    return {"EventId": made["id"]}


def _failed(code: str, message: str) -> dict[str, str]:
    return {"ErrorCode": code, "ErrorMessage": message}


def _publish(world: World, made: dict[str, Any]) -> None:
    store(world).emitted.append(made)
    for rule in store(world).rules.values():
        if rule.enabled and "EventPattern" in rule.told and _takes(rule, made):
            tell(world, rule, made)


def _takes(rule: Rule, made: Mapping[str, Any]) -> bool:
    return patterns.matches(json.loads(rule.told["EventPattern"]), made)


OPERATIONS = {"PutEvents": put_events}
