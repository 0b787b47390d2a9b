"""GetDeployment, BatchGetDeployments and ListDeployments.

Source: CodeDeploy API reference, DeploymentInfo and ListDeployments.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.codedeploy import lookup, targets
from runbook_lib.sandbox.services.codedeploy.store import Deployment

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

BATCH = 25
STATUSES = ("Created", "Queued", "InProgress", "Baking", "Succeeded", "Failed", "Stopped", "Ready")


def get(call: Call) -> dict[str, Any]:
    """GetDeployment; the AppSpec's text is never in it, only its sha256."""
    return {"deploymentInfo": _info(call.world, lookup.deployment(call.world, call.params))}


def batch_get(call: Call) -> dict[str, Any]:
    """BatchGetDeployments: at most 25 ids; unknown ones are left out."""
    ids = call.params.get("deploymentIds") or []
    if not ids:
        raise AwsError("DeploymentIdRequiredException", "At least one deployment ID must be specified.")
    if len(ids) > BATCH:
        raise AwsError("BatchLimitExceededException", f"At most {BATCH} deployments can be asked for at once.")
    for identity in ids:
        if not lookup.DEPLOYMENT_ID.fullmatch(identity):
            raise AwsError(
                "InvalidDeploymentIdException", f"Specified DeploymentId is not in the valid format: {identity}"
            )
    deployments = lookup.store(call.world).deployments
    return {"deploymentsInfo": [_info(call.world, deployments[key]) for key in ids if key in deployments]}


def _info(world: World, deployment: Deployment) -> dict[str, Any]:
    plan = deployment.plan
    info: dict[str, Any] = {
        "applicationName": plan.application,
        "deploymentGroupName": plan.group,
        "deploymentConfigName": plan.config,
        "deploymentId": deployment.id,
        "previousRevision": _location(world, deployment, deployment.previous_revision),
        "revision": _location(world, deployment, deployment.revision),
        "status": deployment.status,
        "createTime": world.datetime(deployment.created),
        "startTime": _time(world, deployment.started),
        "completeTime": _time(world, deployment.completed),
        "deploymentOverview": targets.overview(deployment),
        "description": deployment.description or None,
        "creator": deployment.creator,
        "ignoreApplicationStopFailures": False,
        "autoRollbackConfiguration": plan.auto_rollback or None,
        "updateOutdatedInstancesOnly": False,
        "rollbackInfo": _rollback(deployment),
        "deploymentStyle": plan.style,
        "instanceTerminationWaitTimeStarted": False,
        "blueGreenDeploymentConfiguration": plan.blue_green,
        "loadBalancerInfo": plan.load_balancer,
        "fileExistsBehavior": "DISALLOW",
        "deploymentStatusMessages": [],
        "computePlatform": "ECS",
        "overrideAlarmConfiguration": plan.override_alarms,
        "errorInformation": _error(deployment),
    }
    return {key: value for key, value in info.items() if value is not None}


def _time(world: World, when: float | None) -> datetime | None:
    return None if when is None else world.datetime(when)


def _error(deployment: Deployment) -> dict[str, str] | None:
    return {"code": deployment.error.code, "message": deployment.error.message} if deployment.error else None


def _location(world: World, deployment: Deployment, key: str | None) -> dict[str, Any] | None:
    application = lookup.store(world).applications.get(deployment.plan.application)
    if application is None or key not in application.revisions:
        return None
    return application.revisions[key].location


def _rollback(deployment: Deployment) -> dict[str, str] | None:
    if not deployment.rollback_message:
        return None
    info = {"rollbackMessage": deployment.rollback_message}
    if deployment.rolls_back:
        info["rollbackTriggeringDeploymentId"] = deployment.rolls_back
    if deployment.rolled_back_by:
        info["rollbackDeploymentId"] = deployment.rolled_back_by
    return info


def list_(call: Call) -> dict[str, Any]:
    """ListDeployments: the newest first; application and group are given together or not at all."""
    params = call.params
    group_id = _group_id(call.world, params)
    statuses = params.get("includeOnlyStatuses") or STATUSES
    for status in statuses:
        if status not in STATUSES:
            raise AwsError("InvalidDeploymentStatusException", f"{status!r} is none of {', '.join(STATUSES)}.")
    start, end = _range(params.get("createTimeRange") or {})
    found = [
        deployment.id
        for deployment in reversed(lookup.store(call.world).deployments.values())
        if (group_id is None or deployment.plan.group_id == group_id)
        and deployment.status in statuses
        and start <= deployment.created <= end
    ]
    return lookup.page(found, params, "deployments")


def _group_id(world: World, params: dict[str, Any]) -> str | None:
    app, group = params.get("applicationName"), params.get("deploymentGroupName")
    if not app and not group:
        return None
    if not app:
        raise AwsError("ApplicationNameRequiredException", "Application name is required with a deployment group name.")
    if not group:
        raise AwsError("DeploymentGroupNameRequiredException", "Deployment group name is required.")
    return lookup.group(world, params)[1].id


def _range(given: dict[str, Any]) -> tuple[float, float]:
    start, end = _epoch(given.get("start"), float("-inf")), _epoch(given.get("end"), float("inf"))
    if start > end:
        raise AwsError("InvalidTimeRangeException", "The start of the time range lies after its end.")
    return start, end


def _epoch(when: datetime | float | None, default: float) -> float:
    if when is None:
        return default
    return when.timestamp() if isinstance(when, datetime) else float(when)


OPERATIONS = {"GetDeployment": get, "BatchGetDeployments": batch_get, "ListDeployments": list_}
