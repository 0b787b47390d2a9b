"""Rules of listeners, in the order of their priorities, and the default rule that stands last.

Sources: ELB API reference, CreateRule, ModifyRule and SetRulePriorities; ELB guide, listener-update-rules.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.elbv2 import actions, conditions, tags
from runbook_lib.sandbox.services.elbv2.pages import page
from runbook_lib.sandbox.services.elbv2.store import Listener, Rule, arn, dimension, listener, rule, rules_of, store
from runbook_lib.sandbox.services.elbv2.targets import routing_change

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

MOST = 100
PRIORITIES = (1, 50000)


def create(call: Call) -> dict[str, Any]:
    """CreateRule."""
    world, params = call.world, call.params
    found = listener(world, params["ListenerArn"])
    priority = params["Priority"]
    _check_priority(priority)
    if any(known.priority == priority for known in rules_of(world, found.arn)):
        raise AwsError("PriorityInUse", f"Priority '{priority}' is currently in use")
    if len(rules_of(world, found.arn)) >= MOST:
        raise AwsError("TooManyRules", f"The maximum number of rules on a load balancer is {MOST}")
    made = Rule(
        arn=arn(world, f"listener-rule/{dimension(found.arn)}/{world.ids.hex('rule', 16)}"),
        listener=found.arn,
        priority=priority,
        conditions=conditions.normalised(params["Conditions"]),
        actions=actions.normalised(world, found.load_balancer, params["Actions"]),
    )
    with routing_change(world):
        store(world).rules[made.arn] = made
    tags.keep(world, made.arn, tags.read(params.get("Tags", ())))
    return {"Rules": [_described(made)]}


def _check_priority(priority: int) -> None:
    low, high = PRIORITIES
    if not low <= priority <= high:
        raise AwsError("ValidationError", f"Priority '{priority}' must be between {low} and {high}")


def describe(call: Call) -> dict[str, Any]:
    """DescribeRules, of a listener (the default rule stands last) or by ARN."""
    world, params = call.world, call.params
    if "ListenerArn" in params:
        found = listener(world, params["ListenerArn"])
        described = [*(_described(rule) for rule in rules_of(world, found.arn)), _described_default(found)]
    elif "RuleArns" in params:
        described = [_by_arn(world, wanted) for wanted in params["RuleArns"]]
    else:
        raise AwsError("ValidationError", "You must specify either listener rule ARNs or a listener ARN")
    return page(described, params, "Rules", dict)


def _by_arn(world: World, wanted: str) -> dict[str, Any]:
    default = _default_of(world, wanted)
    return _described_default(default) if default else _described(rule(world, wanted))


def _default_of(world: World, wanted: str) -> Listener | None:
    return next((found for found in store(world).listeners.values() if found.default_rule == wanted), None)


def _described(found: Rule) -> dict[str, Any]:
    return {
        "RuleArn": found.arn,
        "Priority": str(found.priority),
        "Conditions": [dict(condition) for condition in found.conditions],
        "Actions": [dict(action) for action in found.actions],
        "IsDefault": False,
    }


def _described_default(found: Listener) -> dict[str, Any]:
    return {
        "RuleArn": found.default_rule,
        "Priority": "default",
        "Conditions": [],
        "Actions": [dict(action) for action in found.actions],
        "IsDefault": True,
    }


def modify(call: Call) -> dict[str, Any]:
    """ModifyRule: given conditions or actions replace all of the old ones."""
    world, params = call.world, call.params
    _not_default(world, params["RuleArn"], "modified")
    old = rule(world, params["RuleArn"])
    changed = old
    if "Conditions" in params:
        changed = replace(changed, conditions=conditions.normalised(params["Conditions"]))
    if "Actions" in params:
        balancer = listener(world, old.listener).load_balancer
        changed = replace(changed, actions=actions.normalised(world, balancer, params["Actions"]))
    with routing_change(world):
        store(world).rules[old.arn] = changed
    return {"Rules": [_described(changed)]}


def delete(call: Call) -> dict[str, Any]:
    """DeleteRule; the default one goes with its listener only."""
    world = call.world
    _not_default(world, call.params["RuleArn"], "deleted")
    found = rule(world, call.params["RuleArn"])
    with routing_change(world):
        del store(world).rules[found.arn]
    store(world).tags.pop(found.arn, None)
    return {}


def _not_default(world: World, wanted: str, what: str) -> None:
    if _default_of(world, wanted):
        raise AwsError("OperationNotPermitted", f"Default rule '{wanted}' cannot be {what}")


def set_priorities(call: Call) -> dict[str, Any]:
    """SetRulePriorities: all at once, so that two rules can change places."""
    world = call.world
    wanted = {pair["RuleArn"]: pair["Priority"] for pair in call.params["RulePriorities"]}
    for one_arn in wanted:
        _not_default(world, one_arn, "given a priority")
    changed = [replace(rule(world, key), priority=priority) for key, priority in wanted.items()]
    for one in changed:
        _check_priority(one.priority)
        others = [known for known in rules_of(world, one.listener) if known.arn not in wanted] + changed
        if sum(known.priority == one.priority for known in others if known.listener == one.listener) > 1:
            raise AwsError("PriorityInUse", f"Priority '{one.priority}' is currently in use")
    with routing_change(world):
        store(world).rules.update({one.arn: one for one in changed})
    return {"Rules": [_described(one) for one in changed]}


OPERATIONS = {
    "CreateRule": create,
    "DescribeRules": describe,
    "ModifyRule": modify,
    "DeleteRule": delete,
    "SetRulePriorities": set_priorities,
}
