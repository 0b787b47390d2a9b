"""Tasks start, serve, fail and stop, each with the times and the reasons that AWS gives."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from ecs_stage import NAME, Stage, fresh, make_group

from runbook_lib.sandbox import services
from runbook_lib.sandbox.services import ecs

ECR = "123456789012.dkr.ecr.us-east-1.amazonaws.com/orders:v1"
LOGS = {
    "logDriver": "awslogs",
    "options": {"awslogs-group": "/ecs/none", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "app"},
}
GRACE = {"healthCheckGracePeriodSeconds": 120}


@pytest.fixture
def stage() -> Stage:
    return fresh()


def stopped(stage: Stage) -> dict[str, Any]:
    """The first task of the service that stopped."""
    return stage.tasks("STOPPED")[0]


def test_a_task_walks_through_its_states(stage: Stage) -> None:
    """Each step takes what the settings say."""
    stage.serve(desiredCount=1)
    seen = []
    for _ in range(60):
        status = stage.tasks()[0]["lastStatus"]
        if not seen or seen[-1][1] != status:
            seen.append((stage.seconds(), status))
        stage.wait(1)
    assert seen == [(0, "PROVISIONING"), (10, "PENDING"), (40, "ACTIVATING"), (45, "RUNNING")]
    task = stage.tasks()[0]
    times = [
        task[key].timestamp() for key in ("createdAt", "connectivityAt", "pullStartedAt", "pullStoppedAt", "startedAt")
    ]
    assert [time - times[0] for time in times] == [0, 10, 25, 35, 45]


def test_addresses_are_drawn_in_order_and_spread_over_zones(stage: Stage) -> None:
    """The load balancer has the first host of each subnet, tasks the next."""
    stage.serve(desiredCount=4)
    stage.settle()
    behind = ecs.tasks_behind(stage.world, stage.blue)
    assert [(task.ip, task.zone[-1]) for task in behind] == [
        ("10.0.0.5", "a"),
        ("10.0.1.5", "b"),
        ("10.0.0.6", "a"),
        ("10.0.1.6", "b"),
    ]


def test_a_task_knows_the_environment_of_its_revision(stage: Stage) -> None:
    """What the traffic is drawn from."""
    stage.define(APP_VERSION="7")
    stage.serve(desiredCount=1)
    stage.settle()
    task = ecs.tasks_behind(stage.world, stage.blue)[0]
    assert (task.environment["APP_VERSION"], task.port, task.started_at) == ("7", 8080, stage.world.now - 10)


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (
            ECR,
            f"CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref {ECR}: ",
        ),
        ("<IMAGE1_NAME>", "invalid reference format"),
    ],
)
def test_an_image_that_cannot_be_pulled_is_tried_more_and_more_slowly(stage: Stage, image: str, reason: str) -> None:
    """The task says why it stopped, the service that it backs off."""
    stage.define(image)
    stage.serve(desiredCount=1)
    stage.wait(600)
    task = stopped(stage)
    assert task["stopCode"] == "TaskFailedToStart"
    assert reason in task["stoppedReason"]
    assert task["containers"][0]["reason"] == task["stoppedReason"]
    assert any("is unable to consistently start tasks successfully" in message for message in stage.messages())
    starts = sorted(task["createdAt"].timestamp() for task in stage.tasks("STOPPED") + stage.tasks())
    gaps = [later - earlier for earlier, later in pairwise(starts)]
    assert gaps == sorted(gaps)
    assert gaps[-1] > 2 * gaps[0]


def test_the_image_of_the_registry_brings_its_environment(stage: Stage) -> None:
    """The task definition's variables stand over the image's, and the digest is shown."""
    stage.world.client("ecr").create_repository(repositoryName="orders")
    ecr = services.module("ecr")
    assert ecr is not None
    image = ecr.Image(
        digest="", tags=(), environment={"APP_VERSION": "image", "APP_LATENCY_MS": "70"}, exposed=(8080,), command=(),
        files={"app.py": b""}, pushed_at=0.0,
    )  # fmt: skip
    pushed = ecr.push(stage.world, "orders", "v1", image)
    stage.define(ECR, APP_VERSION="9")
    stage.serve(desiredCount=1)
    stage.settle()
    environment = ecs.tasks_behind(stage.world, stage.blue)[0].environment
    assert (environment["APP_VERSION"], environment["APP_LATENCY_MS"]) == ("9", "70")
    assert stage.tasks()[0]["containers"][0]["imageDigest"] == pushed.digest


def test_a_task_without_a_way_out_cannot_pull(stage: Stage) -> None:
    """A public subnet without a public address leads nowhere."""
    stage.define(ECR)
    stage.serve(desiredCount=1, networkConfiguration=stage.network("DISABLED"))
    stage.wait(60)
    reason = stopped(stage)["stoppedReason"]
    assert reason.startswith("ResourceInitializationError: unable to pull secrets or registry auth")
    assert "https://api.ecr.us-east-1.amazonaws.com/" in reason


def test_a_missing_log_group_stops_the_task(stage: Stage) -> None:
    """ECS makes the group only when awslogs-create-group says so."""
    stage.define(container={"logConfiguration": LOGS})
    stage.serve(desiredCount=1)
    stage.wait(60)
    assert "The specified log group does not exist." in stopped(stage)["stoppedReason"]


def test_a_full_subnet_stops_the_task() -> None:
    """A block of sixteen addresses has eleven for tasks."""
    stage = fresh(whole=True)
    made = stage.ec2.create_subnet(VpcId=stage.vpc, CidrBlock="10.0.9.0/28", AvailabilityZone="us-east-1a")
    placed = stage.network()
    placed["awsvpcConfiguration"]["subnets"] = [made["Subnet"]["SubnetId"]]
    stage.serve(desiredCount=12, networkConfiguration=placed)
    stage.wait(60)
    assert len(ecs.tasks_behind(stage.world, stage.blue)) == 11
    assert "InsufficientFreeAddressesInSubnet" in stopped(stage)["stoppedReason"]


def test_a_crashing_task_is_replaced(stage: Stage) -> None:
    """It stops with the exit code of its process; tasks that ran are replaced without back-off."""
    stage.define(APP_CRASH_AFTER_SECONDS="30")
    stage.serve(desiredCount=1)
    stage.wait(45 + 30)
    assert ecs.tasks_behind(stage.world, stage.blue) == []
    assert stage.health() == ["healthy"]
    stage.wait(10)
    task = stopped(stage)
    assert (task["lastStatus"], task["stopCode"]) == ("STOPPED", "EssentialContainerExited")
    assert task["stoppedReason"] == "Essential container in task exited"
    assert task["containers"][0]["exitCode"] == 1
    assert [task["lastStatus"] for task in stage.tasks()] == ["PROVISIONING"]
    assert stage.health() == ["draining Target.DeregistrationInProgress"]


def test_an_unhealthy_task_is_replaced(stage: Stage) -> None:
    """The service says why, in the words of the load balancer."""
    stage.define(APP_HEALTH="fail")
    stage.serve(desiredCount=1)
    stage.wait(55)
    task = stopped(stage)
    assert task["stoppedReason"] == f"Task failed ELB health checks in (target-group {stage.blue})"
    assert task["stopCode"] == "ServiceSchedulerInitiated"
    text = f"is unhealthy in (target-group {stage.blue}) due to (reason Health checks failed with these codes: [503])."
    assert any(message.endswith(f"(port 8080) {text}") for message in stage.messages())
    assert len(stage.tasks()) == 1


def test_the_grace_period_holds_the_verdict_back(stage: Stage) -> None:
    """Until it is over the task stays although its target is unhealthy."""
    stage.define(APP_HEALTH="fail")
    stage.serve(desiredCount=1, **GRACE)
    stage.wait(45 + 119.9)
    assert stage.tasks("STOPPED") == []
    stage.wait(0.1)
    assert len(stage.tasks("STOPPED")) == 1


def test_a_slow_start_survives_within_the_grace_period(stage: Stage) -> None:
    """Unhealthy first, healthy before the grace period ends: nothing is replaced."""
    stage.define(APP_START_SECONDS="50")
    stage.serve(desiredCount=1, **GRACE)
    stage.settle()
    assert stage.tasks("STOPPED") == []
    assert stage.health() == ["healthy"]


def test_a_containers_own_check_counts(stage: Stage) -> None:
    """A task whose container check fails is not healthy, and is replaced."""
    check = {"command": ["CMD-SHELL", "true"], "interval": 10, "retries": 2, "startPeriod": 20}
    stage.define(container={"healthCheck": check}, APP_HEALTH="fail")
    stage.serve(desiredCount=1, healthCheckGracePeriodSeconds=3600)
    stage.wait(45 + 39.9)
    assert stage.tasks()[0]["healthStatus"] == "UNKNOWN"
    stage.wait(0.1)
    assert stopped(stage)["stoppedReason"] == "Task failed container health checks"


def test_a_healthy_container_makes_the_task_healthy(stage: Stage) -> None:
    """The service is steady when both checks have passed."""
    stage.define(container={"healthCheck": {"command": ["CMD-SHELL", "true"], "interval": 30}})
    stage.serve(desiredCount=1)
    stage.wait(74.9)
    assert stage.shown()["taskSets"][0]["stabilityStatus"] == "STABILIZING"
    stage.wait(0.1)
    assert stage.tasks()[0]["healthStatus"] == "HEALTHY"
    assert stage.shown()["taskSets"][0]["stabilityStatus"] == "STEADY_STATE"


def test_a_task_stopped_by_hand_drains_and_is_replaced(stage: Stage) -> None:
    """Its target drains for the group's delay before the container is told to end."""
    stage.serve(desiredCount=1)
    stage.settle()
    arn = stage.tasks()[0]["taskArn"]
    told = stage.ecs.stop_task(cluster=NAME, task=arn, reason="by hand")["task"]
    assert (told["lastStatus"], told["desiredStatus"], told["stopCode"]) == ("DEACTIVATING", "STOPPED", "UserInitiated")
    stage.wait(30)
    assert stopped(stage)["lastStatus"] == "STOPPING"
    stage.settle()
    task = stopped(stage)
    assert (task["stoppedReason"], task["containers"][0]["exitCode"]) == ("by hand", 143)
    assert stage.health() == ["healthy"]


