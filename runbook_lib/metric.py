"""What the load balancer measured, per target group and minute, in one call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from runbook_lib.account import Account
from runbook_lib.alarm import NAMESPACE
from runbook_lib.balancer import Balancer, dimension

PERIOD = 60
# name of the series -> (CloudWatch metric, statistic); ELB user guide, load-balancer-cloudwatch-metrics
SERIES = {
    "requests": ("RequestCount", "Sum"),
    "ok": ("HTTPCode_Target_2XX_Count", "Sum"),
    "redirects": ("HTTPCode_Target_3XX_Count", "Sum"),
    "client_errors": ("HTTPCode_Target_4XX_Count", "Sum"),
    "own_errors": ("HTTPCode_Target_5XX_Count", "Sum"),
    "p50": ("TargetResponseTime", "p50"),
    "p95": ("TargetResponseTime", "p95"),
    "p99": ("TargetResponseTime", "p99"),
    "healthy": ("HealthyHostCount", "Minimum"),
    "unhealthy": ("UnHealthyHostCount", "Maximum"),
}


@dataclass(frozen=True)
class Minute:
    """One minute of one target group; counts are requests, latencies seconds; None where CloudWatch has no point."""

    at: datetime
    group: str
    requests: float | None
    failed: float | None  # requests without a 2xx, 3xx or 4xx of a target: own errors and unanswered ones
    own_errors: float | None  # 5xx that the application answered itself
    p50: float | None
    p95: float | None
    p99: float | None
    healthy: float | None
    unhealthy: float | None

    @property
    def unanswered(self) -> float:
        """Requests that no target answered: the load balancer made a 502, 503 or 504 of them."""
        return max(0.0, (self.failed or 0) - (self.own_errors or 0))

    @property
    def error_rate(self) -> float | None:
        """The share of requests that failed, 0 to 1; None without requests."""
        return self.failed / self.requests if self.requests and self.failed is not None else None


@dataclass(frozen=True)
class Metrics:
    """Minutes of several target groups, oldest first."""

    start: datetime
    end: datetime
    minutes: tuple[Minute, ...]

    def of(self, group: str) -> tuple[Minute, ...]:
        return tuple(minute for minute in self.minutes if minute.group == group)

    @property
    def groups(self) -> tuple[str, ...]:
        return tuple(sorted({minute.group for minute in self.minutes}))


def read_metrics(
    account: Account, balancer: Balancer, groups: Iterable[str], *, start: datetime, end: datetime
) -> Metrics:
    """The closed minutes of these target groups between two times: one GetMetricData call (and its pages)."""
    start = start.replace(second=0, microsecond=0)
    names = [name for name in groups if name in balancer.groups]
    ids = {f"m{g}_{series}": (name, series) for g, name in enumerate(names) for series in SERIES}
    if not ids:
        return Metrics(start, end, ())
    queries = [_query(key, balancer, name, series) for key, (name, series) in ids.items()]
    pages = (
        account.client("cloudwatch")
        .get_paginator("get_metric_data")
        .paginate(MetricDataQueries=queries, StartTime=start, EndTime=end, ScanBy="TimestampAscending")
    )
    points: dict[tuple[datetime, str], dict[str, float]] = {}
    for page in pages:
        for result in page["MetricDataResults"]:
            name, series = ids[result["Id"]]
            for at, value in zip(result["Timestamps"], result["Values"], strict=True):
                points.setdefault((at, name), {})[series] = value
    return Metrics(start, end, tuple(_minute(at, name, points[at, name]) for at, name in sorted(points)))


def read_balancer_errors(account: Account, balancer: Balancer, *, start: datetime, end: datetime) -> float:
    """How many requests the load balancer had to answer itself with a 5xx (502, 503, 504) between two times.

    They have no target group, and a minute without any has no point (ELB user guide,
    load-balancer-cloudwatch-metrics).
    """
    answer = account.client("cloudwatch").get_metric_statistics(
        Namespace=NAMESPACE,
        MetricName="HTTPCode_ELB_5XX_Count",
        Dimensions=[{"Name": "LoadBalancer", "Value": balancer.dimension}],
        StartTime=start,
        EndTime=end,
        Period=PERIOD,
        Statistics=["Sum"],
    )
    return float(sum(point["Sum"] for point in answer["Datapoints"]))


def closed(now: datetime, *, lag: timedelta) -> datetime:
    """The end of the newest minute that can be trusted: closed, and older than the metrics' lag."""
    return (now - lag).replace(second=0, microsecond=0)


def _query(key: str, balancer: Balancer, group: str, series: str) -> dict[str, Any]:
    metric, stat = SERIES[series]
    dimensions = [
        {"Name": "LoadBalancer", "Value": balancer.dimension},
        {"Name": "TargetGroup", "Value": dimension(balancer.groups[group].arn)},
    ]
    named = {"Namespace": NAMESPACE, "MetricName": metric, "Dimensions": dimensions}
    return {"Id": key, "MetricStat": {"Metric": named, "Period": PERIOD, "Stat": stat}, "ReturnData": True}


def _minute(at: datetime, group: str, found: Mapping[str, float]) -> Minute:
    requests = found.get("requests")
    good = sum(found.get(series, 0.0) for series in ("ok", "redirects", "client_errors"))
    return Minute(
        at=at,
        group=group,
        requests=requests,
        failed=None if requests is None else max(0.0, requests - good),
        own_errors=None if requests is None else found.get("own_errors", 0.0),
        p50=found.get("p50"),
        p95=found.get("p95"),
        p99=found.get("p99"),
        healthy=found.get("healthy"),
        unhealthy=found.get("unhealthy"),
    )
