"""Targets: whom a rule tells, and how they are told (EventBridge user guide, eb-targets)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from runbook_lib.sandbox import permissions
from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.events import inputs
from runbook_lib.sandbox.services.events.rules import page
from runbook_lib.sandbox.services.events.store import check_bus, rule_of, store

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.services.events.store import Rule
    from runbook_lib.sandbox.world import World

MOST_TARGETS = 5  # EventBridge quotas: targets a rule
PRINCIPAL = "events.amazonaws.com"
# What the target's role must allow; topics, queues and log groups are opened by their own policies.
ACTIONS = {"codepipeline": "codepipeline:StartPipelineExecution", "codebuild": "codebuild:StartBuild"}


def put(call: Call) -> dict[str, Any]:
    """PutTargets: new ones, or others in the place of those with the same ids."""
    rule = rule_of(call, "Rule")
    for target in call.params["Targets"]:
        _check(target)
    wanted = {**rule.targets, **{target["Id"]: dict(target) for target in call.params["Targets"]}}
    if len(wanted) > MOST_TARGETS:
        raise AwsError("LimitExceededException", "The requested resource exceeds the maximum number allowed.")
    rule.targets = wanted
    return {"FailedEntryCount": 0, "FailedEntries": []}


def _check(target: Mapping[str, Any]) -> None:
    service = _service(target)
    if not target["Arn"].startswith("arn:"):
        raise AwsError(
            "ValidationException",
            f"Parameter {target['Arn']} is not valid. Reason: Provided Arn is not in correct format.",
        )
    if service not in _DELIVERIES:
        raise AwsError("ValidationException", f"Targets of the service {service} are not simulated: {target['Arn']}")
    if service in ACTIONS and "RoleArn" not in target:
        raise AwsError("ValidationException", f"RoleArn is required for target {target['Arn']}.")
    if sum(key in target for key in ("Input", "InputPath", "InputTransformer")) > 1:
        text = "Only one of Input, InputPath, or InputTransformer must be provided for target"
        raise AwsError("ValidationException", f"{text} {target['Id']}.")
    inputs.check(target)


def _service(target: Mapping[str, Any]) -> str:
    words = str(target["Arn"]).split(":")
    return words[2] if len(words) > 2 else ""


def remove(call: Call) -> dict[str, Any]:
    """RemoveTargets: those that are not there are no error."""
    rule = rule_of(call, "Rule")
    for name in call.params["Ids"]:
        rule.targets.pop(name, None)
    return {"FailedEntryCount": 0, "FailedEntries": []}


def list_by_rule(call: Call) -> dict[str, Any]:
    """ListTargetsByRule."""
    return page(call, list(rule_of(call, "Rule").targets.values()), "Targets")


def list_rule_names(call: Call) -> dict[str, Any]:
    """ListRuleNamesByTarget."""
    check_bus(call)
    wanted, rules = call.params["TargetArn"], store(call.world).rules.values()
    found = sorted(rule.name for rule in rules if any(one["Arn"] == wanted for one in rule.targets.values()))
    return page(call, found, "RuleNames")


def deliver(world: World, rule_name: str, target_id: str, event: dict[str, Any]) -> None:
    """Tell one target; one that cannot be told hears nothing, and nobody is told of that: as on AWS."""
    rule = store(world).rules.get(rule_name)
    target = rule.targets.get(target_id) if rule else None
    if rule is None or target is None or not _may(world, target):
        return
    try:
        _DELIVERIES[_service(target)](world, rule, target, event)
    except (AwsError, ClientError):
        return


def _may(world: World, target: Mapping[str, Any]) -> bool:
    """Whether EventBridge can take on the target's role, and this allows what it should do."""
    from runbook_lib.sandbox.services.codedeploy import role

    action = ACTIONS.get(_service(target))
    if action is None:
        return True
    if permissions.assumable(world, target["RoleArn"], PRINCIPAL):
        return False
    return role.grants(world, target["RoleArn"]).allow(action, target["Arn"])


def _to_pipeline(world: World, rule: Rule, target: Mapping[str, Any], event: Mapping[str, Any]) -> None:
    from runbook_lib.sandbox.services import codepipeline

    codepipeline.start(world, target["Arn"].rpartition(":")[2], trigger="CloudWatchEvent", detail=rule.arn)


def _to_build(world: World, rule: Rule, target: Mapping[str, Any], event: Mapping[str, Any]) -> None:
    world.client("codebuild").start_build(projectName=target["Arn"].rpartition("/")[2])


def _to_topic(world: World, rule: Rule, target: Mapping[str, Any], event: Mapping[str, Any]) -> None:
    world.client("sns").publish(TopicArn=target["Arn"], Message=inputs.message(rule.name, rule.arn, target, event))


def _to_queue(world: World, rule: Rule, target: Mapping[str, Any], event: Mapping[str, Any]) -> None:
    sqs = world.client("sqs")
    url = sqs.get_queue_url(QueueName=target["Arn"].rpartition(":")[2])["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody=inputs.message(rule.name, rule.arn, target, event))


def _to_log_group(world: World, rule: Rule, target: Mapping[str, Any], event: Mapping[str, Any]) -> None:
    logs, group = world.client("logs"), target["Arn"].removesuffix(":*").partition(":log-group:")[2]
    line = {"timestamp": int(world.now * 1000), "message": inputs.message(rule.name, rule.arn, target, event)}
    logs.create_log_stream(logGroupName=group, logStreamName=event["id"])
    logs.put_log_events(logGroupName=group, logStreamName=event["id"], logEvents=[line])


_DELIVERIES: dict[str, Callable[[World, Rule, Mapping[str, Any], Mapping[str, Any]], None]] = {
    "codepipeline": _to_pipeline,
    "codebuild": _to_build,
    "sns": _to_topic,
    "sqs": _to_queue,
    "logs": _to_log_group,
}
OPERATIONS: dict[str, Callable[[Call], dict[str, Any]]] = {
    "PutTargets": put,
    "RemoveTargets": remove,
    "ListTargetsByRule": list_by_rule,
    "ListRuleNamesByTarget": list_rule_names,
}
