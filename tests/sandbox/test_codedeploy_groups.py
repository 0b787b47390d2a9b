"""Deployment groups: what is refused in which words, and how a group is read, changed and deleted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from codedeploy_stage import ALL_AT_ONCE, NAME, Stage, fresh, refusal

CASES = sorted((Path(__file__).parents[1] / "cases/codedeploy/groups").glob("*.yaml"))


@pytest.fixture(scope="module")
def stage() -> Stage:
    """A stage with a second service on the ECS controller; tests that use it leave no group behind."""
    made = fresh()
    made.client("ecs").create_service(
        cluster=NAME, serviceName="rolling", taskDefinition=made.definitions[0], desiredCount=0, launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": made.subnets}},
    )  # fmt: skip
    return made


def parameters(stage: Stage, case: dict[str, Any]) -> dict[str, Any]:
    """The group of a case: the good one with its changes."""
    changes = dict(case.get("changes", {}))
    if "pair" in case:
        good = stage.group()["loadBalancerInfo"]["targetGroupPairInfoList"][0]
        changes["loadBalancerInfo"] = {"targetGroupPairInfoList": [good | case["pair"]]}
    if "role" in case:
        changes["serviceRoleArn"] = stage.limited_role(case["role"])
    return stage.group(**changes)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_bad_group_is_refused(stage: Stage, path: Path) -> None:
    """CodeDeploy's code, and its words where they are known."""
    case = yaml.safe_load(path.read_text())
    code, message = refusal(stage.deploy.create_deployment_group, **parameters(stage, case))
    assert (code, case["message"] in message) == (case["code"], True), message


def test_server_application_wants_another_balancer(stage: Stage) -> None:
    """Forgetting computePlatform=ECS gives the message that puzzles people (C4)."""
    stage.deploy.create_application(applicationName="server")
    params = stage.group(
        applicationName="server", ecsServices=None, deploymentConfigName="CodeDeployDefault.OneAtATime"
    )
    code, message = refusal(stage.deploy.create_deployment_group, **params)
    assert code == "InvalidLoadBalancerInfoException"
    assert "either no load balancer was specified in elbInfoList or no target group" in message


def test_network_balancer_shifts_only_at_once() -> None:
    """A canary on a network load balancer is refused, all-at-once is not (C6)."""
    stage = fresh()
    pair = stage.network_pair()
    changes = {"loadBalancerInfo": {"targetGroupPairInfoList": [pair]}}
    code, message = refusal(stage.deploy.create_deployment_group, **stage.group(**changes))
    assert (code, "Only ALB supports gradual traffic routing" in message) == (
        "InvalidTrafficRoutingConfigurationException",
        True,
    )
    stage.make_group(deploymentConfigName=ALL_AT_ONCE, **changes)


def test_listeners_of_two_balancers_are_refused() -> None:
    """Production and test listener belong together (C13)."""
    stage = fresh()
    good = stage.group()["loadBalancerInfo"]["targetGroupPairInfoList"][0]
    other = stage.network_pair()["prodTrafficRoute"]
    params = stage.group(loadBalancerInfo={"targetGroupPairInfoList": [good | {"testTrafficRoute": other}]})
    assert "same load balancer" in refusal(stage.deploy.create_deployment_group, **params)[1]


def test_group_is_read_changed_renamed_and_deleted() -> None:
    """What is given replaces what was; the rest stays."""
    stage = fresh()
    stage.make_group(tags=[{"Key": "team", "Value": "shop"}])
    assert refusal(stage.make_group)[0] == "DeploymentGroupAlreadyExistsException"
    stage.deploy.update_deployment_group(
        applicationName=NAME, currentDeploymentGroupName=NAME, newDeploymentGroupName="new",
        deploymentConfigName=ALL_AT_ONCE,
    )  # fmt: skip
    found = stage.deploy.batch_get_deployment_groups(applicationName=NAME, deploymentGroupNames=["new", NAME])
    info = found["deploymentGroupsInfo"][0]
    assert (info["deploymentConfigName"], info["ecsServices"]) == (ALL_AT_ONCE, stage.group()["ecsServices"])
    assert NAME in found["errorMessage"]
    stage.deploy.delete_deployment_group(applicationName=NAME, deploymentGroupName="new")
    assert stage.deploy.list_deployment_groups(applicationName=NAME)["deploymentGroups"] == []


def test_service_is_in_one_group_only() -> None:
    """A second group for the same service is refused, whatever its name."""
    stage = fresh()
    stage.make_group()
    code, message = refusal(stage.make_group, deploymentGroupName="second")
    assert (code, f"deployment group {NAME}" in message) == ("ECSServiceMappingLimitExceededException", True)


def test_changing_a_group_is_checked_like_making_one() -> None:
    """An update that leads to a bad group is refused and changes nothing."""
    stage = fresh()
    stage.make_group()
    bad = {"alarmConfiguration": {"enabled": True, "alarms": []}, "deploymentConfigName": ALL_AT_ONCE}
    update = stage.deploy.update_deployment_group
    code, _ = refusal(update, applicationName=NAME, currentDeploymentGroupName=NAME, **bad)
    info = stage.deploy.get_deployment_group(applicationName=NAME, deploymentGroupName=NAME)["deploymentGroupInfo"]
    assert (code, info["deploymentConfigName"]) == (
        "InvalidAlarmConfigException",
        stage.group()["deploymentConfigName"],
    )


def test_configuration_in_use_is_not_deleted() -> None:
    """A custom configuration stays while a group names it."""
    stage = fresh()
    routing = {"type": "TimeBasedCanary", "timeBasedCanary": {"canaryPercentage": 25, "canaryInterval": 20}}
    stage.deploy.create_deployment_config(
        deploymentConfigName="slow", computePlatform="ECS", trafficRoutingConfig=routing
    )
    stage.make_group(deploymentConfigName="slow")
    code, _ = refusal(stage.deploy.delete_deployment_config, deploymentConfigName="slow")
    assert code == "DeploymentConfigInUseException"
