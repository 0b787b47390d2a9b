"""The one target of an Amazon ECS deployment: the service, with its lifecycle events and task sets.

Source: CodeDeploy API reference, ECSTarget and ECSTaskSet (its id is spelled "identifer").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.codedeploy import lookup, routes, sets
from runbook_lib.sandbox.services.codedeploy.store import Deployment, LifecycleEvent

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

STATES = ("Pending", "InProgress", "Succeeded", "Failed", "Skipped", "Ready")
BY_STATUS = {"Created": "Pending", "Queued": "Pending", "Ready": "Ready", "Failed": "Failed", "Succeeded": "Succeeded"}


def state(deployment: Deployment) -> str:
    """The target's status; it is Succeeded as soon as all events are over, however long blue is kept after that."""
    if deployment.status in BY_STATUS:
        return BY_STATUS[deployment.status]
    statuses = {event.status for event in deployment.events}
    if deployment.status == "Stopped":
        return "Succeeded" if statuses == {"Succeeded"} else "Skipped"
    return "Succeeded" if statuses <= {"Succeeded", "Skipped"} else "InProgress"


def overview(deployment: Deployment) -> dict[str, int]:
    """The numbers of targets by status, which for Amazon ECS are one 1 and zeros."""
    current = state(deployment)
    return {name: int(name == current) for name in STATES}


def task_sets(world: World, deployment: Deployment) -> list[dict[str, Any]]:
    """Blue and green as they are now; a deployment that is over shows them as it left them."""
    if deployment.final_task_sets is not None:
        return deployment.final_task_sets
    sides = {"Blue": deployment.blue or sets.primary(world, deployment), "Green": deployment.green}
    found = []
    for label, side in sides.items():
        task_set = sets.find(world, deployment, side)
        if side is not None and task_set is not None:
            found.append(_task_set(world, deployment, label, side.target_group, task_set))
    return found


def _task_set(
    world: World, deployment: Deployment, label: str, target_group: str, task_set: sets.TaskSet
) -> dict[str, Any]:
    return {
        "identifer": task_set.id,
        "desiredCount": task_set.desired,
        "pendingCount": task_set.pending,
        "runningCount": task_set.running,
        "status": task_set.status,
        "trafficWeight": routes.share(world, deployment, target_group),
        "targetGroup": {"name": sets.group_name(world, target_group)},
        "taskSetLabel": label,
    }


def _event(world: World, event: LifecycleEvent) -> dict[str, Any]:
    shown: dict[str, Any] = {"lifecycleEventName": event.name, "status": event.status}
    if event.started is not None:
        shown["startTime"] = world.datetime(event.started)
    if event.ended is not None:
        shown["endTime"] = world.datetime(event.ended)
    if event.diagnostics is not None:
        shown["diagnostics"] = event.diagnostics
    return shown


def _target(world: World, deployment: Deployment) -> dict[str, Any]:
    plan = deployment.plan
    target = {
        "deploymentId": deployment.id,
        "targetId": deployment.target_id,
        "targetArn": world.arn("ecs", f"service/{plan.cluster}/{plan.service}"),
        "lastUpdatedAt": world.datetime(deployment.touched),
        "lifecycleEvents": [_event(world, event) for event in deployment.events],
        "status": state(deployment),
        "taskSetsInfo": task_sets(world, deployment),
    }
    return {"deploymentTargetType": "ECSTarget", "ecsTarget": target}


def _started(call: Call) -> Deployment:
    deployment = lookup.deployment(call.world, call.params)
    if deployment.started is None and not deployment.over:
        raise AwsError("DeploymentNotStartedException", f"The deployment {deployment.id} has not started.")
    return deployment


def list_(call: Call) -> dict[str, Any]:
    """ListDeploymentTargets."""
    deployment = _started(call)
    filters = call.params.get("targetFilters") or {}
    for name in filters:
        if name not in ("TargetStatus", "ServerInstanceLabel"):
            raise AwsError("InvalidTargetFilterNameException", f"The target filter name {name} is invalid.")
    wanted = filters.get("TargetStatus", [state(deployment)])
    found = [deployment.target_id] if state(deployment) in wanted else []
    return lookup.page(found, call.params, "targetIds")


def get(call: Call) -> dict[str, Any]:
    """GetDeploymentTarget."""
    deployment = _started(call)
    _check(deployment, call.params.get("targetId"))
    return {"deploymentTarget": _target(call.world, deployment)}


def batch_get(call: Call) -> dict[str, Any]:
    """BatchGetDeploymentTargets: an Amazon ECS deployment has exactly one target."""
    deployment = _started(call)
    ids = call.params.get("targetIds") or []
    if len(ids) > 1:
        raise AwsError(
            "DeploymentTargetListSizeExceededException",
            "The target list of an Amazon ECS deployment must have exactly one item.",
        )
    _check(deployment, ids[0] if ids else None)
    return {"deploymentTargets": [_target(call.world, deployment)]}


def _check(deployment: Deployment, target_id: str | None) -> None:
    if not target_id:
        raise AwsError("DeploymentTargetIdRequiredException", "A deployment target ID was not provided.")
    if target_id != deployment.target_id:
        raise AwsError(
            "DeploymentTargetDoesNotExistException",
            f"The target {target_id} does not belong to the deployment {deployment.id}.",
        )


OPERATIONS = {"ListDeploymentTargets": list_, "GetDeploymentTarget": get, "BatchGetDeploymentTargets": batch_get}
