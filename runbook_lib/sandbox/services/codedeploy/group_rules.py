"""What a deployment group must be; each check refuses in CodeDeploy's words where they are known.

Sources: CodeDeploy API reference (CreateDeploymentGroup, BlueGreenDeploymentConfiguration, LoadBalancerInfo);
user guide, deployment-groups-create-ecs, deployment-groups-create-load-balancer-for-ecs, troubleshooting-ecs, limits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.codedeploy import balancer_rules, lookup, role, safety_rules, service_rules
from runbook_lib.sandbox.services.codedeploy.store import Application

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

Settings = dict[str, Any]
STYLES = {
    "deploymentType": ("IN_PLACE", "BLUE_GREEN"),
    "deploymentOption": ("WITH_TRAFFIC_CONTROL", "WITHOUT_TRAFFIC_CONTROL"),
}
ECS_STYLE = {"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"}
MAX_WAIT = 2880
NOT_FOR_ECS = {
    "autoScalingGroups": "InvalidAutoScalingGroupException",
    "ec2TagFilters": "InvalidEC2TagException",
    "ec2TagSet": "InvalidEC2TagException",
    "onPremisesInstanceTagFilters": "InvalidTagException",
    "onPremisesTagSet": "InvalidTagException",
}


def check(world: World, application: Application, name: str, settings: Settings) -> None:
    """Refuses settings that CodeDeploy refuses for a group of that name."""
    _style(settings)
    safety_rules.check_alarms(settings.get("alarmConfiguration"))
    safety_rules.check_rollback(settings.get("autoRollbackConfiguration"))
    safety_rules.check_triggers(settings["triggerConfigurations"])
    role.check_assumable(world, settings["serviceRoleArn"])
    PLATFORMS[application.platform](world, application, name, settings)


def _style(settings: Settings) -> None:
    for key, known in STYLES.items():
        if settings["deploymentStyle"].get(key, known[-1]) not in known:
            _refuse("InvalidDeploymentStyleException", f"{key} must be one of {', '.join(known)}.")


def _refuse(code: str, message: str) -> NoReturn:
    raise AwsError(code, message)


def _config(world: World, application: Application, settings: Settings) -> dict[str, Any]:
    found = lookup.config(world, settings["deploymentConfigName"])
    if found.platform != application.platform:
        _refuse(
            "InvalidDeploymentConfigNameException",
            f"The deployment configuration {found.name} is for {found.platform}, not for {application.platform}.",
        )
    return found.routing or {}


def _ecs(world: World, application: Application, name: str, settings: Settings) -> None:
    if settings["deploymentStyle"] != ECS_STYLE:
        _refuse(
            "InvalidDeploymentStyleException",
            "For ECS deployment, the deployment type must be BLUE_GREEN, "
            "and deployment option must be WITH_TRAFFIC_CONTROL.",
        )
    for key, code in NOT_FOR_ECS.items():
        if settings.get(key):
            _refuse(code, f"For ECS deployment group, {key} can not be specified")
    routing = _config(world, application, settings)
    _blue_green(settings.get("blueGreenDeploymentConfiguration"))
    balancer_rules.check(world, settings.get("loadBalancerInfo"), routing)
    service_rules.check(world, application, name, settings)


def _blue_green(config: dict[str, Any] | None) -> None:
    code = "InvalidBlueGreenDeploymentConfigurationException"
    if config is None:
        _refuse(code, "For ECS deployment group, blueGreenDeploymentConfiguration must be specified")
    if config.get("greenFleetProvisioningOption"):
        _refuse(code, "For ECS deployment group, greenFleetProvisioningOption can not be specified")
    ready, ending = config["deploymentReadyOption"], config["terminateBlueInstancesOnDeploymentSuccess"]
    if ready["actionOnTimeout"] not in ("CONTINUE_DEPLOYMENT", "STOP_DEPLOYMENT"):
        _refuse(code, "Deployment ready action must be CONTINUE_DEPLOYMENT or STOP_DEPLOYMENT")
    if ready["actionOnTimeout"] == "CONTINUE_DEPLOYMENT" and ready["waitTimeInMinutes"]:
        _refuse(code, "Deployment ready action cannot be set to 'CONTINUE_DEPLOYMENT' when timeout is specified")
    if ending["action"] != "TERMINATE":
        _refuse(
            code, f"For ECS deployment group, the blue instance action can not be {ending['action']}; use TERMINATE"
        )
    for minutes in (ready["waitTimeInMinutes"], ending["terminationWaitTimeInMinutes"]):
        if not 0 <= minutes <= MAX_WAIT:
            _refuse(code, f"The wait time must lie between 0 and {MAX_WAIT} minutes; it is {minutes}.")


def _server(world: World, application: Application, name: str, settings: Settings) -> None:
    if settings.get("ecsServices"):
        _refuse("InvalidECSServiceException", "Should not specify ECS services parameter for Server deployment group")
    info = settings.get("loadBalancerInfo", {})
    controlled = settings["deploymentStyle"].get("deploymentOption") == "WITH_TRAFFIC_CONTROL"
    if controlled and not info.get("elbInfoList") and not info.get("targetGroupInfoList"):
        _refuse(
            "InvalidLoadBalancerInfoException",
            "The specification for load balancing in the deployment group is invalid. "
            "The deploymentOption value is set to WITH_TRAFFIC_CONTROL, but either no load balancer was specified "
            "in elbInfoList or no target group was specified in targetGroupInfoList.",
        )
    _config(world, application, settings)


def _lambda(world: World, application: Application, name: str, settings: Settings) -> None:
    if settings["deploymentStyle"] != ECS_STYLE:
        _refuse(
            "InvalidDeploymentStyleException",
            "For Lambda deployment group, deployment type must be BLUE_GREEN, "
            "and deployment option must be WITH_TRAFFIC_CONTROL",
        )
    _config(world, application, settings)


PLATFORMS: dict[str, Callable[[World, Application, str, Settings], None]] = {
    "ECS": _ecs,
    "Server": _server,
    "Lambda": _lambda,
}
