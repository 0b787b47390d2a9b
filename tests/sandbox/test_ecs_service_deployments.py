"""The deployments and revisions of a rolling service: how each went, and going back by hand."""

from __future__ import annotations

from typing import Any

import pytest
from ecs_stage import IMAGE, NAME, Stage, fresh, refusal

BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}


@pytest.fixture
def stage() -> Stage:
    """A service with the ECS controller that runs two healthy tasks of revision 1."""
    stage = fresh()
    stage.serve("ECS", deploymentConfiguration=BREAKER)
    stage.settle()
    return stage


def release(stage: Stage, **environment: str) -> str:
    """Begins a rolling deployment of a new task definition; its ARN."""
    revision = stage.define(**environment)
    stage.ecs.update_service(cluster=NAME, service=NAME, taskDefinition=revision)
    return revision


def listed(stage: Stage, **params: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stage.ecs.list_service_deployments(cluster=NAME, service=NAME, **params)[
        "serviceDeployments"
    ]
    return found


def newest(stage: Stage) -> dict[str, Any]:
    arn = listed(stage)[0]["serviceDeploymentArn"]
    found: dict[str, Any] = stage.ecs.describe_service_deployments(serviceDeploymentArns=[arn])["serviceDeployments"][0]
    return found


def revision(stage: Stage, arn: str) -> dict[str, Any]:
    found: dict[str, Any] = stage.ecs.describe_service_revisions(serviceRevisionArns=[arn])["serviceRevisions"][0]
    return found


def test_the_first_deployment_of_a_service_succeeded(stage: Stage) -> None:
    """It had no source; its revision tells what the tasks are."""
    shown = newest(stage)
    assert (shown["status"], shown["sourceServiceRevisions"]) == ("SUCCESSFUL", [])
    told = revision(stage, shown["targetServiceRevision"]["arn"])
    assert told["taskDefinition"].endswith("task-definition/orders:1")
    assert told["loadBalancers"] == [stage.binding()]
    assert told["containerImages"] == [{"containerName": "app", "image": IMAGE}]


def test_a_deployment_under_way_counts_the_tasks_of_both_revisions(stage: Stage) -> None:
    """The service names it, and its revisions."""
    release(stage, APP_VERSION="2")
    shown, service = newest(stage), stage.shown()
    source, target = shown["sourceServiceRevisions"][0], shown["targetServiceRevision"]
    assert (shown["status"], source["runningTaskCount"], target["pendingTaskCount"]) == ("IN_PROGRESS", 2, 2)
    assert service["currentServiceDeployment"] == shown["serviceDeploymentArn"]
    assert [one["arn"] for one in service["currentServiceRevisions"]] == [target["arn"], source["arn"]]
    stage.settle()
    assert newest(stage)["status"] == "SUCCESSFUL"


def test_a_newer_deployment_stops_the_one_under_way(stage: Stage) -> None:
    """Newest first in the list, which can be narrowed by status."""
    release(stage, APP_VERSION="2")
    release(stage, APP_VERSION="3")
    assert [one["status"] for one in listed(stage)] == ["IN_PROGRESS", "STOPPED", "SUCCESSFUL"]
    assert [one["status"] for one in listed(stage, status=["STOPPED"])] == ["STOPPED"]
    assert len(listed(stage, createdAt={"before": stage.world.datetime(stage.world.now - 1)})) == 1


def test_the_circuit_breaker_rolls_a_deployment_back(stage: Stage) -> None:
    """The rollback belongs to the deployment that it undoes."""
    release(stage, APP_HEALTH="fail")
    stage.settle()
    shown = newest(stage)
    assert (shown["status"], shown["deploymentCircuitBreaker"]["status"]) == ("ROLLBACK_SUCCESSFUL", "TRIGGERED")
    good = revision(stage, shown["rollback"]["serviceRevisionArn"])
    assert good["taskDefinition"].endswith("task-definition/orders:1")
    assert shown["rollback"]["reason"].startswith("ECS deployment circuit breaker: rolling back to deploymentId ")


def test_a_deployment_is_stopped_by_hand(stage: Stage) -> None:
    """The former revision comes back; a second time there is nothing to stop."""
    release(stage, APP_VERSION="2")
    stage.wait(20)
    arn = listed(stage)[0]["serviceDeploymentArn"]
    stage.ecs.stop_service_deployment(serviceDeploymentArn=arn)
    assert newest(stage)["status"] == "ROLLBACK_REQUESTED"
    stage.settle()
    assert newest(stage)["status"] == "ROLLBACK_SUCCESSFUL"
    assert stage.shown()["taskDefinition"].endswith("task-definition/orders:1")
    code, message = refusal(stage.ecs.stop_service_deployment, serviceDeploymentArn=arn)
    assert (code, message) == (
        "ConflictException",
        "The service deployment is ROLLBACK_SUCCESSFUL and cannot be stopped.",
    )


def test_what_is_not_there_is_a_failure(stage: Stage) -> None:
    """Of a deployment and of a revision; stopping it is refused."""
    arn = "arn:aws:ecs:us-east-1:123456789012:service-deployment/orders/orders/none"
    told = {"arn": arn, "reason": "MISSING"}
    assert stage.ecs.describe_service_deployments(serviceDeploymentArns=[arn])["failures"] == [told]
    assert stage.ecs.describe_service_revisions(serviceRevisionArns=[arn])["failures"] == [told]
    assert refusal(stage.ecs.stop_service_deployment, serviceDeploymentArn=arn)[0] == (
        "ServiceDeploymentNotFoundException"
    )


def test_a_deployment_is_not_aborted(stage: Stage) -> None:
    """Stopping without going back is not simulated."""
    release(stage, APP_VERSION="2")
    arn = listed(stage)[0]["serviceDeploymentArn"]
    code, message = refusal(stage.ecs.stop_service_deployment, serviceDeploymentArn=arn, stopType="ABORT")
    assert (code, "without going back" in message) == ("NotImplemented", True)


def test_a_service_under_codedeploy_has_no_service_deployments() -> None:
    """What AWS answers there is not known."""
    stage = fresh()
    stage.serve()
    code, message = refusal(stage.ecs.list_service_deployments, cluster=NAME, service=NAME)
    assert (code, "with the CODE_DEPLOY controller" in message) == ("NotImplemented", True)
