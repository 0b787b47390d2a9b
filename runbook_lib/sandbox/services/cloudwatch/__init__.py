"""Amazon CloudWatch: metrics with their lag and exact percentiles, metric math, alarms that are evaluated.

Not served, and refused by name: pictures of widgets, anomaly detectors, metric streams, Contributor Insights, mute
rules and what else is missing here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.services.cloudwatch import (
    alarm_views,
    alarms,
    evaluation,
    history,
    listing,
    putting,
    queries,
    single,
    tags,
)
from runbook_lib.sandbox.services.cloudwatch.histogram import Histogram
from runbook_lib.sandbox.services.cloudwatch.points import MINUTE
from runbook_lib.sandbox.services.cloudwatch.store import LATE, CloudWatchStore, add, key
from runbook_lib.sandbox.services.cloudwatch.transitions import alarm_state

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

STORE = CloudWatchStore
MOTO = {"PutDashboard", "GetDashboard", "ListDashboards", "DeleteDashboards"}
OPERATIONS: dict[str, Callable[[Call], dict[str, Any]]] = {
    "PutMetricData": putting.put_metric_data,
    "GetMetricData": queries.get_metric_data,
    "GetMetricStatistics": single.get_metric_statistics,
    "ListMetrics": listing.list_metrics,
    "PutMetricAlarm": alarms.put_metric_alarm,
    "PutCompositeAlarm": alarms.put_composite_alarm,
    "DescribeAlarms": alarm_views.describe_alarms,
    "DescribeAlarmsForMetric": alarm_views.describe_alarms_for_metric,
    "DescribeAlarmHistory": history.describe_alarm_history,
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
    add(world, metric, minute, values, visible=shown, unit=unit)
    if late:
        add(world, metric, minute, late, visible=max(shown + LATE, world.now), unit=unit)


__all__ = ["HANDLERS", "MOTO", "OPERATIONS", "STORE", "Histogram", "alarm_state", "record"]