def test_a_stopped_task_is_shown_for_an_hour(stage: Stage) -> None:
    """Then it is missing."""
    stage.serve(desiredCount=1)
    stage.settle()
    arn = stage.tasks()[0]["taskArn"]
    stage.ecs.stop_task(cluster=NAME, task=arn)
    stage.settle()
    stage.wait(3500)
    assert stage.ecs.describe_tasks(cluster=NAME, tasks=[arn])["tasks"][0]["lastStatus"] == "STOPPED"
    stage.wait(101)
    assert stage.ecs.describe_tasks(cluster=NAME, tasks=[arn])["failures"] == [{"arn": arn, "reason": "MISSING"}]


def test_a_task_of_no_service_runs(stage: Stage) -> None:
    """run_task starts it under its family, with the variables that the caller gives."""
    override = {"name": "app", "environment": [{"name": "APP_VERSION", "value": "once"}]}
    told = stage.ecs.run_task(
        cluster=NAME,
        taskDefinition=NAME,
        launchType="FARGATE",
        networkConfiguration=stage.network(),
        overrides={"containerOverrides": [override]},
        startedBy="somebody",
    )["tasks"][0]
    stage.settle()
    assert told["group"] == f"family:{NAME}"
    assert [task["lastStatus"] for task in stage.tasks(startedBy="somebody")] == ["RUNNING"]
    assert stage.world.store("ecs").tasks[told["taskArn"]].environment["APP_VERSION"] == "once"


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        ({"serviceName": "one"}, 2),
        ({"serviceName": "two"}, 1),
        ({"family": NAME}, 3),
        ({"family": "nobody"}, 0),
        ({"launchType": "EC2"}, 0),
    ],
)
def test_tasks_are_listed_by_what_they_belong_to(stage: Stage, filters: dict[str, str], count: int) -> None:
    """By service, by family, by launch type."""
    stage.serve(name="one")
    stage.serve(name="two", desiredCount=1, loadBalancers=[stage.binding(stage.green)])
    assert len(stage.tasks(**filters)) == count


