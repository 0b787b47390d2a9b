"""The weights of a listener or a rule, as CodeDeploy reads and sets them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from runbook_lib.sandbox.services.elbv2 import actions
from runbook_lib.sandbox.services.elbv2.store import Action, listener, rule, store
from runbook_lib.sandbox.services.elbv2.targets import routing_change

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World


def weights(world: World, arn: str) -> dict[str, int]:
    """The weight of each target group in a listener's default actions or in a rule; empty when it does not forward."""
    forward = next((action for action in _actions(world, arn) if action["Type"] == "forward"), None)
    groups = forward["ForwardConfig"]["TargetGroups"] if forward else ()
    return {group["TargetGroupArn"]: group["Weight"] for group in groups}


def set_weights(world: World, arn: str, weights: Mapping[str, int]) -> None:
    """Forward to exactly these target groups with these weights; other actions and stickiness stay.

    Raises AwsError as ModifyListener does: a group that does not exist or belongs to another load balancer.
    """
    known = _actions(world, arn)
    changed = actions.normalised(world, _load_balancer(world, arn), [_forward(action, weights) for action in known])
    with routing_change(world):
        kept = store(world)
        if arn in kept.rules:
            kept.rules[arn] = replace(kept.rules[arn], actions=changed)
        else:
            kept.listeners[arn] = replace(kept.listeners[arn], actions=changed)


def _forward(action: Action, weights: Mapping[str, int]) -> Action:
    if action["Type"] != "forward":
        return action
    groups = [{"TargetGroupArn": group, "Weight": weight} for group, weight in weights.items()]
    config = {**action["ForwardConfig"], "TargetGroups": groups}
    return {**{key: value for key, value in action.items() if key != "TargetGroupArn"}, "ForwardConfig": config}


def _actions(world: World, arn: str) -> tuple[Action, ...]:
    return rule(world, arn).actions if arn in store(world).rules else listener(world, arn).actions


def _load_balancer(world: World, arn: str) -> str:
    found = store(world).rules.get(arn)
    return listener(world, found.listener if found else arn).load_balancer
