"""What the load balancer measured, per target group and minute, in one call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from runbook_lib.account import Account
from runbook_lib.balancer import Balancer
from runbook_lib.target_group import dimension

NAMESPACE = "AWS/ApplicationELB"
PERIOD, HOUR = 60, 3600
NO_GROUP = "no target group"  # the name of what no target group got
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
    """One minute of a target group, or of none; counts are requests, latencies seconds; None: there is no point."""

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

    def between(self, start: datetime, end: datetime) -> Metrics:
        """The minutes of a part of it."""
        return Metrics(start, end, tuple(minute for minute in self.minutes if start <= minute.at < end))


def read_metrics(
    account: Account, balancer: Balancer, groups: Iterable[str], *, start: datetime, end: datetime
) -> Metrics:
    """The closed minutes of these target groups between two times: one GetMetricData call (and its pages).

    None where the load balancer is gone, and of a target group that is: metrics go by ids that nobody knows then.
    """
    start = start.replace(second=0, microsecond=0)
    names = [name for name in groups if name in balancer.groups and balancer.arn]
    ids = {f"m{g}_{series}": (name, series) for g, name in enumerate(names) for series in SERIES}
    if not ids:
        return Metrics(start, end, ())
    queries = [query(id, *SERIES[series], of_group(balancer, name)) for id, (name, series) in ids.items()]
    points: dict[tuple[datetime, str], dict[str, float]] = {}
    for id, at, value in read_points(account, queries, start, end):
        name, series = ids[id]
        points.setdefault((at, name), {})[series] = value
    return Metrics(start, end, tuple(_minute(at, name, points[at, name]) for at, name in sorted(points)))


def read_untargeted(account: Account, balancer: Balancer, *, start: datetime, end: datetime) -> tuple[Minute, ...]:
    """The minutes in which the load balancer answered with a 5xx of its own what no target was chosen for.

    They are minutes of no target group (`NO_GROUP`), every request of them failed.  A 503 while no target is registered
    has no target group in the metrics: it is what HTTPCode_ELB_5XX_Count counts beyond the requests that a target was
    chosen for (RequestCount) and none answered (no HTTPCode_Target_nXX_Count; ELB user guide,
    load-balancer-cloudwatch-metrics).
    """
    start = start.replace(second=0, microsecond=0)
    names = {"requests": "RequestCount", "own": "HTTPCode_ELB_5XX_Count"}
    names |= {f"answered{family}": f"HTTPCode_Target_{family}XX_Count" for family in (2, 3, 4, 5)}
    whole = of_balancer(balancer)
    points = read_points(account, [query(id, metric, "Sum", whole) for id, metric in names.items()], start, end)
    minutes: dict[datetime, dict[str, float]] = {}
    for id, at, value in points:
        minutes.setdefault(at, {})[id] = value
    return tuple(_untargeted(at, found) for at, found in sorted(minutes.items()) if _unchosen(found))


def read_request_sum(
    account: Account, balancer: Balancer, groups: Iterable[str], *, start: datetime, end: datetime
) -> float:
    """The requests that these target groups got between two times, by the hour: points that are kept for 455 days."""
    queries = [
        query(f"m{number}", "RequestCount", "Sum", of_group(balancer, name), period=HOUR)
        for number, name in enumerate(name for name in groups if name in balancer.groups)
    ]
    return float(sum(value for _, _, value in read_points(account, queries, start, end))) if queries else 0.0


def read_balancer_errors(account: Account, balancer: Balancer, *, start: datetime, end: datetime) -> float:
    """How many requests the load balancer had to answer itself with a 5xx (502, 503, 504) between two times.

    They have no target group, and a minute without any has no point (ELB user guide,
    load-balancer-cloudwatch-metrics).
    """
    asked = query("own", "HTTPCode_ELB_5XX_Count", "Sum", of_balancer(balancer))
    return float(sum(value for _, _, value in read_points(account, [asked], start, end)))


def read_points(
    account: Account, queries: Sequence[Mapping[str, Any]], start: datetime, end: datetime
) -> Iterator[tuple[str, datetime, float]]:
    """The points of all queries, each with its query's id, by time: one GetMetricData call and its pages."""
    pages = (
        account.client("cloudwatch")
        .get_paginator("get_metric_data")
        .paginate(MetricDataQueries=queries, StartTime=start, EndTime=end, ScanBy="TimestampAscending")
    )
    for page in pages:
        for result in page["MetricDataResults"]:
            for at, value in zip(result["Timestamps"], result["Values"], strict=True):
                yield result["Id"], at, value


def query(
    id: str,
    metric: str,
    stat: str,
    dimensions: Sequence[Mapping[str, str]],
    *,
    namespace: str = NAMESPACE,
    period: int = PERIOD,
    returned: bool = True,
) -> dict[str, Any]:
    """A metric as GetMetricData and alarms ask for it; what is not `returned` is there for expressions alone."""
    named = {"Namespace": namespace, "MetricName": metric, "Dimensions": dimensions}
    return {"Id": id, "MetricStat": {"Metric": named, "Period": period, "Stat": stat}, "ReturnData": returned}


def of_balancer(balancer: Balancer) -> list[dict[str, str]]:
    """The dimensions of what the whole load balancer measures."""
    return [{"Name": "LoadBalancer", "Value": balancer.dimension}]


def of_group(balancer: Balancer, group: str) -> list[dict[str, str]]:
    """The dimensions of what it measures of a target group."""
    return [*of_balancer(balancer), {"Name": "TargetGroup", "Value": dimension(balancer.groups[group].arn)}]


def closed(now: datetime, *, lag: timedelta) -> datetime:
    """The end of the newest minute that can be trusted: closed, and older than the metrics' lag."""
    return (now - lag).replace(second=0, microsecond=0)


def _unchosen(found: Mapping[str, float]) -> float:
    answered = sum(value for id, value in found.items() if id.startswith("answered"))
    return max(0.0, found.get("own", 0.0) - max(0.0, found.get("requests", 0.0) - answered))


def _untargeted(at: datetime, found: Mapping[str, float]) -> Minute:
    failed = _unchosen(found)
    return Minute(at, NO_GROUP, failed, failed, 0.0, *[None] * 5)


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
