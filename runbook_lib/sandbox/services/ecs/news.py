"""What a service says about itself: the newest hundred events, in AWS's words.

Source: ECS developer guide, service-event-messages-list.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from runbook_lib.sandbox.services.ecs import notices
from runbook_lib.sandbox.services.ecs.store import Event, Service, Task, TaskSet, store

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

KEPT = 100
BACK_OFF = (
    "is unable to consistently start tasks successfully. For more information, see the Troubleshooting section of the "
    "Amazon ECS Developer Guide."
)
BLOCKED = (
    "was unable to stop or start tasks during a deployment because of the service deployment configuration. Update the "
    "minimumHealthyPercent or maximumPercent value and try again."
)
NO_INSTANCES = (
    "was unable to place a task because no container instance met all of its requirements. Reason: No Container "
    "Instances were found in your cluster. For more information, see the Troubleshooting section of the Amazon ECS "
    "Developer Guide."
)
# The messages that EventBridge hears of, too (ECS developer guide, ecs_service_events).
ACTIONS = {
    "has reached a steady state.": ("INFO", "SERVICE_STEADY_STATE"),
    "updated state to STEADY_STATE.": ("INFO", "TASKSET_STEADY_STATE"),
    BACK_OFF: ("WARN", "SERVICE_TASK_START_IMPAIRED"),
    NO_INSTANCES: ("ERROR", "SERVICE_TASK_PLACEMENT_FAILURE"),
}


def say(world: World, service: Service, message: str, task_set: TaskSet | None = None) -> None:
    """Add an event; one about a task set names it where CodeDeploy controls the service."""
    named = f", taskSet {task_set.id}" if task_set and service.controller == "CODE_DEPLOY" else ""
    event = Event(world.ids.uuid("service-event"), world.now, f"(service {service.name}{named}) {message}")
    kept = store(world).events.setdefault(service.arn, [])
    kept.insert(0, event)
    del kept[KEPT:]
    if message in ACTIONS:
        notices.acted(world, service, *ACTIONS[message])


def say_once(world: World, service: Service, message: str, task_set: TaskSet | None = None) -> None:
    """Add an event unless it is the newest one already."""
    newest = next(iter(store(world).events.get(service.arn, ())), None)
    if newest is None or not newest.message.endswith(f") {message}"):
        say(world, service, message, task_set)


def say_of(world: World, tasks: Sequence[Task], message: str) -> None:
    """Add an event to the service of these tasks of one set, if they have one."""
    if tasks[0].service:
        say(world, store(world).services[tasks[0].service], message, store(world).task_sets.get(tasks[0].started_by))


def named(tasks: Sequence[Task]) -> str:
    """Tasks as events name them: (task a) (task b)."""
    return " ".join(f"(task {task.id})" for task in tasks)
