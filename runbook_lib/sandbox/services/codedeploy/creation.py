"""CreateDeployment: checks the call, freezes the group's settings into a plan and lets the deployment begin.

Sources: CodeDeploy API reference, CreateDeployment; user guide, limits (one running deployment per group).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.codedeploy import appspec, configs, ending, lookup, progress, revisions, safety_rules
from runbook_lib.sandbox.services.codedeploy.lifecycle import events_of
from runbook_lib.sandbox.services.codedeploy.store import Application, Deployment, Group, Plan

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

INVALID_APPSPEC = "The AppSpec file must be valid JSON or YAML. "
NOT_FOR_ECS = {
    "fileExistsBehavior": "InvalidFileExistsBehaviorException",
    "targetInstances": "InvalidTargetInstancesException",
    "updateOutdatedInstancesOnly": "InvalidUpdateOutdatedInstancesOnlyValueException",
    "ignoreApplicationStopFailures": "InvalidIgnoreApplicationStopFailuresValueException",
}


def create(
    world: World,
    *,
    application: str,
    group: str,
    appspec: str,
    description: str = "",
    creator: str = "user",
    on_done: tuple[Any, ...] | None = None,
) -> str:
    """Starts a deployment of that AppSpec and gives its id; raises what CreateDeployment raises.

    on_done is (handler name, *args); the handler gets the deployment's id and final status appended.
    """
    revision = {"revisionType": "AppSpecContent", "appSpecContent": {"content": appspec}}
    params = {"applicationName": application, "deploymentGroupName": group, "revision": revision}
    if description:
        params["description"] = description
    return _create(world, params, creator, on_done or ())


def create_deployment(call: Call) -> dict[str, Any]:
    """CreateDeployment."""
    return {"deploymentId": _create(call.world, call.params, "user", ())}


def _create(world: World, params: dict[str, Any], creator: str, on_done: tuple[Any, ...]) -> str:
    application, group = lookup.group(world, params)
    _check_platform(application, params)
    _check_safety(params)
    words = revisions.description(params)
    plan = _plan(world, application, group, params)
    key = _revision(world, application, params)
    _only_one(world, application, group)
    made = Deployment(
        id=world.ids.deployment(),
        plan=plan,
        revision=key,
        previous_revision=group.target_revision,
        creator=creator,
        description=words,
        created=world.now,
        touched=world.now,
        events=events_of(plan),
        on_done=on_done,
    )
    _used(world, application, key)
    ending.add(world, made, progress.START_SECONDS)
    return made.id


def _check_platform(application: Application, params: dict[str, Any]) -> None:
    if application.platform != "ECS":
        raise AwsError(
            "InvalidComputePlatformException",
            f"Application {application.name} uses the compute platform {application.platform}; "
            "only deployments to ECS are simulated.",
        )
    for key, code in NOT_FOR_ECS.items():
        if params.get(key):
            raise AwsError(code, f"For Lambda, ECS and Kubernetes deployment, {key} can not be specified")


def _check_safety(params: dict[str, Any]) -> None:
    safety_rules.check_alarms(params.get("overrideAlarmConfiguration"))
    safety_rules.check_rollback(params.get("autoRollbackConfiguration"))


def _revision(world: World, application: Application, params: dict[str, Any]) -> str:
    """The key of the revision to deploy; an AppSpec given in the call is checked here, one in S3 when it starts."""
    location = params.get("revision")
    if not location:
        raise AwsError("RevisionRequiredException", "RevisionLocation must be specified")
    content = (location.get("appSpecContent") or {}).get("content")
    if location.get("revisionType") == "AppSpecContent" and content is None:
        return revisions.known(application, location)
    if content is not None:
        _check_appspec(content)
    return revisions.register(world, application, location)


def _check_appspec(content: str) -> None:
    try:
        appspec.parse(content)
    except appspec.AppSpecError as wrong:
        prefix = INVALID_APPSPEC if str(wrong) == appspec.MALFORMED else ""
        raise AwsError("InvalidRevisionException", f"{prefix}{wrong}") from wrong


def _used(world: World, application: Application, key: str) -> None:
    revision = application.revisions[key]
    revision.last_used = world.now
    if revision.first_used is None:
        revision.first_used = world.now


def _only_one(world: World, application: Application, group: Group) -> None:
    for deployment in lookup.store(world).deployments.values():
        if deployment.plan.group_id == group.id and not deployment.over:
            raise AwsError(
                "DeploymentLimitExceededException",
                f"The Deployment Group '{group.name}' already has an active Deployment '{deployment.id}'",
            )


def _plan(world: World, application: Application, group: Group, params: dict[str, Any]) -> Plan:
    settings = group.settings
    config = lookup.config(world, params.get("deploymentConfigName") or settings["deploymentConfigName"])
    if config.routing is None or config.platform != "ECS":
        raise AwsError(
            "InvalidDeploymentConfigNameException",
            f"The deployment configuration {config.name} is for {config.platform}, not for ECS.",
        )
    pair = settings["loadBalancerInfo"]["targetGroupPairInfoList"][0]
    test = pair.get("testTrafficRoute", {}).get("listenerArns") or [None]
    service = settings["ecsServices"][0]
    override = params.get("overrideAlarmConfiguration")
    return Plan(
        application=application.name,
        group=group.name,
        group_id=group.id,
        role=settings["serviceRoleArn"],
        config=config.name,
        increments=configs.increments(config.routing),
        cluster=service["clusterName"],
        service=service["serviceName"],
        target_groups=tuple(entry["name"] for entry in pair["targetGroups"]),
        production=pair["prodTrafficRoute"]["listenerArns"][0],
        test=test[0],
        style=settings["deploymentStyle"],
        blue_green=settings["blueGreenDeploymentConfiguration"],
        load_balancer=settings["loadBalancerInfo"],
        auto_rollback=params.get("autoRollbackConfiguration", settings.get("autoRollbackConfiguration", {})),
        alarms=override if override is not None else settings.get("alarmConfiguration", {}),
        override_alarms=override,
        triggers=tuple(settings["triggerConfigurations"]),
    )


OPERATIONS = {"CreateDeployment": create_deployment}
