"""`aws ecs deploy`: the AWS CLI's own way to release, with its own waiter."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import codedeploy_stage
import pytest
from abroad import Abroad, served
from codedeploy_stage import NAME, Stage

APPSPEC = """\
version: 0.0
Resources:
  - TargetService:
      Type: AWS::ECS::Service
      Properties:
        TaskDefinition: "<TASK_DEFINITION>"
        LoadBalancerInfo:
          ContainerName: app
          ContainerPort: 8080
"""
NAMES = ("--service", NAME, "--cluster", NAME, "--codedeploy-application", NAME, "--codedeploy-deployment-group", NAME)
FILES = ("--task-definition", "taskdef.json", "--codedeploy-appspec", "appspec.yaml")


@pytest.fixture(scope="module")
def stage() -> Stage:
    """A service that CodeDeploy deploys all at once, and ends the blue set after 35 minutes."""
    made = codedeploy_stage.fresh()
    made.alarm("OK")
    made.make_group(
        deploymentConfigName=codedeploy_stage.ALL_AT_ONCE,
        blueGreenDeploymentConfiguration=codedeploy_stage.waits(termination=35),
        alarmConfiguration={"enabled": True, "alarms": [{"name": "red"}]},
    )
    return made


@pytest.fixture(scope="module")
def abroad(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Abroad]:
    with served(stage.world, tmp_path_factory.mktemp("deploy")) as where:
        where.write("appspec.yaml", APPSPEC)
        yield where


def definition(**environment: str) -> dict[str, object]:
    """A task definition as a file for `aws ecs register-task-definition`."""
    container = {
        "name": "app",
        "image": "public.ecr.aws/docker/library/httpd:2.4",
        "essential": True,
        "portMappings": [{"containerPort": 8080}],
        "environment": [{"name": name, "value": value} for name, value in environment.items()],
    }
    fargate = {"requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "256", "memory": "512"}
    return {"family": NAME, "containerDefinitions": [container], **fargate}


def test_it_releases_and_waits_until_blue_is_gone(abroad: Abroad) -> None:
    """It waits ten minutes longer than the group does, here 45 minutes of the world."""
    abroad.write("taskdef.json", definition(APP_VERSION="7"))
    done = abroad.aws("ecs", "deploy", *NAMES, *FILES)
    assert (done.returncode, done.stderr) == (0, "")
    revision = abroad.told("ecs", "list-task-definitions", "--sort", "DESC")["taskDefinitionArns"][0]
    deployment = abroad.told("deploy", "list-deployments")["deployments"][0]
    assert done.stdout.splitlines() == [
        f"Successfully registered new ECS task definition {revision}",
        f"Successfully created deployment {deployment}",
        f"Waiting for {deployment} to succeed (will wait up to 45 minutes)...",
        f"Successfully deployed {revision} to service '{NAME}'",
    ]
    shown = abroad.told("ecs", "describe-services", "--cluster", NAME, "--services", NAME)["services"][0]
    assert [one["taskDefinition"] for one in shown["taskSets"] if one["status"] == "PRIMARY"] == [revision]


def watch_alarm(abroad: Abroad, state: str) -> None:
    """Puts the alarm that the group watches into a state."""
    abroad.told(
        "cloudwatch", "set-alarm-state", "--alarm-name", "red", "--state-value", state, "--state-reason", "test"
    )


def test_a_release_that_is_rolled_back_fails_the_command(abroad: Abroad) -> None:
    """Its waiter meets a state that is the end; what rolled back is the next deployment."""
    watch_alarm(abroad, "ALARM")
    abroad.write("taskdef.json", definition(APP_VERSION="8"))
    code, message = abroad.refused("ecs", "deploy", *NAMES, *FILES)
    watch_alarm(abroad, "OK")
    assert code == 255
    assert message.startswith("Waiter DeploymentSuccessful failed: Waiter encountered a terminal failure state: ")
    assert message.endswith('we matched expected path: "Stopped"')
    stopped = abroad.told("deploy", "list-deployments", "--include-only-statuses", "Failed", "Stopped")["deployments"]
    info = abroad.told("deploy", "get-deployment", "--deployment-id", stopped[0])["deploymentInfo"]
    assert info["errorInformation"]["code"] == "ALARM_ACTIVE"


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--codedeploy-application", "No application found for name: wrong"),
        ("--codedeploy-deployment-group", "No Deployment Group found for name: wrong"),
        ("--service", f"Error: Service 'wrong' not found in cluster '{NAME}'"),
    ],
)
def test_a_wrong_name_is_told_before_anything_is_registered(abroad: Abroad, option: str, message: str) -> None:
    """With the words of the service that was asked."""
    before = abroad.told("ecs", "list-task-definitions")["taskDefinitionArns"]
    code, told = abroad.refused("ecs", "deploy", *NAMES, *FILES, option, "wrong")
    assert code == 255
    assert message in told
    assert abroad.told("ecs", "list-task-definitions")["taskDefinitionArns"] == before


def test_a_broken_appspec_is_refused_by_the_command_itself(abroad: Abroad, tmp_path: Path) -> None:
    """It looks for the property that it has to fill in."""
    abroad.write("broken.yaml", APPSPEC.replace("TaskDefinition", "Definition"))
    words = ("ecs", "deploy", *NAMES, "--task-definition", "taskdef.json", "--codedeploy-appspec", "broken.yaml")
    assert "must include property 'taskDefinition'" in abroad.refused(*words)[1]


def test_a_release_that_never_becomes_healthy_outlives_the_command(abroad: Abroad) -> None:
    """CodeDeploy gives the green tasks an hour, the command here 45 minutes: it fails while the deployment goes on."""
    abroad.write("taskdef.json", definition(APP_HEALTH="fail"))
    code, message = abroad.refused("ecs", "deploy", *NAMES, *FILES)
    assert (code, message) == (255, "Waiter DeploymentSuccessful failed: Max attempts exceeded")
    going_on = abroad.told("deploy", "list-deployments", "--include-only-statuses", "InProgress")["deployments"]
    assert len(going_on) == 1
