"""The CodeDeploy application, its deployment group and the traffic configuration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from runbook_lib.account import Account
from runbook_lib.balancer import LISTENER
from runbook_lib.inventory import Item
from runbook_lib.planning import change, make
from runbook_lib.sections import Release
from runbook_lib.step import Made, Step
from runbook_lib.system import System, tag_list

ROLLBACK_EVENTS = ("DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST")


@dataclass(frozen=True)
class Group:
    """A deployment group as it is."""

    name: str
    config: str
    service: str
    target_groups: tuple[str, ...]
    termination_wait_minutes: int
    ready_wait_minutes: int
    alarms: tuple[str, ...]
    rollback_events: tuple[str, ...]


def read_group(account: Account, system: System) -> Group | None:
    """The system's deployment group, None while it (or its application) does not exist."""
    client = account.client("codedeploy")
    try:
        answer = client.get_deployment_group(
            applicationName=system.deploy_application, deploymentGroupName=system.deploy_group
        )
    except (
        client.exceptions.ApplicationDoesNotExistException,
        client.exceptions.DeploymentGroupDoesNotExistException,
    ):
        return None
    return _group(answer["deploymentGroupInfo"])


def read_application(account: Account, system: System) -> bool:
    """Whether the CodeDeploy application exists."""
    client = account.client("codedeploy")
    try:
        client.get_application(applicationName=system.deploy_application)
    except client.exceptions.ApplicationDoesNotExistException:
        return False
    return True


def config_name(system: System) -> str:
    """The traffic configuration of the parameters: a stock one where AWS has it, else one of our own."""
    release = system.params.release
    stock = {
        ("all_at_once", None, None): "CodeDeployDefault.ECSAllAtOnce",
        ("canary", 10, 5): "CodeDeployDefault.ECSCanary10Percent5Minutes",
        ("canary", 10, 15): "CodeDeployDefault.ECSCanary10Percent15Minutes",
        ("linear", 10, 1): "CodeDeployDefault.ECSLinear10PercentEvery1Minutes",
        ("linear", 10, 3): "CodeDeployDefault.ECSLinear10PercentEvery3Minutes",
    }
    if release.traffic == "all_at_once":
        return stock["all_at_once", None, None]
    chosen = (release.traffic, release.step_percent, release.step_minutes)
    return stock.get(chosen) or f"{system.name}-{release.traffic}-{release.step_percent}-{release.step_minutes}"


def read_config(account: Account, name: str) -> bool:
    """Whether a traffic configuration exists."""
    client = account.client("codedeploy")
    try:
        client.get_deployment_config(deploymentConfigName=name)
    except client.exceptions.DeploymentConfigDoesNotExistException:
        return False
    return True


def plan_group(
    system: System, *, application: bool, group: Group | None, config: bool, items: Iterable[Item]
) -> tuple[Step, ...]:
    """The steps that make the CodeDeploy application, the traffic configuration where AWS has none, and the group."""
    items = tuple(items)
    make_application = make(
        "deployment.application",
        "Make the CodeDeploy application",
        "codedeploy:create_application",
        {
            "applicationName": system.deploy_application,
            "computePlatform": "ECS",
            "tags": tag_list(system.tags),
        },
        made=Made("codedeploy:application", system.deploy_application),
        found={} if application else None,
        items=items,
    )
    make_group = make(
        "deployment.group",
        "Make the deployment group",
        "codedeploy:create_deployment_group",
        _group_arguments(system),
        made=Made("codedeploy:group", system.deploy_group, "deploymentGroupId"),
        found={"deploymentGroupId": system.deploy_group} if group else None,
        items=items,
    )
    return make_application, *_plan_config(system, config, items), make_group


def plan_group_config(system: System, group: Group, *, config: bool, items: Iterable[Item]) -> tuple[Step, ...]:
    """The steps that give the group the waits and the traffic configuration of the parameters."""
    wanted = (
        config_name(system),
        system.params.release.termination_wait_minutes,
        system.params.release.ready_wait_minutes,
    )
    now = (group.config, group.termination_wait_minutes, group.ready_wait_minutes)
    step = change(
        "deployment.group.config",
        f"Let the traffic move by {wanted[0]}",
        "codedeploy:update_deployment_group",
        {
            "applicationName": system.deploy_application,
            "currentDeploymentGroupName": system.deploy_group,
            "deploymentConfigName": wanted[0],
            "blueGreenDeploymentConfiguration": _waits(system),
        },
        touches=system.deploy_group,
        needed=None if wanted == now else f"it is {now[0]}, waits {now[2]} and {now[1]} min",
        undo=f"set it back to {now[0]}",
    )
    return *_plan_config(system, config, tuple(items)), step


