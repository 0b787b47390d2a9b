"""Scheduled actions: at their time they set the bounds, and the count follows where it lies outside.

Source: Application Auto Scaling user guide, application-auto-scaling-scheduled-scaling.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.applicationautoscaling import activities, capacity, schedule
from runbook_lib.sandbox.services.applicationautoscaling.store import (
    DIMENSION,
    Scheduled,
    Target,
    change_target,
    check_namespace,
    missing,
    page,
    resource_of,
    store,
)

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

CAUSE = "{side} capacity was set to {count}"
KEPT = ("Schedule", "Timezone", "StartTime", "EndTime", "ScalableTargetAction")


def put(call: Call) -> dict[str, Any]:
    """PutScheduledAction: new, or in place of the one by that name."""
    world, told, resource = call.world, call.params, resource_of(call)
    name = told["ScheduledActionName"]
    if resource not in store(world).targets:
        raise missing("scalable target registered", resource)
    known = store(world).scheduled.get((resource, name))
    kept = {**(known.told if known else {}), **{key: told[key] for key in KEPT if key in told}}
    if "Schedule" not in kept:
        raise AwsError("ValidationException", "Schedule must be specified")
    if not kept.get("ScalableTargetAction"):
        raise AwsError("ValidationException", "MinCapacity or MaxCapacity must be specified")
    arn = known.arn if known else _arn(world, resource, name)
    serial = world.ids.number("scheduled-action")
    made = Scheduled(name, arn, resource, kept, known.created if known else world.now, serial)
    _plan(world, made, after=world.now)  # an expression that cannot be read is refused here
    store(world).scheduled[resource, name] = made
    return {}


def _arn(world: World, resource: str, name: str) -> str:
    where = f"scheduledAction:{world.ids.uuid('scheduled-action')}:resource/ecs/{resource}:scheduledActionName/{name}"
    return world.arn("autoscaling", where)


def _plan(world: World, action: Scheduled, *, after: float) -> None:
    begin = action.told["StartTime"].timestamp() if "StartTime" in action.told else action.created
    zone = action.told.get("Timezone", "UTC")
    due = schedule.next_time(action.told["Schedule"], zone, after=max(after, begin - 1), origin=begin)
    end = action.told.get("EndTime")
    if due is not None and (end is None or due <= end.timestamp()):
        args = (action.resource, action.name, action.serial)
        world.at(due, "application-autoscaling.scheduled", *args, background=True)


def fire(world: World, resource: str, name: str, serial: int) -> None:
    """Handler application-autoscaling.scheduled: the time of a scheduled action has come."""
    action = store(world).scheduled.get((resource, name))
    if action is None or action.serial != serial:
        return
    _plan(world, action, after=world.now)
    target = store(world).targets[resource]
    if not target.suspended["ScheduledScalingSuspended"]:
        _apply(world, _bounded(world, target, action.told["ScalableTargetAction"]))


def _bounded(world: World, target: Target, wanted: Mapping[str, int]) -> Target:
    low, high = wanted.get("MinCapacity", target.minimum), wanted.get("MaxCapacity", target.maximum)
    return change_target(world, target.resource, minimum=low, maximum=max(low, high))


def _apply(world: World, target: Target) -> None:
    now = capacity.read(world, target.resource)
    if now is None:
        return
    if now.desired < target.minimum:
        cause = CAUSE.format(side="minimum", count=target.minimum)
        activities.begin(world, target.resource, target.minimum, cause)
    elif now.desired > target.maximum and now.may_shrink:
        cause = CAUSE.format(side="maximum", count=target.maximum)
        activities.begin(world, target.resource, target.maximum, cause)


def delete(call: Call) -> dict[str, Any]:
    """DeleteScheduledAction."""
    key = resource_of(call), call.params["ScheduledActionName"]
    if key not in store(call.world).scheduled:
        raise missing("scheduled action found", key[0], f"scheduled action name: {key[1]}")
    del store(call.world).scheduled[key]
    return {}


def describe(call: Call) -> dict[str, Any]:
    """DescribeScheduledActions by name or resource."""
    check_namespace(call)
    names, resource = call.params.get("ScheduledActionNames"), call.params.get("ResourceId")
    found = [
        one
        for one in store(call.world).scheduled.values()
        if (not names or one.name in names) and resource in (None, one.resource)
    ]
    return page(call, "ScheduledActions", (_shown(call.world, one) for one in found))


def _shown(world: World, action: Scheduled) -> dict[str, Any]:
    return {
        "ScheduledActionName": action.name,
        "ScheduledActionARN": action.arn,
        "ServiceNamespace": "ecs",
        "ResourceId": action.resource,
        "ScalableDimension": DIMENSION,
        "CreationTime": world.datetime(action.created),
        **action.told,
    }


OPERATIONS = {"PutScheduledAction": put, "DeleteScheduledAction": delete, "DescribeScheduledActions": describe}
