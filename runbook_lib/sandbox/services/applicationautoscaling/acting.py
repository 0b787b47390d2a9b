"""Once a minute: what the alarms in ALARM ask of their policies, within bounds, cooldowns and suspensions.

Sources: CloudWatch user guide, AlarmThatSendsEmail (a scaling action is invoked again every minute that an alarm stays
in its state); Application Auto Scaling user guide, target-tracking-scaling-policy-overview (cooldowns; of the policies
that scale out the largest count wins, scaling in needs all of them to agree); ECS developer guide,
service-auto-scaling.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.services.applicationautoscaling import activities, capacity, deciding, metrics
from runbook_lib.sandbox.services.applicationautoscaling.capacity import Capacity
from runbook_lib.sandbox.services.applicationautoscaling.store import Policy, Target, change_policy, store

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

MINUTE = 60
AFTER_ALARMS = 15.0  # seconds after the minute: CloudWatch has evaluated its alarms by then
COOLDOWN = 300  # seconds; API reference, TargetTrackingScalingPolicyConfiguration and StepScalingPolicyConfiguration
CAUSE = "monitor alarm {alarm} in state ALARM triggered policy {policy}"


@dataclass(frozen=True)
class Wish:
    """The count that a policy asks for because of an alarm."""

    policy: Policy
    alarm: str
    count: int


def start(world: World) -> None:
    """Begin to look at the alarms, at the next minute."""
    if not store(world).ticking:
        store(world).ticking = True
        world.at((world.now // MINUTE + 1) * MINUTE + AFTER_ALARMS, "application-autoscaling.tick", background=True)


def tick(world: World) -> None:
    """Handler application-autoscaling.tick: every scalable target follows its policies."""
    for target in list(store(world).targets.values()):
        found = capacity.read(world, target.resource)
        if found is not None:
            _scale(world, target, found)
    if store(world).targets:
        world.at(world.now + MINUTE, "application-autoscaling.tick", background=True)
    else:
        store(world).ticking = False


def _scale(world: World, target: Target, now: Capacity) -> None:
    wishes = [wish for wish in _wishes(world, target, now) if wish.count != now.desired]
    out = [wish for wish in wishes if wish.count > now.desired and _may_grow(world, target, wish.policy)]
    inwards = [wish for wish in wishes if wish.count < now.desired]
    if out:
        _do(world, max(out, key=lambda wish: wish.count), scaled_out=world.now)
    elif _may_shrink(world, target, now, inwards):
        _do(world, max(inwards, key=lambda wish: wish.count), scaled_in=world.now)


def _do(world: World, wish: Wish, **when: float) -> None:
    change_policy(world, wish.policy, **when)
    cause = CAUSE.format(alarm=wish.alarm, policy=wish.policy.name)
    activities.begin(world, wish.policy.resource, wish.count, cause)


def _may_grow(world: World, target: Target, policy: Policy) -> bool:
    return not target.suspended["DynamicScalingOutSuspended"] and not _cools(
        world, policy.scaled_out, _cooldown(policy, "ScaleOutCooldown")
    )


def _may_shrink(world: World, target: Target, now: Capacity, wishes: list[Wish]) -> bool:
    """Every target tracking policy that can scale in must ask for it."""
    if not wishes or not now.may_shrink or target.suspended["DynamicScalingInSuspended"]:
        return False
    asking = {wish.policy.name for wish in wishes}
    tracking = [one for one in _policies(world, target) if one.kind == "TargetTrackingScaling"]
    if any(one.name not in asking for one in tracking if not one.config.get("DisableScaleIn")):
        return False
    return not any(_cooling_in(world, wish.policy) for wish in wishes)


def _cooling_in(world: World, policy: Policy) -> bool:
    limit = _cooldown(policy, "ScaleInCooldown")
    return _cools(world, policy.scaled_in, limit) or _cools(world, policy.scaled_out, limit)


def _cooldown(policy: Policy, side: str) -> float:
    key = "Cooldown" if policy.kind == "StepScaling" else side
    return float(policy.config.get(key, COOLDOWN))


def _cools(world: World, since: float | None, seconds: float) -> bool:
    return since is not None and world.now - since < seconds


def _wishes(world: World, target: Target, now: Capacity) -> Iterator[Wish]:
    for policy in _policies(world, target):
        for name in alarms_of(world, policy, state="ALARM"):
            alarm = _alarm(world, name)
            value = metrics.newest(world, alarm)
            asked = None if value is None else _asked(policy, alarm, now, value)
            if asked is not None:
                yield Wish(policy, name, min(target.maximum, max(target.minimum, asked)))


def _asked(policy: Policy, alarm: Mapping[str, Any], now: Capacity, value: float) -> int | None:
    if policy.kind == "StepScaling":
        return deciding.stepped(now.running, policy.config, excess=value - alarm["Threshold"])
    return deciding.tracked(now.running, value=value, target=policy.config["TargetValue"])


def _policies(world: World, target: Target) -> list[Policy]:
    return [one for one in store(world).policies.values() if one.resource == target.resource]


def alarms_of(world: World, policy: Policy, state: str | None = None) -> tuple[str, ...]:
    """The names of the alarms whose action is this policy and that may act."""
    narrowed = {"StateValue": state} if state else {}
    found = world.client("cloudwatch").describe_alarms(**narrowed)["MetricAlarms"]
    return tuple(one["AlarmName"] for one in found if policy.arn in one["AlarmActions"] and one["ActionsEnabled"])


def _alarm(world: World, name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = world.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"][0]
    return found
