"""What a policy watches: the alarms that target tracking makes for itself, and the newest value of a metric.

Sources: Application Auto Scaling user guide, application-auto-scaling-target-tracking (names of the alarms); API
reference, PredefinedMetricSpecification. How AWS sets the two alarms is read off those it makes: three minutes above
the target, fifteen minutes below nine tenths of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.applicationautoscaling.store import Policy

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

MINUTE = 60
REACH = 20 * MINUTE  # how far back the newest value is looked for
LOW_SHARE = 0.9
SERVICE_METRICS = {
    "ECSServiceAverageCPUUtilization": "CPUUtilization",
    "ECSServiceAverageMemoryUtilization": "MemoryUtilization",
}
PER_TARGET = "ALBRequestCountPerTarget"


@dataclass(frozen=True)
class Side:
    """One of the two alarms of target tracking."""

    name: str
    comparison: str
    threshold: float
    minutes: int


def watched(resource: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """The metric of a target tracking configuration, in the words of put_metric_alarm."""
    own = config.get("CustomizedMetricSpecification")
    if own:
        return _customized(own)
    kind = config["PredefinedMetricSpecification"]["PredefinedMetricType"]
    if kind == PER_TARGET:
        return _per_target(config["PredefinedMetricSpecification"])
    if kind not in SERVICE_METRICS:
        raise AwsError("ValidationException", f"Unsupported predefined metric type {kind} for service namespace ecs")
    _, cluster, name = resource.split("/")
    dimensions = {"ClusterName": cluster, "ServiceName": name}
    return _metric("AWS/ECS", SERVICE_METRICS[kind], dimensions, "Average")


def _customized(own: Mapping[str, Any]) -> dict[str, Any]:
    if "Metrics" in own:
        return {"Metrics": [_query(one) for one in own["Metrics"]]}
    dimensions = {one["Name"]: one["Value"] for one in own.get("Dimensions", ())}
    return _metric(own["Namespace"], own["MetricName"], dimensions, own["Statistic"])


def _query(one: Mapping[str, Any]) -> dict[str, Any]:
    stat = one.get("MetricStat")
    return {**one, **({"MetricStat": {**stat, "Period": MINUTE}} if stat else {})}


def _per_target(told: Mapping[str, Any]) -> dict[str, Any]:
    balancer, _, group = told.get("ResourceLabel", "").partition("/targetgroup/")
    if not group or not balancer.startswith("app/"):
        text = "ResourceLabel must be app/<load balancer>/<id>/targetgroup/<target group>/<id>"
        raise AwsError("ValidationException", text)
    dimensions = {"LoadBalancer": balancer, "TargetGroup": f"targetgroup/{group}"}
    return _metric("AWS/ApplicationELB", "RequestCountPerTarget", dimensions, "Sum")


def _metric(namespace: str, name: str, dimensions: Mapping[str, str], statistic: str) -> dict[str, Any]:
    listed = [{"Name": key, "Value": value} for key, value in dimensions.items()]
    return {
        "Namespace": namespace,
        "MetricName": name,
        "Dimensions": listed,
        "Statistic": statistic,
        "Period": MINUTE,
    }


def make_alarms(world: World, policy: Policy) -> tuple[str, ...]:
    """The alarms of a target tracking policy: one to scale out, and unless that is disabled one to scale in."""
    target = policy.config["TargetValue"]
    sides = [Side("AlarmHigh", "GreaterThanThreshold", target, 3)]
    if not policy.config.get("DisableScaleIn"):
        sides.append(Side("AlarmLow", "LessThanThreshold", target * LOW_SHARE, 15))
    return tuple(_make_alarm(world, policy, side) for side in sides)


def _make_alarm(world: World, policy: Policy, side: Side) -> str:
    name = f"TargetTracking-{policy.resource}-{side.name}-{world.ids.uuid('scaling-alarm')}"
    world.client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        AlarmDescription=f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {policy.arn}.",
        ComparisonOperator=side.comparison,
        Threshold=side.threshold,
        EvaluationPeriods=side.minutes,
        AlarmActions=[policy.arn],
        **watched(policy.resource, policy.config),
    )
    return name


def newest(world: World, alarm: Mapping[str, Any]) -> float | None:
    """The newest value that can be read of what an alarm watches; None when there is none."""
    queries = alarm.get("Metrics") or [_as_query(alarm)]
    found = world.client("cloudwatch").get_metric_data(
        MetricDataQueries=queries, StartTime=world.datetime(world.now - REACH), EndTime=world.datetime()
    )
    values: Sequence[float] = found["MetricDataResults"][0]["Values"]
    return values[0] if values else None


def _as_query(alarm: Mapping[str, Any]) -> dict[str, Any]:
    metric = {key: alarm[key] for key in ("Namespace", "MetricName", "Dimensions")}
    stat = {"Metric": metric, "Period": alarm["Period"], "Stat": alarm.get("Statistic") or alarm["ExtendedStatistic"]}
    return {"Id": "watched", "MetricStat": stat}