def test_interfaces_hold_subnet_and_security_group_until_they_have_lingered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A teardown meets DependencyViolation for a while after the tasks and the load balancer are gone."""
    monkeypatch.setitem(services.SERVICES, "ec2", "runbook_lib.sandbox.services.ecs.ec2")
    stage = fresh(realism=True, whole=True)
    stage.serve(desiredCount=1)
    stage.settle()
    stage.ecs.delete_service(cluster=NAME, service=NAME, force=True)
    stage.elb.delete_load_balancer(LoadBalancerArn=stage.balancer)
    gone = _stopped_after(stage)
    assert _violations(stage) == ["DependencyViolation"] * 3
    assert stage.ec2.describe_network_interfaces()["NetworkInterfaces"][0]["Status"] == "in-use"
    stage.world.run_until(gone + stage.world.settings.eni_linger)
    assert _violations(stage) == [None, None, None]
    assert stage.ec2.describe_network_interfaces()["NetworkInterfaces"] == []


def _stopped_after(stage: Stage) -> float:
    """Waits until the last task has stopped; that time."""
    while any(task.status != "STOPPED" for task in stage.world.store("ecs").tasks.values()):
        due = stage.world.next_event_time()
        assert due is not None
        stage.world.run_until(due)
    return stage.world.now


def _violations(stage: Stage) -> list[str | None]:
    """What EC2 answers to deleting the tasks' subnet and security group and detaching the gateway."""
    gateway = stage.ec2.describe_internet_gateways()["InternetGateways"][0]["InternetGatewayId"]
    calls = (
        lambda: stage.ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=stage.vpc),
        lambda: stage.ec2.delete_subnet(SubnetId=stage.subnets[0]),
        lambda: stage.ec2.delete_security_group(GroupId=stage.security),
    )
    codes: list[str | None] = []
    for call in calls:
        try:
            call()
            codes.append(None)
        except stage.ec2.exceptions.ClientError as refused:
            codes.append(refused.response["Error"]["Code"])
    return codes


def test_targets_of_an_idle_group_do_not_hold_a_service_up(stage: Stage) -> None:
    """A group that loses its listener shows its targets as unused; ECS does not replace them."""
    stage.serve(desiredCount=1)
    stage.settle()
    other = make_group(stage.world, stage.vpc, "other")
    for listener in (stage.production, stage.test):
        action = {"Type": "forward", "TargetGroupArn": other}
        stage.elb.modify_listener(ListenerArn=listener, DefaultActions=[action])
    stage.settle()
    assert stage.health() == ["unused Target.NotInUse"]
    assert stage.tasks("STOPPED") == []
