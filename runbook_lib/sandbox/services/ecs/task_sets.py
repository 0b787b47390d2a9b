"""Task sets as CodeDeploy makes, promotes and deletes them.

Sources: ECS API reference, TaskSet; CodeDeploy user guide, deployment-steps-ecs. Errors are those that ECS would answer
to CodeDeploy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def service(world: World, cluster: str, name: str) -> Service:
    """An active service; raises AwsError as ECS does when there is none."""
    return lookup.service(world, cluster, name)


def task_sets(world: World, cluster: str, name: str) -> tuple[TaskSet, ...]:
    """The task sets of a service, the primary one first."""
    return sets_of(world, service(world, cluster, name).arn)


def computed_desired(world: World, task_set: TaskSet) -> int:
    """How many tasks of a set are wanted now."""
    return scheduler.wanted(store(world).services[task_set.service], task_set)


def pending_count(world: World, task_set: TaskSet) -> int:
    """How many tasks of a set are on their way up."""
    return sum(task.counts_as_pending for task in tasks_of(world, task_set=task_set.id))


def running_count(world: World, task_set: TaskSet) -> int:
    """How many tasks of a set run; those that drain still do."""
    return sum(task.counts_as_running for task in tasks_of(world, task_set=task_set.id))


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
    capacity: Sequence[Mapping[str, Any]] = (),
) -> str:
    """Start the tasks of a revision beside the primary ones; the id of their set.

    `network` is a networkConfiguration; without it and without a platform version the primary set's hold.
    Capacity providers do not: without them the set has the launch type of the service, as users report it.
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
        capacity=tuple(capacity),
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
