"""Amazon CloudWatch: metrics with their lag and exact percentiles, metric math, alarms that are evaluated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.services.cloudwatch import alarms, evaluation, queries, tags
from runbook_lib.sandbox.services.cloudwatch.alarms import alarm_state
from runbook_lib.sandbox.services.cloudwatch.histogram import Histogram
from runbook_lib.sandbox.services.cloudwatch.store import LATE, MINUTE, CloudWatchStore, add, key

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

STORE = CloudWatchStore
MOTO = {"PutDashboard", "GetDashboard", "ListDashboards", "DeleteDashboards"}
OPERATIONS: dict[str, Callable[[Call], dict[str, Any]]] = {
    "PutMetricData": queries.put_metric_data,
    "GetMetricData": queries.get_metric_data,
    "GetMetricStatistics": queries.get_metric_statistics,
    "ListMetrics": queries.list_metrics,
    "PutMetricAlarm": alarms.put_metric_alarm,
    "PutCompositeAlarm": alarms.put_composite_alarm,
    "DescribeAlarms": alarms.describe_alarms,
    "DescribeAlarmsForMetric": alarms.describe_alarms_for_metric,
    "DescribeAlarmHistory": alarms.describe_alarm_history,
    "DeleteAlarms": alarms.delete_alarms,
    "SetAlarmState": alarms.set_alarm_state,
    "EnableAlarmActions": alarms.enable,
    "DisableAlarmActions": alarms.disable,
    "TagResource": tags.add,
    "UntagResource": tags.remove,
    "ListTagsForResource": tags.read,
}
HANDLERS: dict[str, Callable[..., None]] = {"cloudwatch.tick": evaluation.tick}


def record(
    world: World,
    *,
    namespace: str,
    name: str,
    dimensions: Mapping[str, str],
    minute: int,
    values: Histogram,
    late: Histogram | None = None,
    unit: str = "None",
) -> None:
    """Add a closed minute of an AWS metric: visible once the lag is over, its late samples a minute after that."""
    metric, shown = key(namespace, name, dimensions), minute + MINUTE + world.settings.metric_lag
    add(world, metric, minute, values, visible=shown)
    if late:
        add(world, metric, minute, late, visible=shown + LATE)


__all__ = ["HANDLERS", "MOTO", "OPERATIONS", "STORE", "Histogram", "alarm_state", "record"]
