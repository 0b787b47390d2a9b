"""Whether a task does its work: running, and well in the eyes of its container's check and of its target groups.

Source: ECS API reference, TaskSet (stabilityStatus) and DeploymentConfiguration. A target group that no load balancer
uses cannot be checked, so it holds nobody up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.services import elbv2
from runbook_lib.sandbox.services.ecs.store import Binding, Task, store

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

WELL = ("healthy", "unused", "unavailable")


def ready(world: World, task: Task) -> bool:
    """Whether a task counts as healthy."""
    if not task.live or task.status != "RUNNING" or health_status(world, task) == "UNHEALTHY":
        return False
    if checked_containers(world, task) and health_status(world, task) != "HEALTHY":
        return False
    return all(state(world, task, binding) in WELL for binding in task.bindings)


def state(world: World, task: Task, binding: Binding) -> str:
    """The state of a task's target in one of its groups."""
    return elbv2.target_state(world, binding.target_group, ip=task.ip, port=binding.port)


def health_status(world: World, task: Task) -> str:
    """HEALTHY, UNHEALTHY or UNKNOWN: what the checks of the essential containers say together."""
    names = checked_containers(world, task)
    found = {container.health for container in task.containers if container.name in names}
    return next((status for status in ("UNHEALTHY", "UNKNOWN", "HEALTHY") if status in found), "UNKNOWN")


def checked_containers(world: World, task: Task) -> dict[str, dict[str, Any]]:
    """The essential containers that have a health check, with it."""
    definition = store(world).task_definitions[task.task_definition_arn]
    return {
        container["name"]: container["healthCheck"]
        for container in definition["containerDefinitions"]
        if container["essential"] and container.get("healthCheck", {}).get("command", ["NONE"])[0] != "NONE"
    }
