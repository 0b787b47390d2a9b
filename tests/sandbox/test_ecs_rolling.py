"""Rolling deployments: new tasks come before old ones go, and a bad revision is turned back."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ecs_stage import NAME, Stage, fresh, refusal

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services import ecs

BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}


@pytest.fixture
def stage() -> Stage:
    """A service with the ECS controller that runs two healthy tasks of revision 1."""
    stage = fresh()
    stage.serve("ECS", deploymentConfiguration=BREAKER)
    stage.settle()
    return stage


def release(stage: Stage, *, service: str = NAME, **environment: str) -> str:
    """Begins a rolling deployment of a new revision; its ARN."""
    revision = stage.define(**environment)
    stage.ecs.update_service(cluster=NAME, service=service, taskDefinition=revision)
    return revision


def deployments(stage: Stage, key: str) -> list[Any]:
    return [deployment.get(key) for deployment in stage.shown()["deployments"]]


def counts(stage: Stage) -> list[tuple[str, int, int]]:
    """Status, running and pending tasks of each deployment."""
    found = stage.shown()["deployments"]
    return [(one["status"], one["runningCount"], one["pendingCount"]) for one in found]


def stable(stage: Stage) -> bool:
    """What boto3's services_stable asks for."""
    shown = stage.shown()
    return len(shown["deployments"]) == 1 and shown["runningCount"] == shown["desiredCount"]


def test_the_first_deployment_completes(stage: Stage) -> None:
    """One deployment, all running, and the service says that it is steady."""
    assert counts(stage) == [("PRIMARY", 2, 0)]
    assert deployments(stage, "rolloutState") == ["COMPLETED"]
    assert stage.messages()[-1] == f"(service {NAME}) has reached a steady state."
    assert ecs.rolling_state(stage.world, NAME, NAME) == "COMPLETED"


def test_new_tasks_come_before_old_ones_go(stage: Stage) -> None:
    """With 100 and 200 percent both run side by side, then the old ones drain and stop."""
    release(stage)
    assert counts(stage) == [("PRIMARY", 0, 2), ("ACTIVE", 2, 0)]
    assert ecs.rolling_state(stage.world, NAME, NAME) == "IN_PROGRESS"
    stage.wait(54)
    assert counts(stage) == [("PRIMARY", 2, 0), ("ACTIVE", 2, 0)]
    stage.wait(1)
    assert stage.health() == ["draining Target.DeregistrationInProgress"] * 2 + ["healthy"] * 2
    stage.settle()
    assert counts(stage) == [("PRIMARY", 2, 0)]
    assert deployments(stage, "rolloutState") == ["COMPLETED"]


def test_never_fewer_than_the_least_are_healthy(stage: Stage) -> None:
    """Whenever something happens during the deployment, two targets are healthy."""
    release(stage)
    while not stage.world.idle():
        due = stage.world.next_event_time()
        assert due is not None
        stage.world.run_until(due)
        assert stage.health().count("healthy") >= 2


def test_the_deployment_tells_its_story(stage: Stage) -> None:
    """The events come in AWS's order and words, the newest first."""
    known = len(stage.messages())
    release(stage)
    stage.settle()
    texts = [message.removeprefix(f"(service {NAME}) ") for message in stage.messages()[known:]]
    assert [re.sub(r"\((?!deployment)[^)]*\)|ecs-svc/\d+", "()", text) for text in texts] == [
        "has started 2 tasks: () ().",
        "registered 2 targets in ()",
        "deregistered 2 targets in ()",
        "has begun draining connections on 2 tasks.",
        "has stopped 2 running tasks: () ().",
        "(deployment ()) deployment completed.",
        "has reached a steady state.",
    ]


def test_the_waiter_sees_the_end_and_not_the_middle(stage: Stage) -> None:
    """services_stable needs one deployment and as many running tasks as wanted."""
    release(stage)
    stage.wait(60)
    assert not stable(stage)
    stage.settle()
    stage.ecs.get_waiter("services_stable").wait(
        cluster=NAME, services=[NAME], WaiterConfig={"Delay": 0, "MaxAttempts": 1}
    )
    assert stable(stage)


@pytest.mark.parametrize(
    ("least", "most", "at_most"),
    [(100, 200, 8), (50, 100, 4), (100, 150, 6), (0, 100, 4)],
)
def test_the_percentages_bound_a_deployment(least: int, most: int, at_most: int) -> None:
    """The live tasks never exceed the most, and the healthy ones never fall below the least."""
    stage = fresh()
    percents = {"minimumHealthyPercent": least, "maximumPercent": most}
    stage.serve("ECS", desiredCount=4, deploymentConfiguration=percents)
    stage.settle()
    release(stage)
    seen = []
    while not stage.world.idle():
        due = stage.world.next_event_time()
        assert due is not None
        stage.world.run_until(due)
        live = [task for task in stage.world.store("ecs").tasks.values() if task.live]
        seen.append((len(live), stage.health().count("healthy")))
    assert max(count for count, _ in seen) <= at_most
    assert min(healthy for _, healthy in seen) >= 4 * least // 100
    assert stable(stage)


