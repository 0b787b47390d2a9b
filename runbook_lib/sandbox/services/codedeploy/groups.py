"""Deployment groups: which service is deployed to, through which listeners, and what stops or undoes a deployment."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.codedeploy import group_rules, lookup
from runbook_lib.sandbox.services.codedeploy.configs import DEFAULTS
from runbook_lib.sandbox.services.codedeploy.store import Application, Group
from runbook_lib.sandbox.services.codedeploy.tags import from_list

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

BATCH = 100
SETTINGS = (
    "deploymentConfigName",
    "ec2TagFilters",
    "onPremisesInstanceTagFilters",
    "autoScalingGroups",
    "serviceRoleArn",
    "triggerConfigurations",
    "alarmConfiguration",
    "autoRollbackConfiguration",
    "outdatedInstancesStrategy",
    "deploymentStyle",
    "blueGreenDeploymentConfiguration",
    "loadBalancerInfo",
    "ec2TagSet",
    "ecsServices",
    "onPremisesTagSet",
    "ec2DeploymentOptions",
    "terminationHookEnabled",
)
EMPTY_LISTS = ("ec2TagFilters", "onPremisesInstanceTagFilters", "autoScalingGroups", "triggerConfigurations")


def create(call: Call) -> dict[str, Any]:
    """CreateDeploymentGroup."""
    application = lookup.application(call.world, call.params)
    name = lookup.named(call.params, "deploymentGroupName", "DeploymentGroup")
    if name in application.groups:
        raise AwsError("DeploymentGroupAlreadyExistsException", f"Deployment group already exists: {name}")
    if not call.params.get("serviceRoleArn"):
        raise AwsError("RoleRequiredException", "The role ID was not specified.")
    settings = _with_defaults(application, {key: call.params[key] for key in SETTINGS if key in call.params})
    group_rules.check(call.world, application, name, settings)
    made = Group(
        id=call.world.ids.uuid("deployment-group"),
        name=name,
        settings=settings,
        tags=from_list(call.params.get("tags", [])),
    )
    application.groups[name] = made
    return {"deploymentGroupId": made.id}


def _with_defaults(application: Application, given: dict[str, Any]) -> dict[str, Any]:
    """A group without a configuration gets the one that the console proposes for its platform."""
    settings: dict[str, Any] = {key: [] for key in EMPTY_LISTS}
    settings |= {"deploymentConfigName": DEFAULTS[application.platform], "outdatedInstancesStrategy": "UPDATE"}
    settings |= {"deploymentStyle": {"deploymentType": "IN_PLACE", "deploymentOption": "WITHOUT_TRAFFIC_CONTROL"}}
    settings |= given
    if "blueGreenDeploymentConfiguration" in settings and application.platform == "ECS":
        settings["blueGreenDeploymentConfiguration"] = _blue_green(settings["blueGreenDeploymentConfiguration"])
    return settings


def _blue_green(given: dict[str, Any]) -> dict[str, Any]:
    ready = {"actionOnTimeout": "CONTINUE_DEPLOYMENT", "waitTimeInMinutes": 0}
    ending = {"action": "TERMINATE", "terminationWaitTimeInMinutes": 0}
    return {
        **given,
        "deploymentReadyOption": ready | given.get("deploymentReadyOption", {}),
        "terminateBlueInstancesOnDeploymentSuccess": ending
        | given.get("terminateBlueInstancesOnDeploymentSuccess", {}),
    }


def update(call: Call) -> dict[str, Any]:
    """UpdateDeploymentGroup: what is given replaces what was; a running deployment keeps what it began with."""
    application, group = lookup.group(call.world, call.params, "currentDeploymentGroupName")
    name = group.name
    if call.params.get("newDeploymentGroupName"):
        name = lookup.named(call.params, "newDeploymentGroupName", "DeploymentGroup")
        if name != group.name and name in application.groups:
            raise AwsError("DeploymentGroupAlreadyExistsException", f"Deployment group already exists: {name}")
    settings = group.settings | {key: call.params[key] for key in SETTINGS if key in call.params}
    settings = _with_defaults(application, settings)
    group_rules.check(call.world, application, group.name, settings)
    group.settings = settings
    _rename(call.world, application, group, name)
    return {"hooksNotCleanedUp": []}


def _rename(world: World, application: Application, group: Group, name: str) -> None:
    application.groups[name] = application.groups.pop(group.name)
    for deployment in lookup.store(world).deployments.values():
        if deployment.plan.group_id == group.id:
            deployment.plan = replace(deployment.plan, group=name)
    group.name = name


def delete(call: Call) -> dict[str, Any]:
    """DeleteDeploymentGroup: an unknown name is no error."""
    name = lookup.named(call.params, "deploymentGroupName", "DeploymentGroup")
    wanted = lookup.named(call.params, "applicationName", "Application")
    application = lookup.store(call.world).applications.get(wanted)
    if application is not None:
        application.groups.pop(name, None)
    return {"hooksNotCleanedUp": []}


def _info(world: World, application: Application, group: Group) -> dict[str, Any]:
    info: dict[str, Any] = {
        "applicationName": application.name,
        "deploymentGroupId": group.id,
        "deploymentGroupName": group.name,
        "computePlatform": application.platform,
        **{key: group.settings[key] for key in SETTINGS if key in group.settings},
    }
    info.setdefault("terminationHookEnabled", False)
    if group.target_revision in application.revisions:
        info["targetRevision"] = application.revisions[group.target_revision].location
    for key, identity in (
        ("lastSuccessfulDeployment", group.last_successful),
        ("lastAttemptedDeployment", group.last_attempted),
    ):
        if identity is not None:
            info[key] = _last(world, identity)
    return info


def _last(world: World, identity: str) -> dict[str, Any]:
    deployment = lookup.store(world).deployments[identity]
    last: dict[str, Any] = {
        "deploymentId": identity,
        "status": deployment.status,
        "createTime": world.datetime(deployment.created),
    }
    if deployment.completed is not None:
        last["endTime"] = world.datetime(deployment.completed)
    return last


def get(call: Call) -> dict[str, Any]:
    """GetDeploymentGroup."""
    return {"deploymentGroupInfo": _info(call.world, *lookup.group(call.world, call.params))}


def batch_get(call: Call) -> dict[str, Any]:
    """BatchGetDeploymentGroups: those that are not found are named in errorMessage."""
    application = lookup.application(call.world, call.params)
    names = call.params.get("deploymentGroupNames") or []
    if len(names) > BATCH:
        raise AwsError("BatchLimitExceededException", f"At most {BATCH} group names can be asked for at once.")
    found = [application.groups[name] for name in names if name in application.groups]
    missing = [name for name in names if name not in application.groups]
    answer: dict[str, Any] = {"deploymentGroupsInfo": [_info(call.world, application, group) for group in found]}
    if missing:
        answer["errorMessage"] = f"No Deployment Group found for name: {', '.join(missing)}"
    return answer


def list_(call: Call) -> dict[str, Any]:
    """ListDeploymentGroups."""
    application = lookup.application(call.world, call.params)
    return {
        "applicationName": application.name,
        **lookup.page(sorted(application.groups), call.params, "deploymentGroups"),
    }


OPERATIONS = {
    "CreateDeploymentGroup": create,
    "UpdateDeploymentGroup": update,
    "DeleteDeploymentGroup": delete,
    "GetDeploymentGroup": get,
    "BatchGetDeploymentGroups": batch_get,
    "ListDeploymentGroups": list_,
}
