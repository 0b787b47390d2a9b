"""What Amazon ECS tells EventBridge: of tasks, of what services do, and of rolling deployments.

Sources: ECS developer guide, ecs_task_events, ecs_service_events and ecs_service_deployment_events (which are about
rolling deployments: those of CodeDeploy are told by CodeDeploy).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.services.ecs.store import Service, Task, TaskSet

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

SOURCE = "aws.ecs"


def task_changed(world: World, task: Task) -> None:
    """A task has another status, or is wanted in another one."""
    from runbook_lib.sandbox.services import events
    from runbook_lib.sandbox.services.ecs import task_view

    if events.heard(world, SOURCE):
        shown = task_view.described(world, task)
        detail = {key: value for key, value in shown.items() if key != "tags"} | {"updatedAt": world.datetime()}
        _emit(world, "ECS Task State Change", task.arn, _plain(detail))


def acted(world: World, service: Service, kind: str, name: str, reason: str = "") -> None:
    """A service did something, or could not: INFO, WARN or ERROR and the name of the event."""
    detail = {"eventType": kind, "eventName": name, "clusterArn": service.cluster, "createdAt": world.datetime()}
    _emit(world, "ECS Service Action", service.arn, _plain(detail | ({"reason": reason} if reason else {})))


def deployment_changed(world: World, service: Service, deployment: TaskSet, state: str) -> None:
    """A rolling deployment is IN_PROGRESS, COMPLETED or FAILED."""
    if service.controller != "ECS":
        return
    detail = {
        "eventType": "ERROR" if state == "FAILED" else "INFO",
        "eventName": f"SERVICE_DEPLOYMENT_{state}",
        "deploymentId": deployment.id,
        "updatedAt": world.datetime(),
        "reason": deployment.rollout_reason or f"ECS deployment {deployment.id} in progress.",
    }
    _emit(world, "ECS Deployment State Change", service.arn, _plain(detail))


def _emit(world: World, detail_type: str, resource: str, detail: dict[str, Any]) -> None:
    from runbook_lib.sandbox.services import events

    if events.heard(world, SOURCE):
        events.emit(world, source=SOURCE, detail_type=detail_type, resources=[resource], detail=detail)


def _plain(value: Any) -> Any:
    """As JSON: times as texts."""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%S}.{value.microsecond // 1000:03d}Z"
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value
