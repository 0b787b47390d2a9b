"""How targets are told, and what becomes of an event that a target may not be told.

What a target's policy or role does not allow is not tried again: the event goes to the target's dead-letter queue or is
lost, and FailedInvocations is counted.
Sources: EventBridge user guide, eb-use-resource-based, eb-use-identity-based, eb-rule-dlq and eb-targets.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, ParamValidationError

from runbook_lib.sandbox import permissions
from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.policy import allows, on_behalf
from runbook_lib.sandbox.services.events import inputs, metrics
from runbook_lib.sandbox.services.events.store import Rule, store

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

PRINCIPAL = "events.amazonaws.com"
# What the target's role must allow; functions, topics, queues and log groups are opened by their own policies.
ACTIONS = {"codepipeline": "codepipeline:StartPipelineExecution", "codebuild": "codebuild:StartBuild"}
LOG = logging.getLogger(__name__)

Target = Mapping[str, Any]
Event = Mapping[str, Any]


class Undelivered(Exception):
    """A target may not be told: the code and the message that go to the dead-letter queue."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def deliver(world: World, rule_name: str, target_id: str, event: dict[str, Any]) -> None:
    """Handler events.deliver: tells one target, unless it is gone by now."""
    rule = store(world).rules.get(rule_name)
    target = rule.targets.get(target_id) if rule else None
    if rule is None or target is None:
        return
    metrics.count(world, rule, "Invocations")
    try:
        _check_role(world, target)
        WAYS[service_of(target)](world, rule, target, event)
    except Undelivered as error:
        _lose(world, rule, target, event, error)
    except AwsError as error:
        _lose(world, rule, target, event, Undelivered(error.code, error.message))
    except ClientError as error:
        told = error.response["Error"]
        _lose(world, rule, target, event, Undelivered(told["Code"], told["Message"]))


def service_of(target: Target) -> str:
    """The service that a target belongs to."""
    words = str(target["Arn"]).split(":")
    return words[2] if len(words) > 2 else ""


# ---- what cannot be delivered


def _lose(world: World, rule: Rule, target: Target, event: Event, error: Undelivered) -> None:
    metrics.count(world, rule, "FailedInvocations")
    LOG.warning("EventBridge: rule %s could not tell %s: %s", rule.name, target["Arn"], error.message)
    queue = target.get("DeadLetterConfig", {}).get("Arn")
    if queue:
        _bury(world, rule, target, event, error, queue)


def _bury(world: World, rule: Rule, target: Target, event: Event, error: Undelivered, queue: str) -> None:
    told = {
        "RULE_ARN": rule.arn,
        "TARGET_ARN": target["Arn"],
        "ERROR_CODE": error.code,
        "ERROR_MESSAGE": error.message,
    }
    attributes = {name: {"DataType": "String", "StringValue": value} for name, value in told.items()}
    try:
        _send(world, rule, queue, json.dumps(event), MessageAttributes=attributes)
        metrics.count(world, rule, "InvocationsSentToDlq")
    except (Undelivered, ClientError) as second:
        metrics.count(world, rule, "InvocationsFailedToBeSentToDlq")
        LOG.warning("EventBridge: the dead-letter queue %s of rule %s took nothing: %s", queue, rule.name, second)


# ---- permissions


def _check_role(world: World, target: Target) -> None:
    """Whether EventBridge can take on the target's role, and this allows what it should do."""
    from runbook_lib.sandbox.services.codedeploy import role

    action = ACTIONS.get(service_of(target))
    if action is None:
        return
    wrong = permissions.assumable(world, target["RoleArn"], PRINCIPAL)
    if wrong:
        raise Undelivered("NO_PERMISSIONS", wrong)
    if not role.grants(world, target["RoleArn"]).allow(action, target["Arn"]):
        raise Undelivered("NO_PERMISSIONS", f"role {target['RoleArn']} does not allow {action} on {target['Arn']}")


