"""Load against capacity: how busy the tasks were, what one of them can carry, and which size would do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from statistics import median
from typing import Any

from runbook_lib import cost
from runbook_lib.account import Account
from runbook_lib.alarm import NAMESPACE as ELB
from runbook_lib.balancer import Balancer, dimension
from runbook_lib.documents.taskdef import fargate
from runbook_lib.system import System

ECS = "AWS/ECS"
BUSY = 70.0  # percent of CPU that a task is meant to reach at its peak: what target tracking is usually set to
SPARE = 1.3  # times the peak of memory that a size must offer: what is over is killed
FEW = 10  # minutes with traffic, below which nothing is said of capacity


@dataclass(frozen=True)
class Minute:
    """A minute of a service: requests of both target groups, tasks that live, CPU and memory in percent of its size."""

    at: datetime
    requests: float | None
    tasks: float | None
    cpu: float | None
    memory: float | None


@dataclass(frozen=True)
class Usage:
    """The minutes of a service, oldest first; `cpu_units` and `memory_mib` are the size of a task."""

    minutes: tuple[Minute, ...]
    cpu_units: int
    memory_mib: int

    def peak(self, name: str) -> float | None:
        """The highest value of a figure; None where it was never measured."""
        return max((value for minute in self.minutes if (value := getattr(minute, name)) is not None), default=None)

    def usual(self, name: str) -> float | None:
        """The median of a figure; None where it was never measured."""
        found = [value for minute in self.minutes if (value := getattr(minute, name)) is not None]
        return median(found) if found else None


@dataclass(frozen=True)
class Load:
    """What a task carries: CPU at rest and for each request a second, and the requests a second until it is busy."""

    idle_percent: float
    percent_per_rps: float
    rps_per_task: float


@dataclass(frozen=True)
class Size:
    """A size of a task that would do, the number of tasks, and what they cost a month."""

    cpu_units: int
    memory_mib: int
    tasks: int
    usd_month: float
    why: str


def read_usage(account: Account, system: System, lb: Balancer, *, start: datetime, end: datetime) -> Usage:
    """The usage of the service behind CodeDeploy: one GetMetricData call (and its pages).

    Metrics: ECS developer guide, available-metrics; the utilisation is that of the service's tasks together, against
    what they reserve.
    """
    service = [{"Name": "ClusterName", "Value": system.cluster}, {"Name": "ServiceName", "Value": system.service}]
    pair = {f"requests{n}": lb.groups[name] for n, name in enumerate(system.target_groups) if name in lb.groups}
    asked = {
        **{id: (ELB, "RequestCount", "Sum", _of_group(lb, group.arn)) for id, group in pair.items()},
        "tasks": (ECS, "LiveTaskCount", "Maximum", service),
        "cpu": (ECS, "CPUUtilization", "Average", service),
        "memory": (ECS, "MemoryUtilization", "Maximum", service),
    }
    pages = (
        account.client("cloudwatch")
        .get_paginator("get_metric_data")
        .paginate(
            MetricDataQueries=[_query(name, *what) for name, what in asked.items()],
            StartTime=start,
            EndTime=end,
            ScanBy="TimestampAscending",
        )
    )
    points: dict[datetime, dict[str, float]] = {}
    for page in pages:
        for result in page["MetricDataResults"]:
            for at, value in zip(result["Timestamps"], result["Values"], strict=True):
                points.setdefault(at, {})[result["Id"]] = value
    minutes = tuple(_minute(at, points[at], tuple(pair)) for at in sorted(points))
    size = system.params.service
    return Usage(minutes, fargate.cpu_units(size.cpu) or 0, fargate.memory_mib(size.memory) or 0)


def load(usage: Usage) -> Load | None:
    """What a task carries, by least squares of CPU over requests per task; None where the minutes do not tell.

    They do not when there are fewer than ten with traffic, or when CPU did not rise with the requests.  Minutes beside
    a change in the number of tasks are left out: a task that lived for a part of a minute counts as a whole one.
    """
    steady = [
        now
        for before, now, after in zip(usage.minutes, usage.minutes[1:], usage.minutes[2:], strict=False)
        if before.tasks == now.tasks == after.tasks
    ]
    pairs = [(m.requests / 60 / m.tasks, m.cpu) for m in steady if m.requests and m.tasks and m.cpu is not None]
    if len(pairs) < FEW:
        return None
    slope, idle = _line(pairs)
    if slope <= 0:
        return None
    return Load(idle, slope, (BUSY - idle) / slope)


def tasks_for(found: Load, requests_per_second: float) -> int:
    """How many tasks carry so many requests a second without being busy; two at least, for one may fail."""
    return max(2, ceil(requests_per_second / found.rps_per_task)) if found.rps_per_task > 0 else 2


def sizes(system: System, usage: Usage, found: Load) -> tuple[Size, ...]:
    """The sizes of Fargate that would carry the peak, the cheapest first.

    CPU for each request is taken to be the same on every size, and memory not to depend on the requests: so it is with
    a small service, and a load test says whether it is with this one.
    """
    peak, memory = (usage.peak("requests") or 0) / 60, usage.peak("memory")
    if memory is None or not usage.cpu_units:
        return ()
    wanted = SPARE * memory / 100 * usage.memory_mib
    options = []
    for cpu in fargate.all_cpu():
        fits = [offer for offer in fargate.memory_for(cpu) if offer >= wanted]
        if fits:
            scale = usage.cpu_units / cpu
            there = Load(found.idle_percent * scale, found.percent_per_rps * scale, found.rps_per_task / scale)
            count = tasks_for(there, peak)
            usd = cost.tasks(system, count, cpu=cpu, memory=fits[0])
            why = f"{there.rps_per_task:.0f} requests a second each, {fits[0]} MiB for a peak of {wanted / SPARE:.0f}"
            options.append(Size(cpu, fits[0], count, usd, why))
    return tuple(sorted(options, key=lambda one: (one.usd_month, one.cpu_units)))


def second_environment(system: System, spans: Sequence[tuple[timedelta, int]]) -> float:
    """What the second environment of a release cost on average, in USD: how long both stood, and how many tasks."""
    usd = [cost.tasks(system, tasks, span.total_seconds() / 3600) for span, tasks in spans]
    return sum(usd) / len(usd) if usd else 0.0


def _of_group(lb: Balancer, group: str) -> list[dict[str, str]]:
    return [{"Name": "LoadBalancer", "Value": lb.dimension}, {"Name": "TargetGroup", "Value": dimension(group)}]


def _minute(at: datetime, found: Mapping[str, float], requests: Sequence[str]) -> Minute:
    """A minute; its requests are those of both target groups."""
    counts = [found[name] for name in requests if name in found]
    return Minute(at, sum(counts) if counts else None, found.get("tasks"), found.get("cpu"), found.get("memory"))


def _query(name: str, namespace: str, metric: str, stat: str, dimensions: list[dict[str, str]]) -> dict[str, Any]:
    named = {"Namespace": namespace, "MetricName": metric, "Dimensions": dimensions}
    return {"Id": name, "MetricStat": {"Metric": named, "Period": 60, "Stat": stat}}


def _line(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Slope and intercept of the line through points, by least squares; slope 0 where all x are the same."""
    many = len(pairs)
    mean_x, mean_y = (sum(pair[axis] for pair in pairs) / many for axis in (0, 1))
    spread = sum((x - mean_x) ** 2 for x, _ in pairs)
    if spread == 0:
        return 0.0, mean_y
    slope = sum((x - mean_x) * (y - mean_y) for x, y in pairs) / spread
    return slope, mean_y - slope * mean_x
