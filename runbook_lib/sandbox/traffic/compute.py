"""What Amazon ECS measures of its services: CPU and memory of the running tasks, and how many live.

Names, dimensions and units: ECS developer guide, available-metrics. How busy a task is follows from the requests
that it answered; the figures are the model's, for no container is measured.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from runbook_lib.sandbox.services.cloudwatch.histogram import Histogram
from runbook_lib.sandbox.traffic.tally import MINUTE, Tally

if TYPE_CHECKING:
    from runbook_lib.sandbox.services.ecs.store import Task
    from runbook_lib.sandbox.world import World

ECS = "AWS/ECS"
REQUESTS_PER_VCPU = 400.0  # a second, at which a small web application is busy: the model's figure, not AWS's
IDLE, MEMORY = 2.0, 35.0  # percent: the model's figures
LIVE = ("ACTIVATING", "RUNNING", "DEACTIVATING")  # what LiveTaskCount counts


def services(world: World) -> dict[str, list[Task]]:
    """The tasks of each service that are not over yet, by its ARN."""
    from runbook_lib.sandbox.services.ecs.store import store

    found: dict[str, list[Task]] = {}
    for task in store(world).tasks.values():
        if task.service and task.status != "STOPPED":
            found.setdefault(task.service, []).append(task)
    return found


def record(world: World, minute: int, tallies: Iterable[Tally]) -> None:
    """Record the minute of every service: a service without running tasks reports no use of CPU and memory."""
    answered: Counter[str] = Counter()
    for tally in tallies:
        for outcome, counts in tally.items():
            answered[outcome.target.rpartition(":")[0]] += int(counts.sum())
    for service, tasks in services(world).items():
        cluster, name = service.rpartition("service/")[2].split("/", 1)
        where = {"ClusterName": cluster, "ServiceName": name}
        for metric, (value, unit) in _measured(world, tasks, answered).items():
            _write(world, metric, where, minute, value, unit)


def _measured(world: World, tasks: list[Task], answered: Counter[str]) -> dict[str, tuple[float, str]]:
    found: dict[str, tuple[float, str]] = {}
    running = [task for task in tasks if task.status == "RUNNING" and task.ended is None]
    live = sum(task.status in LIVE for task in tasks)
    if running:
        requests = sum(answered[task.ip] for task in running)
        capacity = REQUESTS_PER_VCPU * sum(_vcpus(world, task) for task in running)
        busy = min(100.0, IDLE + 100 * requests / MINUTE / capacity)
        found |= {"CPUUtilization": (round(busy, 2), "Percent"), "MemoryUtilization": (MEMORY, "Percent")}
    if live:
        found["LiveTaskCount"] = (float(live), "Count")
    return found


def _vcpus(world: World, task: Task) -> float:
    from runbook_lib.sandbox.services import ecs

    return int(ecs.task_definition(world, task.task_definition_arn).get("cpu") or 256) / 1024


def _write(world: World, name: str, where: dict[str, str], minute: int, value: float, unit: str) -> None:
    from runbook_lib.sandbox.services import cloudwatch

    cloudwatch.record(
        world, namespace=ECS, name=name, dimensions=where, minute=minute, values=Histogram.one(value), unit=unit
    )
