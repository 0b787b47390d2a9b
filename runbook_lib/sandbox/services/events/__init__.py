"""Amazon EventBridge: rules on the default bus, and the delivery of events to their targets."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox import permissions
from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.events import pattern as patterns

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

BUS = "default"
MOST_TARGETS = 5  # EventBridge quotas: targets a rule
DELIVERY = 1.0  # seconds until a target hears of an event


@dataclass
class Rule:
    """A rule: what it takes and whom it tells."""

    name: str
    arn: str
    told: dict[str, Any]
    enabled: bool = True
    targets: dict[str, dict[str, Any]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


@dataclass
class EventsStore:
    """Rules by name, and every event that was emitted."""

    rules: dict[str, Rule] = field(default_factory=dict)
    emitted: list[dict[str, Any]] = field(default_factory=list)


def emit(world: World, *, source: str, detail_type: str, resources: list[str], detail: Mapping[str, Any]) -> None:
    """Let something be known: every enabled rule whose pattern takes it tells its targets."""
    event = {
        "version": "0",
        "id": world.ids.uuid("event"),
        "detail-type": detail_type,
        "source": source,
        "account": world.settings.account,
        "time": world.datetime().strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": world.settings.region,
        "resources": resources,
        "detail": dict(detail),
    }
    _publish(world, event)


def put_events(call: Call) -> dict[str, Any]:
    """Own events."""
    entries = []
    for entry in call.params["Entries"]:
        emit(
            call.world,
            source=entry["Source"],
            detail_type=entry["DetailType"],
            resources=list(entry.get("Resources", ())),
            detail=json.loads(entry.get("Detail", "{}")),
        )
        entries.append({"EventId": _store(call.world).emitted[-1]["id"]})
    return {"FailedEntryCount": 0, "Entries": entries}


def put_rule(call: Call) -> dict[str, Any]:
    """Make or change a rule."""
    told, name = dict(call.params), call.params["Name"]
    if "EventPattern" not in told and "ScheduleExpression" not in told:
        raise AwsError("ValidationException", "Parameter(s) EventPattern or ScheduleExpression must be specified.")
    if "EventPattern" in told:
        patterns.check(_json(told["EventPattern"]))
    rules = _store(call.world).rules
    rule = rules.setdefault(name, Rule(name, call.world.arn("events", f"rule/{name}"), {}))
    rule.told = {key: value for key, value in told.items() if key not in ("Tags", "State", "Name")}
    rule.enabled = told.get("State", "ENABLED") == "ENABLED"
    rule.tags.update({tag["Key"]: tag["Value"] for tag in told.get("Tags", ())})
    return {"RuleArn": rule.arn}


def describe_rule(call: Call) -> dict[str, Any]:
    """A rule as it is."""
    return _shown(_rule(call))


def list_rules(call: Call) -> dict[str, Any]:
    """All rules, narrowed by prefix."""
    prefix = call.params.get("NamePrefix", "")
    found = [_shown(rule) for name, rule in sorted(_store(call.world).rules.items()) if name.startswith(prefix)]
    return {"Rules": found}


def delete_rule(call: Call) -> dict[str, Any]:
    """Delete a rule that has no targets any more."""
    rule = _store(call.world).rules.get(call.params["Name"])
    if rule and rule.targets:
        raise AwsError("ValidationException", "Rule can't be deleted since it has targets.")
    _store(call.world).rules.pop(call.params["Name"], None)
    return {}


def enable_rule(call: Call) -> dict[str, Any]:
    """Let a rule tell its targets."""
    _rule(call).enabled = True
    return {}


def disable_rule(call: Call) -> dict[str, Any]:
    """Let a rule be silent."""
    _rule(call).enabled = False
    return {}


def put_targets(call: Call) -> dict[str, Any]:
    """Add targets to a rule, or change them."""
    rule = _rule(call, "Rule")
    for target in call.params["Targets"]:
        if ":codepipeline:" in target["Arn"] and "RoleArn" not in target:
            raise AwsError("ValidationException", f"RoleArn is required for target {target['Arn']}.")
        rule.targets[target["Id"]] = dict(target)
    if len(rule.targets) > MOST_TARGETS:
        raise AwsError("LimitExceededException", "The requested resource exceeds the maximum number allowed.")
    return {"FailedEntryCount": 0, "FailedEntries": []}


def remove_targets(call: Call) -> dict[str, Any]:
    """Take targets from a rule."""
    rule = _rule(call, "Rule")
    for name in call.params["Ids"]:
        rule.targets.pop(name, None)
    return {"FailedEntryCount": 0, "FailedEntries": []}


def list_targets_by_rule(call: Call) -> dict[str, Any]:
    """Whom a rule tells."""
    return {"Targets": list(_rule(call, "Rule").targets.values())}


def list_rule_names_by_target(call: Call) -> dict[str, Any]:
    """Which rules tell a target."""
    wanted = call.params["TargetArn"]
    rules = _store(call.world).rules.values()
    return {"RuleNames": sorted(r.name for r in rules if any(t["Arn"] == wanted for t in r.targets.values()))}


def test_event_pattern(call: Call) -> dict[str, Any]:
    """Whether a pattern takes an event."""
    pattern = _json(call.params["EventPattern"])
    patterns.check(pattern)
    return {"Result": patterns.matches(pattern, json.loads(call.params["Event"]))}


def tag_resource(call: Call) -> dict[str, Any]:
    """Tag a rule."""
    _by_arn(call).tags.update({tag["Key"]: tag["Value"] for tag in call.params["Tags"]})
    return {}


def untag_resource(call: Call) -> dict[str, Any]:
    """Take tags from a rule."""
    for name in call.params["TagKeys"]:
        _by_arn(call).tags.pop(name, None)
    return {}


def list_tags(call: Call) -> dict[str, Any]:
    """The tags of a rule."""
    return {"Tags": [{"Key": name, "Value": value} for name, value in sorted(_by_arn(call).tags.items())]}


def deliver(world: World, rule_name: str, target_id: str, event: dict[str, Any]) -> None:
    """Tell one target; one that has gone meanwhile hears nothing."""
    rule = _store(world).rules.get(rule_name)
    target = rule.targets.get(target_id) if rule else None
    if target is None:
        return
    kind = target["Arn"].split(":")[2]
    if kind in _DELIVERIES:
        _DELIVERIES[kind](world, target, event)


def _to_pipeline(world: World, target: Mapping[str, Any], event: Mapping[str, Any]) -> None:
    from runbook_lib.sandbox.services import codepipeline

    # A role that EventBridge may not take on starts nothing, and nobody is told: as on AWS.
    if not permissions.assumable(world, target["RoleArn"], "events.amazonaws.com"):
        codepipeline.start(world, target["Arn"].rpartition(":")[2], trigger="CloudWatchEvent", detail=event["id"])


def _to_topic(world: World, target: Mapping[str, Any], event: Mapping[str, Any]) -> None:
    world.client("sns").publish(TopicArn=target["Arn"], Message=json.dumps(event))


def _to_queue(world: World, target: Mapping[str, Any], event: Mapping[str, Any]) -> None:
    sqs = world.client("sqs")
    name = target["Arn"].rpartition(":")[2]
    sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName=name)["QueueUrl"], MessageBody=json.dumps(event))


_DELIVERIES: dict[str, Callable[[World, Mapping[str, Any], Mapping[str, Any]], None]] = {
    "codepipeline": _to_pipeline,
    "sns": _to_topic,
    "sqs": _to_queue,
}


def _publish(world: World, event: dict[str, Any]) -> None:
    _store(world).emitted.append(event)
    for rule in _store(world).rules.values():
        if rule.enabled and "EventPattern" in rule.told and patterns.matches(_json(rule.told["EventPattern"]), event):
            for target in rule.targets:
                world.after(DELIVERY, "events.deliver", rule.name, target, event)


def _store(world: World) -> EventsStore:
    found: EventsStore = world.store("events")
    return found


def _rule(call: Call, key: str = "Name") -> Rule:
    name = call.params[key]
    if name not in _store(call.world).rules:
        raise AwsError("ResourceNotFoundException", f"Rule {name} does not exist on EventBus {BUS}.")
    return _store(call.world).rules[name]


def _by_arn(call: Call) -> Rule:
    wanted = call.params["ResourceARN"]
    for rule in _store(call.world).rules.values():
        if rule.arn == wanted:
            return rule
    raise AwsError("ResourceNotFoundException", f"Rule {wanted.rpartition('/')[2]} does not exist on EventBus {BUS}.")


def _shown(rule: Rule) -> dict[str, Any]:
    state = "ENABLED" if rule.enabled else "DISABLED"
    return {"Name": rule.name, "Arn": rule.arn, "State": state, "EventBusName": BUS, **rule.told}


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise AwsError("InvalidEventPatternException", f"Event pattern is not valid. Reason: {error}") from None


STORE = EventsStore
OPERATIONS: dict[str, Callable[[Call], dict[str, Any]]] = {
    "PutEvents": put_events,
    "PutRule": put_rule,
    "DescribeRule": describe_rule,
    "ListRules": list_rules,
    "DeleteRule": delete_rule,
    "EnableRule": enable_rule,
    "DisableRule": disable_rule,
    "PutTargets": put_targets,
    "RemoveTargets": remove_targets,
    "ListTargetsByRule": list_targets_by_rule,
    "ListRuleNamesByTarget": list_rule_names_by_target,
    "TestEventPattern": test_event_pattern,
    "TagResource": tag_resource,
    "UntagResource": untag_resource,
    "ListTagsForResource": list_tags,
}
HANDLERS: dict[str, Callable[..., None]] = {"events.deliver": deliver}
