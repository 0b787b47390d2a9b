"""Application Auto Scaling: bounds, policies that act on alarms, schedules, suspensions, and what is told of it."""

from __future__ import annotations

from typing import Any

import codedeploy_stage
import ecs_stage
import pytest
from ecs_stage import NAME, Stage, refusal
from test_autoscaling_rules import STEPS

from runbook_lib.sandbox.traffic import compute

RESOURCE = f"service/{NAME}/{NAME}"
ABOUT = {"ServiceNamespace": "ecs", "ResourceId": RESOURCE, "ScalableDimension": "ecs:service:DesiredCount"}
KAFKA = {"PredefinedMetricSpecification": {"PredefinedMetricType": "KafkaBrokerStorageUtilization"}}
CPU = {"PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}}


@pytest.fixture(autouse=True)
def _only_told_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service is as busy as the test says; what the sandbox makes of its requests would be averaged with that."""
    monkeypatch.setattr(compute, "record", lambda world, minute, tallies: None)


@pytest.fixture
def stage() -> Stage:
    """A service of two tasks on the CODE_DEPLOY controller that may be scaled between one and six."""
    made = ecs_stage.fresh()
    made.world.settings = made.world.settings.with_(requests_per_second=0.0)
    made.serve()
    made.settle()
    scaling(made).register_scalable_target(**ABOUT, MinCapacity=1, MaxCapacity=6)
    return made


def scaling(stage: Stage) -> Any:
    return stage.world.client("application-autoscaling")


def track(stage: Stage, **config: Any) -> Any:
    """Puts a policy that keeps the CPU at half."""
    told = {"TargetValue": 50.0, **CPU, **config}
    return scaling(stage).put_scaling_policy(
        **ABOUT, PolicyName="cpu", PolicyType="TargetTrackingScaling", TargetTrackingScalingPolicyConfiguration=told
    )


def load(stage: Stage, percent: float, minutes: int) -> None:
    """Lets the service be that busy for some minutes."""
    watch = stage.world.client("cloudwatch")
    dimensions = [{"Name": "ClusterName", "Value": NAME}, {"Name": "ServiceName", "Value": NAME}]
    for _ in range(minutes):
        datum = {"MetricName": "CPUUtilization", "Dimensions": dimensions, "Value": percent}
        watch.put_metric_data(Namespace="AWS/ECS", MetricData=[datum])
        stage.wait(60)


def desired(stage: Stage) -> int:
    count: int = stage.shown()["desiredCount"]
    return count


def activities(stage: Stage) -> list[dict[str, Any]]:
    told = scaling(stage).describe_scaling_activities(ServiceNamespace="ecs")
    found: list[dict[str, Any]] = told["ScalingActivities"]
    return found


# ---- targets


def test_a_target_is_changed_in_what_a_call_names(stage: Stage) -> None:
    """Suspending leaves the bounds as they are, and the ARN stays."""
    first = scaling(stage).describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"][0]
    told = {"DynamicScalingOutSuspended": True}
    assert (
        scaling(stage).register_scalable_target(**ABOUT, SuspendedState=told)["ScalableTargetARN"]
        == (first["ScalableTargetARN"])
    )
    seen = scaling(stage).describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"][0]
    assert (seen["MinCapacity"], seen["MaxCapacity"]) == (1, 6)
    assert seen["SuspendedState"] == {
        "DynamicScalingInSuspended": False,
        "DynamicScalingOutSuspended": True,
        "ScheduledScalingSuspended": False,
    }


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"ResourceId": "service/orders/other"}, "ValidationException", "ECS service doesn't exist: service/orders/"),
        ({"ResourceId": "orders"}, "ValidationException", "Unsupported resource id: orders"),
        ({"MinCapacity": 7}, "ValidationException", "Maximum capacity cannot be less than minimum capacity"),
        ({"ServiceNamespace": "dynamodb"}, "NotImplemented", "application-autoscaling of dynamodb: not simulated"),
    ],
)
def test_a_target_that_cannot_be_is_refused(stage: Stage, changes: dict[str, Any], code: str, words: str) -> None:
    """With the reason."""
    seen, message = refusal(scaling(stage).register_scalable_target, **{**ABOUT, "MaxCapacity": 6, **changes})
    assert (seen, words in message) == (code, True), message


def test_a_new_target_needs_both_bounds() -> None:
    """Nothing is guessed."""
    made = ecs_stage.fresh()
    made.serve()
    code, message = refusal(scaling(made).register_scalable_target, **ABOUT, MinCapacity=1)
    assert (code, "must be given" in message) == ("ValidationException", True)


def test_the_first_use_needs_a_role_of_its_own() -> None:
    """On a new account the service-linked role is made by the first call, which fails."""
    made = ecs_stage.fresh(realism=True, whole=True)
    iam = made.world.client("iam")
    path = "/aws-service-role/ecs.application-autoscaling.amazonaws.com/"
    iam.delete_service_linked_role(RoleName=iam.list_roles(PathPrefix=path)["Roles"][0]["RoleName"])
    made.serve()
    code, message = refusal(scaling(made).register_scalable_target, **ABOUT, MinCapacity=1, MaxCapacity=2)
    assert (code, message[:40]) == ("ValidationException", "Unable to assume IAM role: arn:aws:iam::")
    made.wait(60)
    assert scaling(made).register_scalable_target(**ABOUT, MinCapacity=1, MaxCapacity=2)["ScalableTargetARN"]


def test_what_goes_with_a_target(stage: Stage) -> None:
    """Its policies, the alarms that they made, and its scheduled actions; a second time there is nothing."""
    track(stage)
    scaling(stage).deregister_scalable_target(**ABOUT)
    assert scaling(stage).describe_scaling_policies(ServiceNamespace="ecs")["ScalingPolicies"] == []
    assert stage.world.client("cloudwatch").describe_alarms(AlarmNamePrefix="TargetTracking")["MetricAlarms"] == []
    code, message = refusal(scaling(stage).deregister_scalable_target, **ABOUT)
    assert (code, "No scalable target found for service namespace: ecs" in message) == ("ObjectNotFoundException", True)


def test_a_target_is_tagged(stage: Stage) -> None:
    """By its ARN."""
    arn = scaling(stage).describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"][0]["ScalableTargetARN"]
    scaling(stage).tag_resource(ResourceARN=arn, Tags={"team": "orders", "x": "y"})
    scaling(stage).untag_resource(ResourceARN=arn, TagKeys=["x"])
    assert scaling(stage).list_tags_for_resource(ResourceARN=arn)["Tags"] == {"team": "orders"}


# ---- target tracking


def test_target_tracking_makes_two_alarms(stage: Stage) -> None:
    """Above the target for three minutes, and below nine tenths of it for fifteen."""
    names = [alarm["AlarmName"] for alarm in track(stage)["Alarms"]]
    found = stage.world.client("cloudwatch").describe_alarms(AlarmNames=names)["MetricAlarms"]
    seen = [(one["AlarmName"][:42], one["Threshold"], one["EvaluationPeriods"]) for one in found]
    assert seen == [
        ("TargetTracking-service/orders/orders-Alarm", 50.0, 3),
        ("TargetTracking-service/orders/orders-Alarm", 45.0, 15),
    ]
    assert "-AlarmHigh-" in names[0]
    assert "-AlarmLow-" in names[1]


def test_a_busy_service_is_scaled_out_in_proportion(stage: Stage) -> None:
    """Two tasks at 90 percent for a target of 50 become four; the activity says why."""
    track(stage)
    load(stage, 90.0, 5)
    stage.wait(120)
    assert (desired(stage), len(stage.tasks())) == (4, 4)
    told = activities(stage)[0]
    assert told["Description"] == "Setting desired count to 4."
    assert told["Cause"].startswith("monitor alarm TargetTracking-service/orders/orders-AlarmHigh-")
    assert told["Cause"].endswith(" in state ALARM triggered policy cpu")
    assert told["StatusMessage"] == "Successfully set desired count to 4. Change successfully fulfilled by ecs."


def test_an_idle_service_is_scaled_in_to_its_minimum(stage: Stage) -> None:
    """After a quarter of an hour below nine tenths of the target."""
    track(stage)
    load(stage, 2.0, 18)
    assert desired(stage) == 1


def test_nothing_is_scaled_in_where_that_is_disabled(stage: Stage) -> None:
    """There is no alarm for it either."""
    assert len(track(stage, DisableScaleIn=True)["Alarms"]) == 1
    load(stage, 2.0, 18)
    assert (desired(stage), activities(stage)) == (2, [])


def test_a_cooldown_holds_the_next_change_back(stage: Stage) -> None:
    """Five minutes unless the policy says otherwise."""
    track(stage)
    load(stage, 90.0, 6)
    assert len(activities(stage)) == 1
    load(stage, 90.0, 5)
    assert (len(activities(stage)), desired(stage)) == (2, 6)


def test_a_suspended_target_stays_as_it_is(stage: Stage) -> None:
    """Until it is resumed."""
    track(stage)
    scaling(stage).register_scalable_target(**ABOUT, SuspendedState={"DynamicScalingOutSuspended": True})
    load(stage, 90.0, 5)
    assert desired(stage) == 2
    scaling(stage).register_scalable_target(**ABOUT, SuspendedState={"DynamicScalingOutSuspended": False})
    load(stage, 90.0, 1)
    assert desired(stage) == 4


def test_requests_per_target_do_not_go_with_code_deploy(stage: Stage) -> None:
    """Amazon ECS does not support it, and nobody says how it refuses."""
    label = {"PredefinedMetricType": "ALBRequestCountPerTarget", "ResourceLabel": "app/a/1/targetgroup/b/2"}
    told = {"TargetValue": 100.0, "PredefinedMetricSpecification": label}
    params = {
        **ABOUT,
        "PolicyName": "rate",
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": told,
    }
    code, message = refusal(scaling(stage).put_scaling_policy, **params)
    assert (code, "ALBRequestCountPerTarget with CODE_DEPLOY" in message) == ("NotImplemented", True)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"TargetValue": 50.0}, "Exactly one of PredefinedMetricSpecification and Customized"),
        ({"TargetValue": 0.0, **CPU}, "TargetValue must be greater than 0"),
        ({"TargetValue": 1.0, **KAFKA}, "Unsupported predefined metric type KafkaBrokerStorageUtilization"),
    ],
)
def test_a_policy_that_tracks_nothing_is_refused(stage: Stage, config: dict[str, Any], words: str) -> None:
    """With the reason."""
    params = {**ABOUT, "PolicyName": "x", "PolicyType": "TargetTrackingScaling"}
    call = scaling(stage).put_scaling_policy
    code, message = refusal(call, **params, TargetTrackingScalingPolicyConfiguration=config)
    assert (code, words in message) == ("ValidationException", True), message


# ---- steps


def test_an_alarm_triggers_the_step_that_its_excess_falls_into(stage: Stage) -> None:
    """Thirty above the threshold is the second step: three tasks more."""
    made = scaling(stage).put_scaling_policy(
        **ABOUT,
        PolicyName="steps",
        PolicyType="StepScaling",
        StepScalingPolicyConfiguration={"AdjustmentType": "ChangeInCapacity", "StepAdjustments": STEPS},
    )
    dimensions = [{"Name": "ClusterName", "Value": NAME}, {"Name": "ServiceName", "Value": NAME}]
    stage.world.client("cloudwatch").put_metric_alarm(
        AlarmName="busy", Namespace="AWS/ECS", MetricName="CPUUtilization", Dimensions=dimensions, Statistic="Average",
        Period=60, EvaluationPeriods=1, Threshold=60, ComparisonOperator="GreaterThanThreshold",
        AlarmActions=[made["PolicyARN"]],
    )  # fmt: skip
    load(stage, 90.0, 3)
    assert (desired(stage), activities(stage)[0]["Cause"]) == (
        5,
        "monitor alarm busy in state ALARM triggered policy steps",
    )
    policy = scaling(stage).describe_scaling_policies(ServiceNamespace="ecs")["ScalingPolicies"][0]
    assert [alarm["AlarmName"] for alarm in policy["Alarms"]] == ["busy"]


# ---- schedules


def test_a_scheduled_action_lifts_the_count_to_its_minimum(stage: Stage) -> None:
    """And says so."""
    due = stage.world.datetime(stage.world.now + 600).strftime("at(%Y-%m-%dT%H:%M:%S)")
    action = {"MinCapacity": 4, "MaxCapacity": 8}
    scaling(stage).put_scheduled_action(**ABOUT, ScheduledActionName="noon", Schedule=due, ScalableTargetAction=action)
    stage.wait(590)
    assert desired(stage) == 2
    stage.wait(120)
    assert (desired(stage), activities(stage)[0]["Cause"]) == (4, "minimum capacity was set to 4")
    assert activities(stage)[0]["StatusCode"] == "Successful"


def test_a_scheduled_action_can_be_suspended_replaced_and_deleted(stage: Stage) -> None:
    """The event of a former schedule does nothing."""
    told = {**ABOUT, "ScheduledActionName": "hourly", "ScalableTargetAction": {"MinCapacity": 4}}
    scaling(stage).put_scheduled_action(**told, Schedule="rate(1 minute)")
    scaling(stage).put_scheduled_action(**told, Schedule="rate(2 hours)")
    stage.wait(180)
    assert desired(stage) == 2
    scaling(stage).delete_scheduled_action(**ABOUT, ScheduledActionName="hourly")
    code, message = refusal(scaling(stage).delete_scheduled_action, **ABOUT, ScheduledActionName="hourly")
    assert (code, "scheduled action name: hourly" in message) == ("ObjectNotFoundException", True)


# ---- deployments and saving


def test_a_world_is_saved_while_it_scales(stage: Stage) -> None:
    """Policies, alarms and open activities go on in the loaded one."""
    import pickle

    track(stage)
    load(stage, 90.0, 3)
    copied = pickle.loads(pickle.dumps(stage.world))
    assert copied.store("application-autoscaling").policies.keys() == {(RESOURCE, "cpu")}


def test_nothing_is_scaled_in_while_a_rolling_deployment_runs() -> None:
    """Scaling out is not held back (ECS developer guide, service-auto-scaling)."""
    stage = ecs_stage.fresh()
    stage.serve("ECS")
    stage.settle()
    scaling(stage).register_scalable_target(**ABOUT, MinCapacity=1, MaxCapacity=6)
    track(stage)
    load(stage, 2.0, 14)
    stage.ecs.update_service(cluster=NAME, service=NAME, taskDefinition=stage.define(APP_HEALTH="fail"))
    load(stage, 2.0, 4)
    assert desired(stage) == 2


def test_scaling_that_does_not_settle_fails_a_shift_after_five_minutes() -> None:
    """A scheduled action asks for more tasks than the subnets have addresses (ECS guide, deployment-type-bluegreen)."""
    stage = codedeploy_stage.fresh()
    stage.make_group()
    stage.client("application-autoscaling").register_scalable_target(**ABOUT, MinCapacity=1, MaxCapacity=40)
    deployment = stage.start()
    stage.until_event(deployment, "AllowTraffic")
    due = stage.world.datetime(stage.world.now + 60).strftime("at(%Y-%m-%dT%H:%M:%S)")
    stage.client("application-autoscaling").put_scheduled_action(
        **ABOUT, ScheduledActionName="surge", Schedule=due, ScalableTargetAction={"MinCapacity": 40}
    )
    assert stage.until_over(deployment) == "Failed"
    assert (
        "after a scaling event. This time out period is 5 minutes."
        in stage.info(deployment)["errorInformation"]["message"]
    )


def test_scaling_in_mid_shift_starts_from_both_colours() -> None:
    """The running count holds blue and green: the desired count ends up inflated, as it does on AWS."""
    stage = codedeploy_stage.fresh()
    stage.world.settings = stage.world.settings.with_(requests_per_second=0.0)
    stage.make_group()
    client = stage.client("application-autoscaling")
    client.register_scalable_target(**ABOUT, MinCapacity=1, MaxCapacity=12)
    client.put_scaling_policy(
        **ABOUT,
        PolicyName="cpu",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={"TargetValue": 50.0, **CPU},
    )
    stage.until_event(stage.start(), "AllowTraffic")
    dimensions = [{"Name": "ClusterName", "Value": NAME}, {"Name": "ServiceName", "Value": NAME}]
    for _ in range(5):
        datum = {"MetricName": "CPUUtilization", "Dimensions": dimensions, "Value": 75.0}
        stage.client("cloudwatch").put_metric_data(Namespace="AWS/ECS", MetricData=[datum])
        stage.wait(60)
    service = stage.client("ecs").describe_services(cluster=NAME, services=[NAME])["services"][0]
    assert service["desiredCount"] == 6  # of four running tasks, three of two would have been enough
