"""Targets: whom a rule tells (EventBridge user guide, eb-targets)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.events import inputs
from runbook_lib.sandbox.services.events.delivery import ACTIONS, WAYS, service_of
from runbook_lib.sandbox.services.events.rules import page
from runbook_lib.sandbox.services.events.store import check_bus, rule_of, store

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call

MOST_TARGETS = 5  # EventBridge quotas: targets a rule


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
    service = service_of(target)
    if not target["Arn"].startswith("arn:"):
        raise AwsError(
            "ValidationException",
            f"Parameter {target['Arn']} is not valid. Reason: Provided Arn is not in correct format.",
        )
    if service not in WAYS:
        raise AwsError("ValidationException", f"Targets of the service {service} are not simulated: {target['Arn']}")
    if service in ACTIONS and "RoleArn" not in target:
        raise AwsError("ValidationException", f"RoleArn is required for target {target['Arn']}.")
    _check_queue(target)
    if sum(key in target for key in ("Input", "InputPath", "InputTransformer")) > 1:
        text = "Only one of Input, InputPath, or InputTransformer must be provided for target"
        raise AwsError("ValidationException", f"{text} {target['Id']}.")
    inputs.check(target)


def _check_queue(target: Mapping[str, Any]) -> None:
    """A FIFO queue keeps order within a group, which must be told (EventBridge API reference, SqsParameters)."""
    if target["Arn"].endswith(".fifo") and not target.get("SqsParameters", {}).get("MessageGroupId"):
        text = f"Parameter(s) SqsParameters must be specified for target: {target['Id']}."
        raise AwsError("ValidationException", text)


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


OPERATIONS: dict[str, Callable[[Call], dict[str, Any]]] = {
    "PutTargets": put,
    "RemoveTargets": remove,
    "ListTargetsByRule": list_by_rule,
    "ListRuleNamesByTarget": list_rule_names,
}
