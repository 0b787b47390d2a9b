"""Load against capacity: how busy the tasks were, what one of them can carry, and which size would do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil
from statistics import median

from runbook_lib import cost, metric
from runbook_lib.account import Account
from runbook_lib.balancer import Balancer
from runbook_lib.cost import TaskSize
from runbook_lib.documents.taskdef import fargate
from runbook_lib.system import System

ECS = "AWS/ECS"
# Of each target group: (CloudWatch metric, statistic); ELB user guide, load-balancer-cloudwatch-metrics.  Targets that
# come or go in a minute count for it: they took the requests that it shows.
SIDE = {"requests": ("RequestCount", "Sum"), "healthy": ("HealthyHostCount", "Maximum")}
BUSY = 70.0  # percent of CPU that a task is meant to reach at its peak: what target tracking is usually set to
SPARE = 1.3  # times the peak of memory that a size must offer: what is over is killed
FEW = 10  # minutes with traffic, below which nothing is said of capacity
SURE = 3  # standard errors by which the rise of CPU must differ from none
LEAST = 2  # tasks: one may fail


@dataclass(frozen=True)
class Load:
    """What a task carries: percent of CPU at rest and for each request a second."""

    idle_percent: float
    percent_per_rps: float

    @property
    def rps_per_task(self) -> float:
        """Requests a second until a task is busy; 0 where it is so at rest."""
        return max(0.0, (BUSY - self.idle_percent) / self.percent_per_rps)

    def on(self, factor: float) -> Load:
        """The same work on a task of so many times the CPU: both what it takes at rest and for a request shrink."""
        return Load(self.idle_percent / factor, self.percent_per_rps / factor)


@dataclass(frozen=True)
class Side:
    """What a target group had in a minute: requests, and healthy targets (None: not measured)."""

    group: str
    requests: float
    healthy: float | None


@dataclass(frozen=True)
class Minute:
    """A minute of a service: requests of both target groups, tasks that live, CPU and memory in percent of its size."""

    at: datetime
    requests: float | None
    tasks: float | None
    cpu: float | None
    memory: float | None
    sides: tuple[Side, ...] = ()

    def carries(self, found: Load) -> float | None:
        """The requests a second at which the first target group is busy, with the traffic split as it was.

        A target group without traffic carries none, however many tasks it has: idle green before its shift, or blue
        while it waits to be terminated.  None without requests, and where healthy targets were not measured.
        """
        serving = [side for side in self.sides if side.requests]
        whole = sum(side.requests for side in serving)
        limits = [None if one.healthy is None else one.healthy * whole / one.requests for one in serving]
        known = [limit for limit in limits if limit is not None]
        return min(known) * found.rps_per_task if known and len(known) == len(limits) else None

    def beside(self, found: Load) -> float:
        """What the tasks of the other environment could carry by themselves: of all target groups but the busiest."""
        by_traffic = sorted(self.sides, key=lambda side: side.requests)
        return sum(side.healthy or 0 for side in by_traffic[:-1]) * found.rps_per_task


@dataclass(frozen=True)
class Usage:
    """The minutes of a service, oldest first; tasks have had this `size` since `sized`, None: in all of them."""

    minutes: tuple[Minute, ...]
    size: TaskSize
    sized: datetime | None = None

    @property
    def alike(self) -> tuple[Minute, ...]:
        """The minutes whose percentages are of the size that tasks have now."""
        return tuple(minute for minute in self.minutes if self.sized is None or minute.at >= self.sized)

    def peak(self, name: str) -> float | None:
        """The highest value of a figure; None where it was never measured."""
        return max((value for minute in self._of(name) if (value := getattr(minute, name)) is not None), default=None)

    def usual(self, name: str) -> float | None:
        """The median of a figure; None where it was never measured."""
        found = [value for minute in self._of(name) if (value := getattr(minute, name)) is not None]
        return median(found) if found else None

    def _of(self, name: str) -> tuple[Minute, ...]:
        """CPU and memory are percentages of a size: of another one they would say something else."""
        return self.alike if name in ("cpu", "memory") else self.minutes


@dataclass(frozen=True)
class Size:
    """A size of a task, the number of tasks that carry the peak (None: none does), and what they cost a month."""

    size: TaskSize
    tasks: int | None
    usd_month: float | None
    why: str


def read_usage(
    account: Account, system: System, lb: Balancer, size: TaskSize, *, start: datetime, end: datetime
) -> Usage:
    """The usage of the service behind CodeDeploy, whose tasks have a size: one GetMetricData call (and its pages).

    Metrics: ECS developer guide, available-metrics; the utilisation is that of the service's tasks together, against
    what they reserve.
    """
    service = [{"Name": "ClusterName", "Value": system.cluster}, {"Name": "ServiceName", "Value": system.service}]
    names = [name for name in system.target_groups if name in lb.groups]
    of_groups = {
        f"{series}{n}": (metric.NAMESPACE, name, stat, metric.of_group(lb, group))
        for n, group in enumerate(names)
        for series, (name, stat) in SIDE.items()
    }
    asked = {
        **(of_groups if lb.arn else {}),
        "tasks": (ECS, "LiveTaskCount", "Maximum", service),
        "cpu": (ECS, "CPUUtilization", "Average", service),
        "memory": (ECS, "MemoryUtilization", "Maximum", service),
    }
    queries = [metric.query(id, name, stat, where, namespace=space) for id, (space, name, stat, where) in asked.items()]
    points: dict[datetime, dict[str, float]] = {}
    for id, at, value in metric.read_points(account, queries, start, end):
        points.setdefault(at, {})[id] = value
    minutes = [_minute(at, points[at], names) for at in sorted(points)]
    around = zip((None, *minutes), minutes, (*minutes[1:], None), strict=False)
    return Usage(tuple(_leaving(*three) for three in around), size)


def load(usage: Usage) -> Load | None:
    """What a task carries, by least squares of CPU over requests per task; None where the minutes do not tell.

    They do not when there are fewer than ten with traffic, or when CPU did not rise with the requests beyond doubt.
    Minutes beside a change in the number of tasks are left out: a task that lived for a part of a minute counts as a
    whole one.
    """
    minutes = usage.alike
    steady = [
        now
        for before, now, after in zip(minutes, minutes[1:], minutes[2:], strict=False)
        if before.tasks == now.tasks == after.tasks
    ]
    pairs = [(m.requests / 60 / m.tasks, m.cpu) for m in steady if m.requests and m.tasks and m.cpu is not None]
    return _line(pairs) if len(pairs) >= FEW else None


def tasks_for(found: Load, requests_per_second: float) -> int | None:
    """How many tasks carry so many requests a second without being busy; None where they are busy at rest."""
    each = found.rps_per_task
    return max(LEAST, ceil(requests_per_second / each)) if each > 0 else None


def sizes(system: System, usage: Usage, found: Load) -> tuple[Size, ...]:
    """The sizes of Fargate that would carry the peak, the cheapest first, and today's whether it does or not.

    CPU at rest and for each request is taken to be the same work on every size, and memory not to depend on the
    requests: so it is with a small service, and a load test says whether it is with this one.
    """
    peak, memory, now = (usage.peak("requests") or 0) / 60, usage.peak("memory"), usage.size
    if memory is None or not now.cpu_units:
        return ()
    used = memory / 100 * now.memory_mib
    offered = [
        TaskSize(cpu, next(offer for offer in fargate.memory_for(cpu) if offer >= SPARE * used), now.arm)
        for cpu in fargate.all_cpu()
        if fargate.memory_for(cpu)[-1] >= SPARE * used
    ]
    options = [_option(system, usage, found, size, peak, used) for size in dict.fromkeys((now, *offered))]
    fitting = [one for one in options if one.tasks is not None or one.size == now]
    return tuple(sorted(fitting, key=lambda one: (one.usd_month is None, one.usd_month or 0.0, one.size.cpu_units)))


def second_environment(system: System, size: TaskSize, spans: Sequence[tuple[timedelta, int]]) -> float | None:
    """What the second environment of a release cost on average, in USD: how long both stood, and how many tasks.

    None without a release.
    """
    usd = [cost.tasks(system, tasks, span.total_seconds() / 3600, size=size) for span, tasks in spans]
    return sum(usd) / len(usd) if usd else None


def _option(system: System, usage: Usage, found: Load, size: TaskSize, peak: float, used: float) -> Size:
    there = found.on(size.cpu_units / usage.size.cpu_units)
    count = tasks_for(there, peak)
    room = f"memory {size.memory_mib} MiB for a peak of {used:.0f}"
    if size.memory_mib < SPARE * used:
        room += f", less than {SPARE:g} times of it"
    if count is None:
        return Size(size, None, None, f"no number of them: at rest its CPU is at {there.idle_percent:.0f} %; {room}")
    busy = f"at rest its CPU is at {there.idle_percent:.1f} %, {there.rps_per_task:.0f} requests a second each"
    return Size(size, count, cost.tasks(system, count, size=size), f"{busy}; {room}")


def _minute(at: datetime, found: Mapping[str, float], groups: Sequence[str]) -> Minute:
    """A minute; its requests are those of both target groups."""
    counts = [found[f"requests{n}"] for n in range(len(groups)) if f"requests{n}" in found]
    sides = tuple(Side(name, found.get(f"requests{n}", 0.0), found.get(f"healthy{n}")) for n, name in enumerate(groups))
    return Minute(at, sum(counts) if counts else None, found.get("tasks"), found.get("cpu"), found.get("memory"), sides)


def _leaving(before: Minute | None, now: Minute, after: Minute | None) -> Minute:
    """A minute in which a target group had its last requests: that its targets left in it is no lack of them.

    It had those of the minute before; where requests go on without a healthy target, none is what there is.
    """
    had = {side.group: side.healthy for side in before.sides} if before else {}
    goes_on = {side.group for side in after.sides if side.requests} if after else set(had)

    def left(side: Side) -> bool:
        return bool(side.requests) and not side.healthy and side.group not in goes_on

    return replace(
        now, sides=tuple(replace(side, healthy=had.get(side.group)) if left(side) else side for side in now.sides)
    )


def _line(pairs: Sequence[tuple[float, float]]) -> Load | None:
    """The line through points by least squares; None where it does not rise beyond doubt.

    What is at rest below zero is none: then the line begins there.
    """
    many = len(pairs)
    mean_x, mean_y = (sum(pair[axis] for pair in pairs) / many for axis in (0, 1))
    spread = sum((x - mean_x) ** 2 for x, _ in pairs)
    if spread == 0:
        return None
    slope = sum((x - mean_x) * (y - mean_y) for x, y in pairs) / spread
    rest = mean_y - slope * mean_x
    misses = sum((y - rest - slope * x) ** 2 for x, y in pairs)
    if slope <= SURE * (misses / (many - 2) / spread) ** 0.5:
        return None
    if rest < 0:
        return Load(0.0, sum(x * y for x, y in pairs) / sum(x * x for x, _ in pairs))
    return Load(rest, slope)
