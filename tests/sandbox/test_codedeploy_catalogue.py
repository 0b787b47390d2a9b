"""Applications, deployment configurations, revisions and tags: what is kept, and what is refused."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from botocore.exceptions import ClientError

from runbook_lib.sandbox.services.codedeploy.configs import STOCK_ROUTING, increments
from runbook_lib.sandbox.settings import Settings
from runbook_lib.sandbox.world import World

APPSPEC = "version: 0.0\n"
CANARY = {"type": "TimeBasedCanary", "timeBasedCanary": {"canaryPercentage": 25, "canaryInterval": 20}}
SHIFTS = {
    "ECSAllAtOnce": [(100, 0)],
    "ECSCanary10Percent5Minutes": [(10, 5), (100, 0)],
    "ECSCanary10Percent15Minutes": [(10, 15), (100, 0)],
    "ECSLinear10PercentEvery1Minutes": [(p, 1) for p in range(10, 100, 10)] + [(100, 0)],
    "ECSLinear10PercentEvery3Minutes": [(p, 3) for p in range(10, 100, 10)] + [(100, 0)],
}


@pytest.fixture
def world() -> World:
    return World(Settings(realism=False))


@pytest.fixture
def deploy(world: World) -> Any:
    client = world.client("codedeploy")
    client.create_application(applicationName="orders", computePlatform="ECS")
    return client


def refusal(call: Any, **params: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as refused:
        call(**params)
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


@pytest.mark.parametrize("name", SHIFTS)
def test_stock_configuration_shifts_as_documented(name: str) -> None:
    """Each of the five ECS configurations moves the documented shares at the documented minutes."""
    assert [(one.percent, one.hold_minutes) for one in increments(STOCK_ROUTING[name][1])] == SHIFTS[name]


def test_linear_share_that_does_not_divide_hundred_ends_at_hundred() -> None:
    """Steps of 30 percent end with a smaller one."""
    routing = {"type": "TimeBasedLinear", "timeBasedLinear": {"linearPercentage": 30, "linearInterval": 2}}
    assert [one.percent for one in increments(routing)] == [30, 60, 90, 100]


def test_custom_configuration_is_kept_listed_and_deleted(deploy: Any) -> None:
    """A custom configuration lives beside the stock ones until it is deleted."""
    deploy.create_deployment_config(deploymentConfigName="slow", computePlatform="ECS", trafficRoutingConfig=CANARY)
    assert deploy.get_deployment_config(deploymentConfigName="slow")["deploymentConfigInfo"][
        "trafficRoutingConfig"
    ] == (CANARY)
    names = deploy.list_deployment_configs()["deploymentConfigsList"]
    assert {"slow", "CodeDeployDefault.OneAtATime", "CodeDeployDefault.ECSAllAtOnce"} <= set(names)
    deploy.delete_deployment_config(deploymentConfigName="slow")
    assert "slow" not in deploy.list_deployment_configs()["deploymentConfigsList"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"deploymentConfigName": "CodeDeployDefault.Mine"}, "InvalidDeploymentConfigNameException"),
        ({"deploymentConfigName": "with blank"}, "InvalidDeploymentConfigNameException"),
        ({"computePlatform": "Mainframe"}, "InvalidComputePlatformException"),
        ({"trafficRoutingConfig": {"type": "TimeBasedCanary"}}, "InvalidTrafficRoutingConfigurationException"),
        (
            {"minimumHealthyHosts": {"type": "HOST_COUNT", "value": 1}},
            "InvalidMinimumHealthyHostValueException",
        ),
        (
            {
                "trafficRoutingConfig": {
                    "type": "TimeBasedLinear",
                    "timeBasedLinear": {"linearPercentage": 1, "linearInterval": 30},
                }
            },
            "InvalidTrafficRoutingConfigurationException",
        ),
    ],
)
def test_bad_configuration_is_refused(deploy: Any, changes: dict[str, Any], code: str) -> None:
    """Names, platforms, shares and intervals outside the documented limits are refused."""
    params = {"deploymentConfigName": "slow", "computePlatform": "ECS", "trafficRoutingConfig": CANARY} | changes
    assert refusal(deploy.create_deployment_config, **params)[0] == code


def test_stock_configuration_cannot_be_deleted(deploy: Any) -> None:
    """What AWS provides stays."""
    code, _ = refusal(deploy.delete_deployment_config, deploymentConfigName="CodeDeployDefault.ECSAllAtOnce")
    assert code == "InvalidOperationException"


def test_application_is_created_once_renamed_and_deleted(deploy: Any) -> None:
    """A name is taken once; a new name moves the application; deleting twice is no error."""
    assert refusal(deploy.create_application, applicationName="orders")[0] == "ApplicationAlreadyExistsException"
    deploy.update_application(applicationName="orders", newApplicationName="shop")
    assert deploy.list_applications()["applications"] == ["shop"]
    assert deploy.get_application(applicationName="shop")["application"]["computePlatform"] == "ECS"
    deploy.delete_application(applicationName="shop")
    deploy.delete_application(applicationName="shop")
    assert refusal(deploy.get_application, applicationName="shop")[0] == "ApplicationDoesNotExistException"


def test_revision_gives_its_appspec_back_by_its_sha256(deploy: Any) -> None:
    """GetApplicationRevision is the one call that shows the AppSpec's text."""
    digest = hashlib.sha256(APPSPEC.encode()).hexdigest()
    revision = {"revisionType": "AppSpecContent", "appSpecContent": {"content": APPSPEC, "sha256": digest}}
    deploy.register_application_revision(applicationName="orders", revision=revision, description="first")
    asked = {"revisionType": "AppSpecContent", "appSpecContent": {"sha256": digest}}
    found = deploy.get_application_revision(applicationName="orders", revision=asked)
    assert found["revision"]["appSpecContent"]["content"] == APPSPEC
    assert found["revisionInfo"]["description"] == "first"
    assert deploy.list_application_revisions(applicationName="orders")["revisions"] == [asked]


def test_revision_with_a_wrong_sha256_is_refused(deploy: Any) -> None:
    """The stated digest must be the content's."""
    revision = {"revisionType": "AppSpecContent", "appSpecContent": {"content": APPSPEC, "sha256": "0" * 64}}
    code, message = refusal(deploy.register_application_revision, applicationName="orders", revision=revision)
    assert (code, "0" * 64 in message) == ("InvalidRevisionException", True)


def test_unknown_revision_is_named_in_a_batch(deploy: Any) -> None:
    """A batch gives what it finds and says what it does not."""
    asked = {"revisionType": "AppSpecContent", "appSpecContent": {"sha256": "f" * 64}}
    found = deploy.batch_get_application_revisions(applicationName="orders", revisions=[asked])
    assert found["revisions"] == []
    assert "f" * 64 in found["errorMessage"]


def test_tags_are_set_listed_and_removed(deploy: Any, world: World) -> None:
    """Tags of an application by its ARN."""
    arn = world.arn("codedeploy", "application:orders")
    deploy.tag_resource(ResourceArn=arn, Tags=[{"Key": "team", "Value": "shop"}, {"Key": "env", "Value": "prod"}])
    deploy.untag_resource(ResourceArn=arn, TagKeys=["env"])
    assert deploy.list_tags_for_resource(ResourceArn=arn)["Tags"] == [{"Key": "team", "Value": "shop"}]
    assert refusal(deploy.list_tags_for_resource, ResourceArn="nonsense")[0] == "InvalidArnException"
