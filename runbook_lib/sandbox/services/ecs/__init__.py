"""Amazon ECS that behaves: services with either controller, task sets, and tasks that start, serve, fail and stop."""

from __future__ import annotations

from runbook_lib.sandbox.services.ecs import (
    clusters,
    definitions,
    interfaces,
    launching,
    scheduler,
    service_creation,
    service_deployments,
    service_update,
    services,
    settings,
    stopping,
    tags,
    tasks,
)
from runbook_lib.sandbox.services.ecs.definitions import register_task_definition, task_definition
from runbook_lib.sandbox.services.ecs.launching import processes_refused, processes_started
from runbook_lib.sandbox.services.ecs.lookup import find_definition
from runbook_lib.sandbox.services.ecs.probing import answers, tasks_behind
from runbook_lib.sandbox.services.ecs.scheduler import target_changed
from runbook_lib.sandbox.services.ecs.service_update import rolling_state, set_desired_count, update_service_image
from runbook_lib.sandbox.services.ecs.stopping import container_exited, processes_gone
from runbook_lib.sandbox.services.ecs.store import EcsStore, Service, Task, TaskSet
from runbook_lib.sandbox.services.ecs.task_sets import (
    computed_desired,
    create_task_set,
    delete_task_set,
    pending_count,
    running_count,
    service,
    set_primary,
    task_sets,
)

STORE = EcsStore
OPERATIONS = {
    **clusters.OPERATIONS,
    **definitions.OPERATIONS,
    **service_creation.OPERATIONS,
    **service_update.OPERATIONS,
    **services.OPERATIONS,
    **service_deployments.OPERATIONS,
    **tasks.OPERATIONS,
    **tags.OPERATIONS,
    **settings.OPERATIONS,
}
HANDLERS = {
    "ecs.task_step": launching.task_step,
    "ecs.task_ends": stopping.task_ends,
    "ecs.reconcile": scheduler.reconcile,
    "ecs.grace_over": scheduler.grace_over,
    "ecs.containers_checked": scheduler.containers_checked,
    "ecs.interface_gone": interfaces.interface_gone,
}

__all__ = [
    "HANDLERS",
    "OPERATIONS",
    "STORE",
    "Service",
    "Task",
    "TaskSet",
    "answers",
    "computed_desired",
    "container_exited",
    "create_task_set",
    "delete_task_set",
    "find_definition",
    "interfaces",
    "pending_count",
    "processes_gone",
    "processes_refused",
    "processes_started",
    "register_task_definition",
    "rolling_state",
    "running_count",
    "service",
    "set_desired_count",
    "set_primary",
    "target_changed",
    "task_definition",
    "task_sets",
    "tasks_behind",
    "update_service_image",
]
