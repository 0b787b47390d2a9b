"""Scaling policies: target tracking with alarms of its own, and steps by the alarms of others.

Sources: Application Auto Scaling API reference, PutScalingPolicy; ECS developer guide,
service-autoscaling-targettracking (a policy on the requests per target is not supported with the blue/green deployment
type: the guide does not say whether the call is refused, so it is not simulated).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError, not_simulated
from runbook_lib.sandbox.services.applicationautoscaling import acting, capacity, deciding, metrics
from runbook_lib.sandbox.services.applicationautoscaling.store import (
    DIMENSION,
    Policy,
    check_namespace,
    missing,
    page,
    resource_of,
    store,
)

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

CONFIGS = {
    "TargetTrackingScaling": "TargetTrackingScalingPolicyConfiguration",
    "StepScaling": "StepScalingPolicyConfiguration",
}
ADJUSTMENTS = ("ChangeInCapacity", "PercentChangeInCapacity", "ExactCapacity")


def put(call: Call) -> dict[str, Any]:
    """PutScalingPolicy: new, or in place of the one by that name."""
    world, told, resource = call.world, call.params, resource_of(call)
    if resource not in store(world).targets:
        raise missing("scalable target registered", resource)
    known = store(world).policies.get((resource, told["PolicyName"]))
    kind = told.get("PolicyType", known.kind if known else "StepScaling")
    config = _config(kind, told, known)
    CHECKS[kind](world, resource, config)
    arn = known.arn if known else _arn(world, resource, told["PolicyName"])
    made = Policy(told["PolicyName"], arn, resource, kind, config, known.created if known else world.now)
    if known:
        remove(world, known)
    if kind == "TargetTrackingScaling":
        made = replace(made, alarms=metrics.make_alarms(world, made))
    store(world).policies[resource, made.name] = made
    acting.start(world)
    return {"PolicyARN": arn, "Alarms": _alarms(world, made.alarms)}


def _config(kind: str, told: Mapping[str, Any], known: Policy | None) -> Mapping[str, Any]:
    if kind not in CONFIGS:
        raise not_simulated(f"application-autoscaling: policies of type {kind}")
    config = told.get(CONFIGS[kind]) or (known.config if known and known.kind == kind else None)
    if config is None:
        raise AwsError("ValidationException", f"{CONFIGS[kind]} must be specified for policy type {kind}")
    return dict(config)


def _check_tracking(world: World, resource: str, config: Mapping[str, Any]) -> None:
    named = [key for key in ("PredefinedMetricSpecification", "CustomizedMetricSpecification") if config.get(key)]
    if len(named) != 1:
        text = "Exactly one of PredefinedMetricSpecification and CustomizedMetricSpecification must be specified"
        raise AwsError("ValidationException", text)
    if config["TargetValue"] <= 0:
        raise AwsError("ValidationException", "TargetValue must be greater than 0")
    metrics.watched(resource, config)
    per_target = config.get("PredefinedMetricSpecification", {}).get("PredefinedMetricType") == metrics.PER_TARGET
    service = capacity.read(world, resource)
    if per_target and service and service.controller == "CODE_DEPLOY":
        raise not_simulated(f"{metrics.PER_TARGET} with CODE_DEPLOY, which Amazon ECS does not support")


def _check_steps(world: World, resource: str, config: Mapping[str, Any]) -> None:
    if config.get("AdjustmentType") not in ADJUSTMENTS:
        raise AwsError("ValidationException", f"AdjustmentType must be one of {', '.join(ADJUSTMENTS)}")
    wrong = deciding.wrong_steps(config.get("StepAdjustments", ()))
    if wrong:
        raise AwsError("ValidationException", wrong)


CHECKS = {"TargetTrackingScaling": _check_tracking, "StepScaling": _check_steps}


def _arn(world: World, resource: str, name: str) -> str:
    where = f"scalingPolicy:{world.ids.uuid('scaling-policy')}:resource/ecs/{resource}:policyName/{name}"
    return world.arn("autoscaling", where)


def delete(call: Call) -> dict[str, Any]:
    """DeleteScalingPolicy, with the alarms that it made."""
    resource, name = resource_of(call), call.params["PolicyName"]
    if (resource, name) not in store(call.world).policies:
        raise missing("scaling policy found", resource, f"policy name: {name}")
    remove(call.world, store(call.world).policies[resource, name])
    return {}


def remove(world: World, policy: Policy) -> None:
    """Take a policy away, with the alarms that it made."""
    if policy.alarms:
        world.client("cloudwatch").delete_alarms(AlarmNames=list(policy.alarms))
    store(world).policies.pop((policy.resource, policy.name))


def describe(call: Call) -> dict[str, Any]:
    """DescribeScalingPolicies by name or resource."""
    check_namespace(call)
    names, resource = call.params.get("PolicyNames"), call.params.get("ResourceId")
    found = [
        one
        for one in store(call.world).policies.values()
        if (not names or one.name in names) and resource in (None, one.resource)
    ]
    return page(call, "ScalingPolicies", (_shown(call.world, one) for one in found))


def _shown(world: World, policy: Policy) -> dict[str, Any]:
    return {
        "PolicyARN": policy.arn,
        "PolicyName": policy.name,
        "ServiceNamespace": "ecs",
        "ResourceId": policy.resource,
        "ScalableDimension": DIMENSION,
        "PolicyType": policy.kind,
        CONFIGS[policy.kind]: dict(policy.config),
        "Alarms": _alarms(world, policy.alarms or acting.alarms_of(world, policy)),
        "CreationTime": world.datetime(policy.created),
    }


def _alarms(world: World, names: tuple[str, ...]) -> list[dict[str, str]]:
    return [{"AlarmName": name, "AlarmARN": world.arn("cloudwatch", f"alarm:{name}")} for name in names]


OPERATIONS = {"PutScalingPolicy": put, "DeleteScalingPolicy": delete, "DescribeScalingPolicies": describe}
