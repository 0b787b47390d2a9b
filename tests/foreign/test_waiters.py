"""boto3's own waiters, with their traps, in the world's time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import codedeploy_stage
import ecs_stage
import pytest
from botocore.exceptions import WaiterError

from runbook_lib.sandbox.world import World

NAME = ecs_stage.NAME
FOREVER = "Max attempts exceeded"
Wait = Callable[..., float]


@pytest.fixture
def wait(monkeypatch: pytest.MonkeyPatch) -> Wait:
    """Lets a waiter of botocore wait in a world's time; how many seconds of it that took."""

    def until(world: World, service: str, waiter: str, *, tries: int = 5, delay: int = 15, **params: Any) -> float:
        monkeypatch.setattr("botocore.waiter.time.sleep", lambda seconds: world.run_until(world.now + seconds))
        before, patience = world.now, {"Delay": delay, "MaxAttempts": tries}
        world.client(service).get_waiter(waiter).wait(**params, WaiterConfig=patience)
        return world.now - before

    return until


def why(wait: Wait, *where: Any, **params: Any) -> str:
    """Why a waiter gave up."""
    with pytest.raises(WaiterError) as raised:
        wait(*where, **params)
    return str(raised.value.kwargs["reason"])


# ---- services_stable


def test_a_service_of_codedeploy_is_never_stable(wait: Wait) -> None:
    """It has no deployments, so never exactly one, however well it runs."""
    stage = codedeploy_stage.fresh()
    services = {"cluster": NAME, "services": [NAME]}
    shown = stage.client("ecs").describe_services(**services)["services"][0]
    assert (shown["runningCount"], shown["desiredCount"]) == (2, 2)
    assert why(wait, stage.world, "ecs", "services_stable", tries=40, **services) == FOREVER


def test_a_rolling_service_is_stable_when_the_old_tasks_are_gone(wait: Wait) -> None:
    """One deployment is left, and all its tasks run."""
    stage = ecs_stage.fresh()
    stage.serve("ECS")
    stage.settle()
    services = {"cluster": NAME, "services": [NAME]}
    assert wait(stage.world, "ecs", "services_stable", **services) == 0
    stage.ecs.update_service(cluster=NAME, service=NAME, taskDefinition=stage.define(APP_VERSION="2"))
    assert wait(stage.world, "ecs", "services_stable", tries=40, **services) > 60
    assert len(stage.shown()["deployments"]) == 1


def test_a_rollback_is_stable_too(wait: Wait) -> None:
    """Stable is not succeeded: the circuit breaker brought the former revision back."""
    stage = ecs_stage.fresh()
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
    stage.serve("ECS", deploymentConfiguration=breaker)
    stage.settle()
    bad = stage.define(APP_HEALTH="fail")
    stage.ecs.update_service(cluster=NAME, service=NAME, taskDefinition=bad)
    wait(stage.world, "ecs", "services_stable", tries=400, cluster=NAME, services=[NAME])
    assert stage.shown()["taskDefinition"] != bad


def test_a_service_that_is_missing_ends_the_wait_at_once(wait: Wait) -> None:
    """MISSING is a failure for services_stable and for services_inactive."""
    stage = ecs_stage.fresh()
    for waiter in ("services_stable", "services_inactive"):
        told = why(wait, stage.world, "ecs", waiter, cluster=NAME, services=["nobody"])
        assert told.startswith("Waiter encountered a terminal failure state"), waiter
        assert '"MISSING"' in told


def test_a_service_that_drains_is_not_stable_but_inactive_in_the_end(wait: Wait) -> None:
    """DRAINING ends one wait and is waited for by the other."""
    stage = ecs_stage.fresh()
    stage.serve("ECS")
    stage.settle()
    services = {"cluster": NAME, "services": [NAME]}
    stage.ecs.delete_service(cluster=NAME, service=NAME, force=True)
    assert '"DRAINING"' in why(wait, stage.world, "ecs", "services_stable", **services)
    assert wait(stage.world, "ecs", "services_inactive", tries=40, **services) > 0


# ---- tasks


def test_tasks_are_waited_for_until_they_run_and_until_they_have_stopped(wait: Wait) -> None:
    """The tasks of a service, by their ARNs."""
    stage = ecs_stage.fresh()
    stage.serve("ECS")
    stage.wait(1)
    tasks = {"cluster": NAME, "tasks": stage.ecs.list_tasks(cluster=NAME)["taskArns"]}
    assert wait(stage.world, "ecs", "tasks_running", delay=6, tries=100, **tasks) > 0
    stage.ecs.update_service(cluster=NAME, service=NAME, desiredCount=0)
    assert wait(stage.world, "ecs", "tasks_stopped", delay=6, tries=100, **tasks) > 0
    assert '"STOPPED"' in why(wait, stage.world, "ecs", "tasks_running", **tasks)


def test_a_task_that_is_missing_fails_one_waiter_and_is_waited_for_by_the_other(wait: Wait) -> None:
    """tasks_stopped has no failure state."""
    stage = ecs_stage.fresh()
    tasks = {"cluster": NAME, "tasks": ["0" * 32]}
    assert '"MISSING"' in why(wait, stage.world, "ecs", "tasks_running", **tasks)
    assert why(wait, stage.world, "ecs", "tasks_stopped", **tasks) == FOREVER


