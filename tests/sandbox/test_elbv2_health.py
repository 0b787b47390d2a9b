"""Targets move through their states by the settings of their group's health check."""

from __future__ import annotations

from typing import Any

import pytest
from ecs_stage import NAME, Stage, fresh, make_group

from runbook_lib.sandbox.services import elbv2

ADDRESS = "10.0.0.200"


@pytest.fixture
def stage() -> Stage:
    return fresh()


def start_task(stage: Stage, **environment: str) -> None:
    """A service of one task behind blue; the test goes on when its target registers."""
    stage.define(**environment)
    stage.serve(desiredCount=1, healthCheckGracePeriodSeconds=3600)
    stage.wait(40)


def test_a_target_is_healthy_after_one_passed_check(stage: Stage) -> None:
    """Registered at 40, checked from 45 on every 10 seconds, listening from 50 on: healthy at 55."""
    start_task(stage)
    assert stage.health() == ["initial Elb.RegistrationInProgress"]
    stage.wait(5)
    assert stage.health() == ["initial Elb.InitialHealthChecking"]
    stage.wait(9.9)
    assert stage.health() == ["initial Elb.InitialHealthChecking"]
    stage.wait(0.1)
    assert stage.health() == ["healthy"]


def test_a_target_that_fails_is_unhealthy_with_its_code(stage: Stage) -> None:
    """Two failed checks in a row, as the group's threshold says."""
    start_task(stage, APP_HEALTH="fail")
    stage.wait(14.9)
    assert stage.health() == ["initial Elb.InitialHealthChecking"]
    stage.wait(0.1)
    shown = stage.elb.describe_target_health(TargetGroupArn=stage.blue)["TargetHealthDescriptions"][0]
    assert shown["TargetHealth"] == {
        "State": "unhealthy",
        "Reason": "Target.ResponseCodeMismatch",
        "Description": "Health checks failed with these codes: [503]",
    }


def test_a_slow_start_is_unhealthy_first_and_comes_back(stage: Stage) -> None:
    """On the way back the threshold of healthy checks counts: listening from 105 on, five checks from 105 to 145."""
    start_task(stage, APP_START_SECONDS="60")
    stage.wait(20)
    assert stage.health() == ["unhealthy Target.FailedHealthChecks"]
    stage.wait(84.9)
    assert stage.health() == ["unhealthy Target.FailedHealthChecks"]
    stage.wait(0.1)
    assert stage.health() == ["healthy"]


def test_an_hour_of_checks_costs_nothing(stage: Stage) -> None:
    """A healthy target leaves no event in the heap."""
    start_task(stage)
    stage.wait(60)
    assert stage.world.idle()


def test_a_group_that_nobody_uses_is_not_checked(stage: Stage) -> None:
    """Its targets are unused until a listener or a rule leads to it, at whatever weight."""
    idle = make_group(stage.world, stage.vpc, "idle")
    stage.elb.register_targets(TargetGroupArn=idle, Targets=[{"Id": ADDRESS}])
    assert stage.health(idle) == ["unused Target.NotInUse"]
    path = {"Field": "path-pattern", "Values": ["/x"]}
    action = {"Type": "forward", "TargetGroupArn": idle}
    rule = stage.elb.create_rule(ListenerArn=stage.test, Priority=1, Conditions=[path], Actions=[action])["Rules"][0]
    assert stage.health(idle) == ["initial Elb.RegistrationInProgress"]
    stage.elb.delete_rule(RuleArn=rule["RuleArn"])
    assert stage.health(idle) == ["unused Target.NotInUse"]


def test_an_address_without_a_task_times_out(stage: Stage) -> None:
    """The verdict falls when the time-out of the second check is over: 5 + 10 + 6 seconds."""
    stage.elb.register_targets(TargetGroupArn=stage.blue, Targets=[{"Id": ADDRESS}])
    stage.wait(20.9)
    assert stage.health() == ["initial Elb.InitialHealthChecking"]
    stage.wait(0.1)
    assert stage.health() == ["unhealthy Target.Timeout"]


def test_a_target_drains_and_is_gone(stage: Stage) -> None:
    """A deregistered target is shown for the group's delay, then only when asked for."""
    start_task(stage)
    stage.wait(60)
    ip = stage.elb.describe_target_health(TargetGroupArn=stage.blue)["TargetHealthDescriptions"][0]["Target"]["Id"]
    stage.elb.deregister_targets(TargetGroupArn=stage.blue, Targets=[{"Id": ip}])
    assert stage.health() == ["draining Target.DeregistrationInProgress"]
    stage.wait(29.9)
    assert elbv2.target_state(stage.world, stage.blue, ip=ip, port=8080) == "draining"
    stage.wait(0.1)
    assert elbv2.target_state(stage.world, stage.blue, ip=ip, port=8080) == "gone"
    asked = stage.elb.describe_target_health(TargetGroupArn=stage.blue, Targets=[{"Id": ip, "Port": 8080}])
    assert asked["TargetHealthDescriptions"][0]["TargetHealth"]["Reason"] == "Target.NotRegistered"


def test_the_waiter_for_healthy_targets_ends(stage: Stage) -> None:
    """boto3's target_in_service polls the same states."""
    start_task(stage)
    stage.wait(20)
    stage.elb.get_waiter("target_in_service").wait(
        TargetGroupArn=stage.blue, WaiterConfig={"Delay": 0, "MaxAttempts": 1}
    )
    assert stage.health() == ["healthy"]


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({"Matcher": {"HttpCode": "200-399"}}, "healthy"),
        ({"Matcher": {"HttpCode": "204"}}, "unhealthy Target.ResponseCodeMismatch"),
        ({"HealthCheckPort": "9999"}, "unhealthy Target.FailedHealthChecks"),
        ({"HealthCheckEnabled": False}, "unavailable Target.HealthCheckDisabled"),
    ],
)
def test_changed_settings_count_from_the_next_check_on(stage: Stage, change: dict[str, Any], state: str) -> None:
    """What a check asks for, and where, can be changed while targets are registered."""
    start_task(stage)
    stage.wait(60)
    stage.elb.modify_target_group(TargetGroupArn=stage.blue, **change)
    stage.wait(30)
    assert stage.health() == [state]


def test_a_zone_without_the_load_balancer_is_not_checked() -> None:
    """A target is checked only in zones that the load balancer serves."""
    stage = fresh(whole=True)
    third = stage.ec2.create_subnet(VpcId=stage.vpc, CidrBlock="10.0.9.0/24", AvailabilityZone="us-east-1c")
    stage.elb.register_targets(TargetGroupArn=stage.blue, Targets=[{"Id": "10.0.9.9"}])
    assert third["Subnet"]["AvailabilityZone"] == "us-east-1c"
    assert stage.health() == ["unused Target.NotInUse"]


def test_metrics_name_balancers_and_groups_by_the_tail_of_their_arns(stage: Stage) -> None:
    """The dimensions of CloudWatch's metrics."""
    assert elbv2.dimension(stage.balancer).startswith(f"app/{NAME}/")
    assert elbv2.dimension(stage.blue).startswith("targetgroup/blue/")
