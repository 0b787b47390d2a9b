"""Task sets as CodeDeploy makes, promotes and deletes them.

Sources: ECS API reference, TaskSet; CodeDeploy user guide, deployment-steps-ecs. Errors are those that ECS would answer
to CodeDeploy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.ecs import lookup, rolling, scheduler, service_rules
from runbook_lib.sandbox.services.ecs.store import (
    Service,
    TaskSet,
    change_service,
    change_set,
    put,
    sets_of,
    store,
    tasks_of,
)

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World


@dataclass(frozen=True)
class TaskSetState:
    """A task set as it stands now; `target_group` is an ARN."""

    id: str
    status: str  # PRIMARY, ACTIVE, DRAINING
    task_definition: str  # ARN
    target_group: str | None
    container: str | None
    port: int | None
    desired: int
    pending: int
    running: int
    steady: bool
    external_id: str | None
    platform_version: str
    created: float


def service(world: World, cluster: str, name: str) -> Service:
    """An active service; raises AwsError as ECS does when there is none."""
    return lookup.service(world, cluster, name)


def task_sets(world: World, cluster: str, name: str) -> tuple[TaskSetState, ...]:
    """The task sets of a service, the primary one first."""
    found = service(world, cluster, name)
    return tuple(_state(world, found, one) for one in sets_of(world, found.arn))


def _state(world: World, found: Service, one: TaskSet) -> TaskSetState:
    tasks = tasks_of(world, task_set=one.id)
    binding = one.bindings[0] if one.bindings else None
    return TaskSetState(
        id=one.id,
        status=one.status,
        task_definition=one.task_definition,
        target_group=binding.target_group if binding else None,
        container=binding.container if binding else None,
        port=binding.port if binding else None,
        desired=scheduler.wanted(found, one),
        pending=sum(task.counts_as_pending for task in tasks),
        running=sum(task.counts_as_running for task in tasks),
        steady=one.steady,
        external_id=one.external_id,
        platform_version=one.platform_version,
        created=one.created,
    )


def create_task_set(
    world: World,
    *,
    cluster: str,
    service: str,
    task_definition: str,
    target_group_arn: str,
    container: str,
    port: int,
    external_id: str,
    network: Mapping[str, Any] | None = None,
    platform_version: str | None = None,
) -> str:
    """Start the tasks of a revision beside the primary ones; the id of their set.

    `network` is a networkConfiguration; without it and without a platform version the primary set's hold.
    Raises AwsError: a revision, container, port or target group that does not suit.
    """
    found = lookup.service(world, cluster, service)
    _must_be_code_deploys(found)
    primary = store(world).task_sets[found.primary]
    definition = lookup.startable_definition(world, task_definition)
    asked = {"targetGroupArn": target_group_arn, "containerName": container, "containerPort": port}
    made = TaskSet(
        id=rolling.new_id(world),
        service=found.arn,
        status="ACTIVE",
        task_definition=definition["taskDefinitionArn"],
        bindings=(service_rules.checked_binding(world, asked, definition),),
        network=service_rules.network(world, {"networkConfiguration": network}, definition)
        if network
        else primary.network,
        platform_version=service_rules.platform_version(
            {"platformVersion": platform_version or primary.platform_version or "LATEST"}, found.launch_type
        ),
        created=world.now,
        updated=world.now,
        external_id=external_id,
        started_by="CODE_DEPLOY",
        steady_changed=world.now,
    )
    service_rules.check_roles(world, definition)
    put(world, made)
    scheduler.reconcile(world, found.arn)
    return made.id


def set_primary(world: World, *, cluster: str, service: str, task_set_id: str) -> None:
    """Let a task set be the one that serves production; the former one is ACTIVE from now on."""
    found = lookup.service(world, cluster, service)
    new = _known(world, found, task_set_id)
    if new.status == "DRAINING":
        raise AwsError("InvalidParameterException", f"The task set {task_set_id} is draining.")
    if new.id == found.primary:
        return
    change_set(world, found.primary, status="ACTIVE")
    change_set(world, new.id, status="PRIMARY")
    change_service(world, found.arn, primary=new.id)
    scheduler.reconcile(world, found.arn)


def delete_task_set(world: World, *, cluster: str, service: str, task_set_id: str) -> None:
    """Let the tasks of a set drain and stop; the set is gone after them. The primary one cannot go."""
    found = lookup.service(world, cluster, service)
    old = _known(world, found, task_set_id)
    if old.id == found.primary:
        raise AwsError("InvalidParameterException", "The primary task set cannot be deleted.")
    change_set(world, old.id, status="DRAINING")
    scheduler.reconcile(world, found.arn)


def _must_be_code_deploys(found: Service) -> None:
    if found.controller != "CODE_DEPLOY":
        message = f"The service {found.name} does not have the CODE_DEPLOY deployment controller."
        raise AwsError("InvalidParameterException", message)


def _known(world: World, found: Service, task_set_id: str) -> TaskSet:
    _must_be_code_deploys(found)
    known = store(world).task_sets.get(task_set_id)
    if known is None or known.service != found.arn:
        raise AwsError("TaskSetNotFoundException", "The specified task set wasn't found.")
    return known
