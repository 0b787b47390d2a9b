"""Rules: made, changed, switched, listed, deleted and tagged (EventBridge API reference)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.events import pattern as patterns
from runbook_lib.sandbox.services.events import schedule
from runbook_lib.sandbox.services.events.store import BUS, Rule, check_bus, rule_by_arn, rule_of, store

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call

NAME = r"[\.\-_A-Za-z0-9]+"
PAGE = 100
MANDATORY = ("id", "account", "source", "time", "region", "detail-type")


def put(call: Call) -> dict[str, Any]:
    """PutRule: what is not given is gone; tags are taken only with a new rule."""
    told, name, world = call.params, call.params["Name"], call.world
    check_bus(call)
    _check(told)
    rules = store(world).rules
    if name not in rules:
        tags = {tag["Key"]: tag["Value"] for tag in told.get("Tags", ())}
        rules[name] = Rule(name, world.arn("events", f"rule/{name}"), {}, tags=tags)
    rule = rules[name]
    rule.told = {key: value for key, value in told.items() if key not in ("Tags", "State", "Name", "EventBusName")}
    rule.enabled = told.get("State", "ENABLED") != "DISABLED"
    schedule.begin(world, rule)
    return {"RuleArn": rule.arn}


def _check(told: Mapping[str, Any]) -> None:
    if not re.fullmatch(NAME, told["Name"]):
        text = f"1 validation error detected: Value '{told['Name']}' at 'name' failed to satisfy constraint:"
        raise AwsError("ValidationException", f"{text} Member must satisfy regular expression pattern: {NAME}")
    if "EventPattern" not in told and "ScheduleExpression" not in told:
        raise AwsError("ValidationException", "Parameter(s) EventPattern or ScheduleExpression must be specified.")
    if "EventPattern" in told:
        patterns.read(told["EventPattern"])
    if "ScheduleExpression" in told:
        schedule.check(told["ScheduleExpression"])


def describe(call: Call) -> dict[str, Any]:
    """DescribeRule."""
    return _shown(rule_of(call))


def list_all(call: Call) -> dict[str, Any]:
    """ListRules, narrowed by prefix."""
    check_bus(call)
    prefix = call.params.get("NamePrefix", "")
    found = [_shown(rule) for name, rule in sorted(store(call.world).rules.items()) if name.startswith(prefix)]
    return page(call, found, "Rules")


def page(call: Call, found: list[Any], key: str) -> dict[str, Any]:
    """The part of a list that a call asks for."""
    first, size = int(call.params.get("NextToken", "0")), call.params.get("Limit", PAGE)
    token = {"NextToken": str(first + size)} if first + size < len(found) else {}
    return {key: found[first : first + size], **token}


def delete(call: Call) -> dict[str, Any]:
    """DeleteRule: only one that has no targets any more; answers the same when there is none."""
    check_bus(call)
    rule = store(call.world).rules.get(call.params["Name"])
    if rule and rule.targets:
        raise AwsError("ValidationException", "Rule can't be deleted since it has targets.")
    store(call.world).rules.pop(call.params["Name"], None)
    return {}


def enable(call: Call) -> dict[str, Any]:
    """EnableRule: it tells its targets."""
    rule_of(call).enabled = True
    return {}


def disable(call: Call) -> dict[str, Any]:
    """DisableRule: it is silent."""
    rule_of(call).enabled = False
    return {}


def test_pattern(call: Call) -> dict[str, Any]:
    """TestEventPattern: whether a pattern takes an event."""
    pattern = patterns.read(call.params["EventPattern"])
    try:
        event = json.loads(call.params["Event"])
    except ValueError:
        event = None
    if not isinstance(event, dict) or not set(MANDATORY) <= set(event):
        raise AwsError("ValidationException", "Parameter Event is not valid.")
    return {"Result": patterns.matches(pattern, event)}


def tag(call: Call) -> dict[str, Any]:
    """TagResource."""
    rule_by_arn(call).tags.update({tag["Key"]: tag["Value"] for tag in call.params["Tags"]})
    return {}


def untag(call: Call) -> dict[str, Any]:
    """UntagResource."""
    rule = rule_by_arn(call)
    for name in call.params["TagKeys"]:
        rule.tags.pop(name, None)
    return {}


def tags(call: Call) -> dict[str, Any]:
    """ListTagsForResource."""
    return {"Tags": [{"Key": name, "Value": value} for name, value in sorted(rule_by_arn(call).tags.items())]}


def _shown(rule: Rule) -> dict[str, Any]:
    state = "ENABLED" if rule.enabled else "DISABLED"
    return {"Name": rule.name, "Arn": rule.arn, "State": state, "EventBusName": BUS, **rule.told}


OPERATIONS: dict[str, Callable[[Call], dict[str, Any]]] = {
    "PutRule": put,
    "DescribeRule": describe,
    "ListRules": list_all,
    "DeleteRule": delete,
    "EnableRule": enable,
    "DisableRule": disable,
    "TestEventPattern": test_pattern,
    "TagResource": tag,
    "UntagResource": untag,
    "ListTagsForResource": tags,
}