def routing(release: Release) -> dict[str, Any]:
    """The traffic routing of a canary or linear configuration of our own."""
    kind = "Canary" if release.traffic == "canary" else "Linear"
    prefix = kind.lower()
    steps = {f"{prefix}Percentage": release.step_percent, f"{prefix}Interval": release.step_minutes}
    return {"type": f"TimeBased{kind}", f"timeBased{kind}": steps}


def _plan_config(system: System, config: bool, items: tuple[Item, ...]) -> tuple[Step, ...]:
    name = config_name(system)
    if name.startswith("CodeDeployDefault."):
        return ()
    step = make(
        "deployment.config",
        f"Make the traffic configuration {name}",
        "codedeploy:create_deployment_config",
        {
            "deploymentConfigName": name,
            "computePlatform": "ECS",
            "trafficRoutingConfig": routing(system.params.release),
        },
        made=Made("codedeploy:config", name),
        found={} if config else None,
        items=items,
    )
    return (step,)


def _group_arguments(system: System) -> dict[str, Any]:
    alarms = [{"name": name} for name in system.alarms]
    pair = {
        "targetGroups": [{"name": name} for name in system.target_groups],
        "prodTrafficRoute": {"listenerArns": [LISTENER["production"]]},
        "testTrafficRoute": {"listenerArns": [LISTENER["test"]]},
    }
    return {
        "applicationName": system.deploy_application,
        "deploymentGroupName": system.deploy_group,
        "serviceRoleArn": system.role_arn("deploy"),
        # Named always: two pages of AWS give different defaults.
        "deploymentConfigName": config_name(system),
        "deploymentStyle": {"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"},
        "ecsServices": [{"clusterName": system.cluster, "serviceName": system.service}],
        "loadBalancerInfo": {"targetGroupPairInfoList": [pair]},
        "blueGreenDeploymentConfiguration": _waits(system),
        "alarmConfiguration": {"enabled": True, "ignorePollAlarmFailure": False, "alarms": alarms},
        "autoRollbackConfiguration": {"enabled": True, "events": list(ROLLBACK_EVENTS)},
        "tags": tag_list(system.tags),
    }


def _waits(system: System) -> dict[str, Any]:
    release = system.params.release
    ready: dict[str, Any] = {"actionOnTimeout": "CONTINUE_DEPLOYMENT", "waitTimeInMinutes": 0}
    if release.ready_wait_minutes:
        ready = {"actionOnTimeout": "STOP_DEPLOYMENT", "waitTimeInMinutes": release.ready_wait_minutes}
    return {
        "deploymentReadyOption": ready,
        "terminateBlueInstancesOnDeploymentSuccess": {
            "action": "TERMINATE",
            "terminationWaitTimeInMinutes": release.termination_wait_minutes,
        },
    }


def _group(found: Mapping[str, Any]) -> Group:
    waits = found.get("blueGreenDeploymentConfiguration", {})
    pair = found["loadBalancerInfo"]["targetGroupPairInfoList"][0]
    return Group(
        name=found["deploymentGroupName"],
        config=found["deploymentConfigName"],
        service=found["ecsServices"][0]["serviceName"],
        target_groups=tuple(group["name"] for group in pair["targetGroups"]),
        termination_wait_minutes=waits.get("terminateBlueInstancesOnDeploymentSuccess", {}).get(
            "terminationWaitTimeInMinutes", 0
        ),
        ready_wait_minutes=waits.get("deploymentReadyOption", {}).get("waitTimeInMinutes", 0),
        alarms=tuple(alarm["name"] for alarm in found.get("alarmConfiguration", {}).get("alarms", ())),
        rollback_events=tuple(found.get("autoRollbackConfiguration", {}).get("events", ())),
    )