def test_percentages_without_room_are_refused(stage: Stage) -> None:
    """At 100 and 100 percent nothing could ever be replaced."""
    stuck = {"minimumHealthyPercent": 100, "maximumPercent": 100}
    code, message = refusal(stage.ecs.update_service, cluster=NAME, service=NAME, deploymentConfiguration=stuck)
    assert (code, "leave no room for a deployment" in message) == ("InvalidParameterException", True)


def test_a_bad_revision_is_turned_back(stage: Stage) -> None:
    """After three failed tasks the circuit breaker brings the former revision back; no request was lost."""
    before = stage.shown()["taskDefinition"]
    release(stage, APP_HEALTH="fail")
    stage.settle()
    assert stage.shown()["taskDefinition"] == before
    assert ecs.rolling_state(stage.world, NAME, NAME) == "FAILED"
    texts = " ".join(stage.messages())
    assert "deployment failed: tasks failed to start." in texts
    assert f"(service {NAME}) rolling back to (deployment {deployments(stage, 'id')[0]})." in texts
    assert stage.health().count("healthy") == 2
    assert stable(stage)


def test_without_rollback_a_failed_deployment_stands_still(stage: Stage) -> None:
    """The old tasks go on serving and no new one is tried."""
    only = {"deploymentCircuitBreaker": {"enable": True, "rollback": False}}
    stage.ecs.update_service(cluster=NAME, service=NAME, deploymentConfiguration=only)
    release(stage, APP_CRASH_AFTER_SECONDS="1")
    stage.settle()
    assert deployments(stage, "rolloutState") == ["FAILED", "COMPLETED"]
    assert deployments(stage, "rolloutStateReason")[0] == "ECS deployment circuit breaker: tasks failed to start."
    assert stage.health().count("healthy") == 2


def test_a_second_release_overtakes_the_first(stage: Stage) -> None:
    """The tasks of the overtaken revision go, the newest one completes."""
    release(stage, APP_VERSION="2")
    stage.wait(20)
    newest = release(stage, APP_VERSION="3")
    assert deployments(stage, "status") == ["PRIMARY", "ACTIVE", "ACTIVE"]
    stage.settle()
    assert (stage.shown()["taskDefinition"], stable(stage)) == (newest, True)


def test_the_same_revision_again_changes_nothing_unless_forced(stage: Stage) -> None:
    """forceNewDeployment replaces every task."""
    before = deployments(stage, "id")
    stage.ecs.update_service(cluster=NAME, service=NAME, taskDefinition=NAME)
    assert deployments(stage, "id") == before
    stage.ecs.update_service(cluster=NAME, service=NAME, forceNewDeployment=True)
    stage.settle()
    assert deployments(stage, "id") != before


def test_the_count_changes_without_a_deployment(stage: Stage) -> None:
    """Scaling out starts tasks, scaling in drains them."""
    ecs.set_desired_count(stage.world, NAME, NAME, 3)
    stage.settle()
    assert counts(stage) == [("PRIMARY", 3, 0)]
    stage.ecs.update_service(cluster=NAME, service=NAME, desiredCount=1)
    assert stage.health().count("draining Target.DeregistrationInProgress") == 2
    stage.settle()
    assert counts(stage) == [("PRIMARY", 1, 0)]


def test_the_deploy_action_changes_images_only(stage: Stage) -> None:
    """It registers the live revision with another image and rolls it out."""
    arn = ecs.update_service_image(stage.world, cluster=NAME, service=NAME, images={"app": "httpd:2"})
    stage.settle()
    containers = ecs.task_definition(stage.world, arn)["containerDefinitions"]
    assert (containers[0]["image"], containers[0]["environment"]) == (
        "httpd:2",
        [{"name": "APP_VERSION", "value": "1"}],
    )
    assert stage.shown()["taskDefinition"] == arn
    assert ecs.rolling_state(stage.world, NAME, NAME) == "COMPLETED"


def test_the_deploy_action_names_an_unknown_container(stage: Stage) -> None:
    """An image for a container that the revision does not have is refused."""
    with pytest.raises(AwsError, match="The container web does not exist in the task definition"):
        ecs.update_service_image(stage.world, cluster=NAME, service=NAME, images={"web": "httpd:2"})


def test_the_deploy_action_fails_on_a_service_under_codedeploy() -> None:
    """Such a service is released by CodeDeploy alone."""
    stage = fresh()
    stage.serve("CODE_DEPLOY")
    with pytest.raises(AwsError, match="Unable to update task definition on services with a CODE_DEPLOY"):
        ecs.update_service_image(stage.world, cluster=NAME, service=NAME, images={"app": "httpd:2"})


def test_a_service_on_instances_finds_no_place() -> None:
    """The sandbox has no container instances."""
    stage = fresh()
    stage.serve("ECS", launchType="EC2")
    assert "was unable to place a task because no container instance" in stage.messages()[0]
