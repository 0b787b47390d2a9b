"""The bus: events come in, and the rules that take them tell their targets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.events import metrics
from runbook_lib.sandbox.services.events import pattern as patterns
from runbook_lib.sandbox.services.events.store import Rule, check_bus, store

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

DELIVERY = 1.0  # seconds until a target hears of an event
MOST_ENTRIES = 10
KEPT = 1000  # events that can still be looked at: two dozen releases; who wants more has a rule with a log group


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


def heard(world: World, source: str) -> bool:
    """Whether a rule might take events of a source: what nobody hears of need not be made."""
    wanted = (_pattern(rule) for rule in store(world).rules.values() if rule.enabled)
    return any(each is not None and source in each.get("source", [source]) for each in wanted)


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
    emitted = store(world).emitted
    emitted.append(made)
    if len(emitted) > 2 * KEPT:
        del emitted[:-KEPT]
    for rule in store(world).rules.values():
        pattern = _pattern(rule)
        if rule.enabled and pattern is not None and patterns.matches(pattern, made):
            metrics.count(world, rule, "TriggeredRules")
            tell(world, rule, made)


def _pattern(rule: Rule) -> dict[str, Any] | None:
    return _read(rule.told["EventPattern"]) if "EventPattern" in rule.told else None


@lru_cache(1000)
def _read(text: str) -> dict[str, Any]:
    pattern: dict[str, Any] = json.loads(text)
    return pattern


OPERATIONS = {"PutEvents": put_events}
