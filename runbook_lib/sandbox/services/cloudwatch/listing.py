"""ListMetrics: the metrics that have points. Source: CloudWatch API reference, ListMetrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.cloudwatch.pages import page
from runbook_lib.sandbox.services.cloudwatch.points import DAY, HOUR
from runbook_lib.sandbox.services.cloudwatch.store import Key, store

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call

PAGE = 500
REMEMBERED, RECENTLY = 14 * DAY, 3 * HOUR  # how old the newest point of a metric may be


def list_metrics(call: Call) -> dict[str, Any]:
    """ListMetrics, narrowed by namespace, name, dimensions and how recently points came."""
    told = call.params
    if told.get("RecentlyActive", "PT3H") != "PT3H":
        raise AwsError("InvalidParameterValue", "The parameter RecentlyActive must be PT3H.")
    age = RECENTLY if "RecentlyActive" in told else REMEMBERED
    wanted = {one["Name"]: one.get("Value") for one in told.get("Dimensions", ())}
    now, points = call.world.now, store(call.world).points
    found = [metric for metric in points if _fits(metric, told, wanted)]
    alive = [metric for metric in found if points[metric].newest(now) >= now - age]
    alive.sort(key=lambda metric: (metric.namespace, metric.name, metric.dimensions))
    return page(
        "Metrics", [_shown(metric) for metric in alive], PAGE, told.get("NextToken"), code="InvalidParameterValue"
    )


def _fits(metric: Key, told: Mapping[str, Any], wanted: Mapping[str, str | None]) -> bool:
    own = dict(metric.dimensions)
    return (
        told.get("Namespace", metric.namespace) == metric.namespace
        and told.get("MetricName", metric.name) == metric.name
        and all(name in own and value in (None, own[name]) for name, value in wanted.items())
    )


def _shown(metric: Key) -> dict[str, Any]:
    return {
        "Namespace": metric.namespace,
        "MetricName": metric.name,
        "Dimensions": [{"Name": name, "Value": value} for name, value in metric.dimensions],
    }