def _check_policy(world: World, rule: Rule, action: str, resource: str, *policies: str) -> None:
    """What a resource's own policy must allow; that policies are needed at all is one of the things that hurt."""
    question = on_behalf(PRINCIPAL, action, resource, source=rule.arn, account=world.settings.account)
    if world.settings.realism and not any(allows(policy, question) for policy in policies):
        raise Undelivered("NO_PERMISSIONS", f"no policy of {resource} allows {PRINCIPAL} to {action}")


# ---- targets


def _to_pipeline(world: World, rule: Rule, target: Target, event: Event) -> None:
    from runbook_lib.sandbox.services import codepipeline

    codepipeline.start(world, target["Arn"].rpartition(":")[2], trigger="CloudWatchEvent", detail=rule.arn)


def _to_build(world: World, rule: Rule, target: Target, event: Event) -> None:
    """An input of the target's own is what StartBuild is called with besides the project (CodeBuild user guide)."""
    own: dict[str, Any] = {}
    if "Input" in target or "InputTransformer" in target:
        given = json.loads(inputs.message(rule.name, rule.arn, target, event))
        own = {key: value for key, value in given.items() if key != "projectName"}
    try:
        world.client("codebuild").start_build(projectName=target["Arn"].rpartition("/")[2], **own)
    except ParamValidationError as error:
        raise Undelivered("INVALID_PARAMETER", str(error)) from error


def _to_topic(world: World, rule: Rule, target: Target, event: Event) -> None:
    sns = world.client("sns")
    policy = sns.get_topic_attributes(TopicArn=target["Arn"])["Attributes"].get("Policy", "")
    _check_policy(world, rule, "sns:Publish", target["Arn"], policy)
    sns.publish(TopicArn=target["Arn"], Message=inputs.message(rule.name, rule.arn, target, event))


def _to_queue(world: World, rule: Rule, target: Target, event: Event) -> None:
    group = target.get("SqsParameters", {}).get("MessageGroupId")
    more = {"MessageGroupId": group, "MessageDeduplicationId": event["id"]} if group else {}
    _send(world, rule, target["Arn"], inputs.message(rule.name, rule.arn, target, event), **more)


def _send(world: World, rule: Rule, queue: str, text: str, **more: Any) -> None:
    sqs = world.client("sqs")
    url = sqs.get_queue_url(QueueName=queue.rpartition(":")[2])["QueueUrl"]
    policy = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"]).get("Attributes", {}).get("Policy", "")
    _check_policy(world, rule, "sqs:SendMessage", queue, policy)
    sqs.send_message(QueueUrl=url, MessageBody=text, **more)


def _to_log_group(world: World, rule: Rule, target: Target, event: Event) -> None:
    logs, group = world.client("logs"), target["Arn"].removesuffix(":*").partition(":log-group:")[2]
    policies = [one["policyDocument"] for one in logs.describe_resource_policies()["resourcePolicies"]]
    stream = f"{world.arn('logs', f'log-group:{group}')}:log-stream:{event['id']}"
    _check_policy(world, rule, "logs:PutLogEvents", stream, *policies)
    line = {"timestamp": int(world.now * 1000), "message": inputs.message(rule.name, rule.arn, target, event)}
    logs.create_log_stream(logGroupName=group, logStreamName=event["id"])
    logs.put_log_events(logGroupName=group, logStreamName=event["id"], logEvents=[line])


def _to_function(world: World, rule: Rule, target: Target, event: Event) -> None:
    from runbook_lib.sandbox.services import lambda_

    function = lambda_.find(world, target["Arn"])
    if function is None:
        raise Undelivered("RESOURCE_NOT_FOUND", f"function {target['Arn']} does not exist")
    if not lambda_.service_may(world, function, PRINCIPAL, rule.arn):
        text = f"the policy of {target['Arn']} does not allow {PRINCIPAL} to lambda:InvokeFunction for {rule.arn}"
        raise Undelivered("NO_PERMISSIONS", text)
    lambda_.send(world, target["Arn"], inputs.message(rule.name, rule.arn, target, event))


WAYS: dict[str, Callable[[World, Rule, Target, Event], None]] = {
    "codepipeline": _to_pipeline,
    "codebuild": _to_build,
    "sns": _to_topic,
    "sqs": _to_queue,
    "logs": _to_log_group,
    "lambda": _to_function,
}
