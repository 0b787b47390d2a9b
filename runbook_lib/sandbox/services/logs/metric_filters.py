"""Metric filters: events that come in are counted or measured in CloudWatch.

Source: CloudWatch Logs user guide, MonitoringLogData; API reference, MetricTransformation. moto keeps the filters; only
which groups have some is kept here, so that the others pass quickly.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.logs import pattern, pattern_json

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

MOST_DIMENSIONS = 3


@dataclass
class LogsStore:
    """The names of groups that have had a metric filter, and the queries of Insights by their id."""

    filtered: set[str] = field(default_factory=set)
    queries: dict[str, Any] = field(default_factory=dict)


def put_metric_filter(call: Call) -> dict[str, Any]:
    """PutMetricFilter: a pattern that cannot be read is refused at once."""
    told = call.params
    pattern.compiled(told["filterPattern"])
    for one in told["metricTransformations"]:
        if one["metricNamespace"].startswith("AWS/"):
            raise AwsError("InvalidParameterException", "The metric namespace must not begin with AWS/")
        if len(one.get("dimensions", {})) > MOST_DIMENSIONS:
            raise AwsError("InvalidParameterException", f"At most {MOST_DIMENSIONS} dimensions can be given")
        if one.get("dimensions") and "defaultValue" in one:
            raise AwsError("InvalidParameterException", "A default value cannot be given beside dimensions")
    call.world.store("logs").filtered.add(told["logGroupName"])
    return call.moto()


def put_log_events(call: Call) -> dict[str, Any]:
    """PutLogEvents: kept by moto, then seen by the filters of the group."""
    answer = call.moto()
    _measure_all(call.world, call.params["logGroupName"], call.params["logEvents"])
    return answer


def write(
    world: World, group: str, stream: str, events: Sequence[tuple[int, str]], *, create_group: bool = False
) -> None:
    """What a task writes, as (milliseconds, text) in the order of their times; where its group is gone nothing is kept.

    The same as CreateLogStream and PutLogEvents, without the calls: tasks write every minute.
    """
    from runbook_lib.sandbox import moto_seam

    known = moto_seam.log(world, group, stream, events)
    if not known and create_group:
        world.client("logs").create_log_group(logGroupName=group)
        known = moto_seam.log(world, group, stream, events)
    if known:
        _measure_all(world, group, [{"timestamp": at, "message": text} for at, text in events])


def _measure_all(world: World, group: str, events: Sequence[Mapping[str, Any]]) -> None:
    if group in world.store("logs").filtered:
        for one in world.client("logs").describe_metric_filters(logGroupName=group)["metricFilters"]:
            _apply(world, one, events)


def _apply(world: World, told: Mapping[str, Any], events: Iterable[Mapping[str, Any]]) -> None:
    find = pattern.compiled(told["filterPattern"])
    for event in events:
        extracted = find(event["message"])
        for transformation in told["metricTransformations"]:
            _measure(world, transformation, event, extracted)


def _measure(
    world: World, told: Mapping[str, Any], event: Mapping[str, Any], extracted: Mapping[str, str] | None
) -> None:
    if extracted is None:
        value = told.get("defaultValue")
    else:
        value = _number(_resolved(told["metricValue"], event["message"], extracted))
    if value is None:
        return
    dimensions = {
        name: _resolved(source, event["message"], extracted or {})
        for name, source in told.get("dimensions", {}).items()
    }
    datum = {
        "MetricName": told["metricName"],
        "Value": value,
        "Timestamp": world.datetime(event["timestamp"] / 1000),
        "Dimensions": [{"Name": name, "Value": text} for name, text in dimensions.items() if text is not None],
        **({"Unit": told["unit"]} if "unit" in told else {}),
    }
    world.client("cloudwatch").put_metric_data(Namespace=told["metricNamespace"], MetricData=[datum])


def _resolved(source: str, message: str, extracted: Mapping[str, str]) -> str | None:
    """The value that a number, $.selector or $field stands for; None when the event has none."""
    if not source.startswith("$"):
        return source
    if source in extracted:
        return extracted[source]
    try:
        found = pattern_json.select(json.loads(message), source)
    except ValueError:
        return None
    return None if found is pattern_json.ABSENT or isinstance(found, dict | list) else str(found)


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


OPERATIONS = {"PutMetricFilter": put_metric_filter, "PutLogEvents": put_log_events}
