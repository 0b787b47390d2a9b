"""What CloudWatch says of the alarms that stop a deployment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from runbook_lib.preflight.live import Alarm

if TYPE_CHECKING:
    from runbook_lib.account import Account

MOST_ALARMS = 100  # names in one call of DescribeAlarms


def read_alarms(account: Account, names: tuple[str, ...]) -> tuple[Alarm, ...]:
    """The alarms of these names that are there, metric alarms and composite ones."""
    if not names:
        return ()
    found = account.client("cloudwatch").describe_alarms(
        AlarmNames=list(names[:MOST_ALARMS]), AlarmTypes=["MetricAlarm", "CompositeAlarm"]
    )
    return tuple(_alarm(one) for one in (*found.get("MetricAlarms", ()), *found.get("CompositeAlarms", ())))


def _alarm(one: Mapping[str, Any]) -> Alarm:
    stats = [query["MetricStat"] for query in one.get("Metrics", ()) if "MetricStat" in query]
    metrics = [(stat["Metric"].get("Dimensions", ()), stat["Period"]) for stat in stats]
    if "MetricName" in one:
        metrics.append((one.get("Dimensions", ()), one.get("Period", 60)))
    dimensions = [{entry["Name"]: entry["Value"] for entry in listed} for listed, _ in metrics]
    return Alarm(
        name=one["AlarmName"],
        state=one["StateValue"],
        period=max((period for _, period in metrics), default=0),
        evaluated=one.get("EvaluationPeriods", 0),
        needed=one.get("DatapointsToAlarm", one.get("EvaluationPeriods", 0)),
        missing=one.get("TreatMissingData", "missing"),
        groups=frozenset(entry["TargetGroup"] for entry in dimensions if "TargetGroup" in entry),
        whole_balancer=any("LoadBalancer" in entry and "TargetGroup" not in entry for entry in dimensions),
    )
