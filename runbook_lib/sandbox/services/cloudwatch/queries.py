"""Reading metrics: get_metric_data with metric math, get_metric_statistics, list_metrics, put_metric_data."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.cloudwatch import expression
from runbook_lib.sandbox.services.cloudwatch.histogram import Histogram
from runbook_lib.sandbox.services.cloudwatch.store import MINUTE, Key, add, key, store, visible

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

MOST_QUERIES = 500  # CloudWatch API reference, GetMetricData
MOST_POINTS = 1440  # CloudWatch API reference, GetMetricStatistics
PAGE = 500


def put_metric_data(call: Call) -> dict[str, Any]:
    """Own metrics: visible at once, gathered by minute."""
    if "MetricData" not in call.params:  # botocore's model lets a client leave it out
        raise AwsError("MissingParameter", "The parameter MetricData is required.")
    for datum in call.params["MetricData"]:
        at = _epoch(datum.get("Timestamp"), call.world.now)
        metric = key(call.params["Namespace"], datum["MetricName"], datum.get("Dimensions", ()))
        add(call.world, metric, int(at) // MINUTE * MINUTE, _samples(datum), visible=call.world.now)
    return {}


def get_metric_data(call: Call) -> dict[str, Any]:
    """Several series at once; expressions refer to the others by their Ids."""
    queries = call.params["MetricDataQueries"]
    if len(queries) > MOST_QUERIES:
        raise AwsError(
            "ValidationError", f"The collection MetricDataQueries must not have a size greater than {MOST_QUERIES}."
        )
    start, end = _epoch(call.params["StartTime"], 0), _epoch(call.params["EndTime"], 0)
    if start >= end:
        raise AwsError("ValidationError", "The parameter StartTime must be less than the parameter EndTime.")
    known = series_of(call.world, queries, start, end)
    newest_first = call.params.get("ScanBy", "TimestampDescending") == "TimestampDescending"
    wanted = [query for query in queries if query.get("ReturnData", True)]
    return {"MetricDataResults": [_result(query, known[query["Id"]], newest_first) for query in wanted], "Messages": []}


def series_of(world: World, queries: Any, start: float, end: float) -> dict[str, Any]:
    """The value of every query by its Id; expressions may refer to each other in any order."""
    known: dict[str, Any] = {}
    waiting = list(queries)
    start = start // MINUTE * MINUTE
    while waiting:
        ready = [
            query for query in waiting if "MetricStat" in query or _names(query["Expression"], queries) <= set(known)
        ]
        if not ready:
            raise AwsError("ValidationError", "Circular reference between expressions.")
        for query in ready:
            known[query["Id"]] = _series(world, query, known, start, end)
        waiting = [query for query in waiting if query["Id"] not in known]
    return known


def get_metric_statistics(call: Call) -> dict[str, Any]:
    """One metric's statistics by period."""
    told = call.params
    start, end, period = _epoch(told["StartTime"], 0), _epoch(told["EndTime"], 0), told["Period"]
    if (end - start) / period > MOST_POINTS:
        raise AwsError("InvalidParameterCombination", f"You have requested more than {MOST_POINTS} datapoints.")
    found = visible(
        call.world, key(told["Namespace"], told["MetricName"], told.get("Dimensions", ())), start, end, period
    )
    points = [
        {
            "Timestamp": call.world.datetime(at),
            **{name: samples.statistic(name) for name in told.get("Statistics", ())},
            **_extended(samples, told.get("ExtendedStatistics", ())),
        }
        for at, samples in found.items()
    ]
    return {"Label": told["MetricName"], "Datapoints": points}


def list_metrics(call: Call) -> dict[str, Any]:
    """The metrics that have points, narrowed by namespace, name and dimensions."""
    told = call.params
    wanted = {one["Name"]: one.get("Value") for one in told.get("Dimensions", ())}
    found = [metric for metric in store(call.world).points if _fits(metric, told, wanted)]
    return {
        "Metrics": [
            _shown(metric) for metric in sorted(found, key=lambda m: (m.namespace, m.name, m.dimensions))[:PAGE]
        ]
    }


def _series(world: World, query: Mapping[str, Any], known: Mapping[str, Any], start: float, end: float) -> Any:
    if "MetricStat" not in query:
        if "SEARCH(" in query["Expression"] or query["Expression"].lstrip().upper().startswith("SELECT"):
            raise AwsError("ValidationError", "SEARCH and SQL expressions are not simulated: name the metrics.")
        period = query.get("Period", MINUTE)
        grid = [start + step * period for step in range(int((end - start) // period))]
        return expression.evaluate(query["Expression"], known, grid=grid)
    stat = query["MetricStat"]
    metric = key(stat["Metric"]["Namespace"], stat["Metric"]["MetricName"], stat["Metric"].get("Dimensions", ()))
    found = visible(world, metric, start, end, stat["Period"])
    return {at: samples.statistic(stat["Stat"]) for at, samples in found.items()}


def _names(text: str, queries: Any) -> set[str]:
    import re

    words = set(re.findall(r"[a-z]\w*", text))
    return words & {query["Id"] for query in queries}


def _result(query: Mapping[str, Any], value: Any, newest_first: bool) -> dict[str, Any]:
    series = value if isinstance(value, dict) else {}
    times = sorted(series, reverse=newest_first)
    label = query.get("Label") or query.get("MetricStat", {}).get("Metric", {}).get("MetricName") or query["Id"]
    return {
        "Id": query["Id"],
        "Label": label,
        "Timestamps": times,
        "Values": [series[at] for at in times],
        "StatusCode": "Complete",
    }


def _samples(datum: Mapping[str, Any]) -> Histogram:
    if "Values" in datum:
        counts = datum.get("Counts") or [1.0] * len(datum["Values"])
        return Histogram.of(dict(zip(datum["Values"], counts, strict=True)))
    if "StatisticValues" in datum:
        kept = datum["StatisticValues"]
        return Histogram.one(kept["Sum"] / kept["SampleCount"], kept["SampleCount"])
    return Histogram.one(datum["Value"])


def _extended(samples: Histogram, names: Any) -> dict[str, Any]:
    return {"ExtendedStatistics": {name: samples.statistic(name) for name in names}} if names else {}


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


def _epoch(value: Any, otherwise: float) -> float:
    if value is None:
        return otherwise
    return value.timestamp() if isinstance(value, datetime) else float(value)
