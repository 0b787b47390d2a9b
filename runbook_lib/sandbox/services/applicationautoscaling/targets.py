"""Scalable targets: services with their bounds, and what of their scaling is suspended.

Sources: Application Auto Scaling API reference, RegisterScalableTarget; user guide, application-auto-scaling-suspend-
resume-scaling and application-auto-scaling-service-linked-roles.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.applicationautoscaling import acting, capacity, policies
from runbook_lib.sandbox.services.applicationautoscaling.store import (
    DIMENSION,
    Target,
    change_target,
    check_namespace,
    missing,
    page,
    resource_of,
    store,
)
from runbook_lib.sandbox.services.elbv2 import linked_role

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

PRINCIPAL = "ecs.application-autoscaling.amazonaws.com"
ROLE = f"role/aws-service-role/{PRINCIPAL}/AWSServiceRoleForApplicationAutoScaling_ECSService"


def register(call: Call) -> dict[str, Any]:
    """RegisterScalableTarget: new, or changed in what the call names; the count itself stays as it is."""
    world, told, resource = call.world, call.params, resource_of(call)
    if capacity.read(world, resource) is None:
        raise AwsError("ValidationException", f"ECS service doesn't exist: {resource}")
    role = world.arn("iam", ROLE, regional=False)
    linked_role.require(world, PRINCIPAL, AwsError("ValidationException", f"Unable to assume IAM role: {role}"))
    known = store(world).targets.get(resource)
    low, high = _bounds(told, known)
    if known is None:
        arn = world.arn("application-autoscaling", f"scalable-target/{world.ids.hex('scalable-target', 32)}")
        known = store(world).targets[resource] = Target(resource, arn, low, high, role, world.now)
        store(world).tags[arn] = dict(told.get("Tags", {}))
    suspended = {**known.suspended, **told.get("SuspendedState", {})}
    change_target(world, resource, minimum=low, maximum=high, suspended=suspended)
    acting.start(world)
    return {"ScalableTargetARN": known.arn}


def _bounds(told: Mapping[str, Any], known: Target | None) -> tuple[int, int]:
    low = told.get("MinCapacity", known.minimum if known else None)
    high = told.get("MaxCapacity", known.maximum if known else None)
    if low is None or high is None:
        raise AwsError("ValidationException", "MinCapacity and MaxCapacity must be given for a new scalable target")
    if low < 0 or low > high:
        raise AwsError("ValidationException", "Maximum capacity cannot be less than minimum capacity")
    return low, high


def deregister(call: Call) -> dict[str, Any]:
    """DeregisterScalableTarget: its policies, their own alarms and its scheduled actions go with it."""
    world, resource = call.world, resource_of(call)
    if resource not in store(world).targets:
        raise missing("scalable target found", resource)
    for policy in [one for one in store(world).policies.values() if one.resource == resource]:
        policies.remove(world, policy)
    for key in [key for key in store(world).scheduled if key[0] == resource]:
        del store(world).scheduled[key]
    store(world).tags.pop(store(world).targets.pop(resource).arn, None)
    return {}


def describe(call: Call) -> dict[str, Any]:
    """DescribeScalableTargets of some resources, or of all."""
    check_namespace(call)
    wanted = call.params.get("ResourceIds")
    found = [one for one in store(call.world).targets.values() if not wanted or one.resource in wanted]
    return page(call, "ScalableTargets", (_shown(call.world, one) for one in found))


def _shown(world: World, target: Target) -> dict[str, Any]:
    return {
        "ServiceNamespace": "ecs",
        "ResourceId": target.resource,
        "ScalableDimension": DIMENSION,
        "MinCapacity": target.minimum,
        "MaxCapacity": target.maximum,
        "RoleARN": target.role,
        "CreationTime": world.datetime(target.created),
        "SuspendedState": dict(target.suspended),
        "ScalableTargetARN": target.arn,
    }


OPERATIONS = {
    "RegisterScalableTarget": register,
    "DeregisterScalableTarget": deregister,
    "DescribeScalableTargets": describe,
}