# ---- deployment_successful


def deploying(**group: Any) -> tuple[codedeploy_stage.Stage, dict[str, str]]:
    """A deployment that has just been created."""
    stage = codedeploy_stage.fresh()
    stage.make_group(**{"deploymentConfigName": codedeploy_stage.ALL_AT_ONCE} | group)
    return stage, {"deploymentId": stage.start()}


def test_a_deployment_succeeds_when_blue_is_gone(wait: Wait) -> None:
    """The wait for the end of the blue set is part of it: half an hour is not enough for a termination wait of one."""
    stage, deployment = deploying(blueGreenDeploymentConfiguration=codedeploy_stage.waits(termination=30))
    assert why(wait, stage.world, "codedeploy", "deployment_successful", tries=120, **deployment) == FOREVER
    assert wait(stage.world, "codedeploy", "deployment_successful", tries=120, **deployment) > 0


def test_a_deployment_that_is_ready_is_waited_for_in_vain(wait: Wait) -> None:
    """Nobody says that traffic may be shifted, and the waiter does not ask."""
    stage, deployment = deploying(blueGreenDeploymentConfiguration=codedeploy_stage.waits(ready=60))
    assert why(wait, stage.world, "codedeploy", "deployment_successful", tries=120, **deployment) == FOREVER
    assert stage.info(deployment["deploymentId"])["status"] == "Ready"


def test_a_long_shift_outlives_the_waiter(wait: Wait) -> None:
    """Ten percent every three minutes take 27 minutes after the green tasks are healthy, and blue goes after that."""
    linear = "CodeDeployDefault.ECSLinear10PercentEvery3Minutes"
    waits = codedeploy_stage.waits(termination=5)
    stage, deployment = deploying(deploymentConfigName=linear, blueGreenDeploymentConfiguration=waits)
    assert why(wait, stage.world, "codedeploy", "deployment_successful", tries=120, **deployment) == FOREVER
    assert stage.info(deployment["deploymentId"])["status"] == "InProgress"


def test_a_deployment_that_is_stopped_ends_the_wait(wait: Wait) -> None:
    """Stopped and Failed are the end; another deployment may be rolling back."""
    stage, deployment = deploying()
    stage.wait(5)
    stage.deploy.stop_deployment(**deployment, autoRollbackEnabled=True)
    assert '"Stopped"' in why(wait, stage.world, "codedeploy", "deployment_successful", **deployment)


def test_an_error_that_no_acceptor_names_ends_the_wait(wait: Wait) -> None:
    """A deployment that does not exist is no reason to go on."""
    stage = codedeploy_stage.fresh()
    told = why(wait, stage.world, "codedeploy", "deployment_successful", deploymentId="d-NOBODY000")
    assert told.startswith("An error occurred (DeploymentDoesNotExistException)")


# ---- targets


def test_a_group_without_targets_is_never_in_service_nor_deregistered(wait: Wait) -> None:
    """An empty list is not "all healthy" and not "all unused"."""
    stage = ecs_stage.fresh()
    for waiter in ("target_in_service", "target_deregistered"):
        assert why(wait, stage.world, "elbv2", waiter, TargetGroupArn=stage.green) == FOREVER, waiter


def test_a_draining_target_keeps_the_group_from_being_in_service(wait: Wait) -> None:
    """After a release in place the new targets are healthy for as long as the old ones drain."""
    stage = ecs_stage.fresh()
    stage.serve("ECS")
    stage.settle()
    assert wait(stage.world, "elbv2", "target_in_service", TargetGroupArn=stage.blue) == 0
    stage.ecs.update_service(cluster=NAME, service=NAME, desiredCount=1)
    stage.wait(1)
    assert sorted(stage.health()) == ["draining Target.DeregistrationInProgress", "healthy"]
    taken = wait(stage.world, "elbv2", "target_in_service", delay=5, tries=40, TargetGroupArn=stage.blue)
    assert 25 <= taken <= 35  # the deregistration delay of the stage is 30 seconds


def test_a_target_that_was_named_is_deregistered_in_the_end(wait: Wait) -> None:
    """Named explicitly: it drains, and then it is unused."""
    stage = ecs_stage.fresh()
    stage.serve("ECS")
    stage.settle()
    found = stage.elb.describe_target_health(TargetGroupArn=stage.blue)["TargetHealthDescriptions"]
    gone = {"TargetGroupArn": stage.blue, "Targets": [{"Id": found[0]["Target"]["Id"], "Port": 8080}]}
    stage.elb.deregister_targets(**gone)
    assert wait(stage.world, "elbv2", "target_deregistered", tries=40, **gone) > 0


def test_load_balancers_are_waited_for_until_they_are_active_and_until_they_are_gone(wait: Wait) -> None:
    """Two minutes to become active; a name that is not there is what the last waiter wants."""
    stage = ecs_stage.fresh()
    made = stage.elb.create_load_balancer(Name="second", Subnets=stage.subnets)["LoadBalancers"][0]["LoadBalancerArn"]
    assert 100 < wait(stage.world, "elbv2", "load_balancer_available", tries=40, LoadBalancerArns=[made]) <= 135
    stage.elb.delete_load_balancer(LoadBalancerArn=made)
    assert wait(stage.world, "elbv2", "load_balancers_deleted", LoadBalancerArns=[made]) == 0
