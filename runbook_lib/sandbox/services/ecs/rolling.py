"""Rolling deployments of services with the ECS controller: new tasks come, old ones go, within two percentages.

Sources: ECS developer guide, deployment-type-ecs and deployment-circuit-breaker (threshold: half of the desired count,
3 at least and 200 at most).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.services.ecs import history, news, notices, readiness, scheduler
from runbook_lib.sandbox.services.ecs.store import (
    Binding,
    Network,
    Service,
    Task,
    TaskSet,
    change_service,
    change_set,
    put,
    sets_of,
    store,
)

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

LEAST_FAILURES, MOST_FAILURES = 3, 200
FAILED_TO_START = "tasks failed to start."


@dataclass(frozen=True)
class Wanted:
    """What the tasks of a set are to be."""

    task_definition: str  # ARN
    bindings: tuple[Binding, ...]
    network: Network | None
    platform_version: str
    capacity: tuple[Mapping[str, Any], ...] = ()


def balance(world: World, service: Service) -> None:
    """Stop old tasks as far as enough healthy ones remain, and start new ones as far as there is room."""
    primary, *others = sets_of(world, service.arn)
    new = scheduler.live(world, primary)
    if primary.rollout == "FAILED":
        return
    if len(new) > service.desired:
        scheduler.bring_to(world, primary, service.desired)
        new = new[: service.desired]
    old = [task for other in others for task in scheduler.live(world, other)]
    leaving = _leaving(world, service, new, old)
    if leaving:
        scheduler.stop(world, leaving, f"Scaling activity initiated by (deployment {primary.id})")
    missing = service.desired - len(new)
    room = _most(service) - len(new) - len(old) + len(leaving)
    if min(missing, room) > 0:
        scheduler.start(world, primary, min(missing, room))
    elif missing > 0 and not leaving:
        news.say_once(world, service, news.BLOCKED)


def _most(service: Service) -> int:
    return math.floor(service.desired * service.maximum_percent / 100)


def _leaving(world: World, service: Service, new: Sequence[Task], old: Sequence[Task]) -> list[Task]:
    """The old tasks that can go now: sick ones at once, well ones as new ones become healthy or to make room."""
    well = [task for task in old if readiness.ready(world, task)]
    ready = sum(readiness.ready(world, task) for task in new)
    least = math.ceil(service.desired * service.minimum_percent / 100)
    lacking_room = (service.desired - len(new)) - (_most(service) - len(new) - len(well))
    surplus = max(ready + len(well) - service.desired, lacking_room, 0)
    count = min(surplus, max(ready + len(well) - least, 0), len(well))
    return [task for task in old if task not in well] + well[len(well) - count :]


def begin(world: World, service: Service, new: TaskSet) -> None:
    """Make a task set the newest deployment of its service."""
    old = store(world).task_sets.get(service.primary)
    if old:
        change_set(world, old.id, status="ACTIVE")
    put(world, new)
    change_service(world, service.arn, primary=new.id, settled=False)
    notices.deployment_changed(world, service, new, "IN_PROGRESS")


def conclude(world: World, service: Service) -> None:
    """See whether the newest deployment is complete, and whether the service is steady."""
    primary, *others = sets_of(world, service.arn)
    settled = primary.steady and not others
    if settled and primary.rollout == "IN_PROGRESS":
        reason = f"ECS deployment {primary.id} completed."
        primary = change_set(world, primary.id, rollout="COMPLETED", rollout_reason=reason)
        rolled = service.rolled if service.rolled == "FAILED" else "COMPLETED"
        service = change_service(world, service.arn, rolled=rolled, last_good=primary)
        history.completed(world, service)
        news.say(world, service, f"(deployment {primary.id}) deployment completed.")
        notices.deployment_changed(world, service, primary, "COMPLETED")
    if settled and not service.settled:
        news.say(world, service, "has reached a steady state.")
    if settled != service.settled:
        change_service(world, service.arn, settled=settled)


def judge(world: World, task_set: TaskSet) -> None:
    """The circuit breaker: too many failed tasks in a row end a deployment, and the last good one comes back."""
    service = store(world).services[task_set.service]
    watched = service.controller == "ECS" and service.primary == task_set.id and task_set.rollout == "IN_PROGRESS"
    if not watched or not service.circuit_breaker.get("enable") or task_set.failed_tasks < threshold(service):
        return
    reason = f"ECS deployment circuit breaker: {FAILED_TO_START}"
    failed = change_set(world, task_set.id, rollout="FAILED", rollout_reason=reason)
    service = change_service(world, service.arn, rolled="FAILED")
    news.say(world, service, f"(deployment {task_set.id}) deployment failed: {FAILED_TO_START}")
    notices.deployment_changed(world, service, failed, "FAILED")
    if service.circuit_breaker.get("rollback") and service.last_good:
        back = f"ECS deployment circuit breaker: rolling back to deploymentId {service.last_good.id}."
        roll_back(world, service, service.last_good, back)
    else:
        history.failed(world, service, reason)


def threshold(service: Service) -> int:
    """How many failed tasks in a row trigger the circuit breaker."""
    return min(max(math.ceil(service.desired / 2), LEAST_FAILURES), MOST_FAILURES)


def roll_back(world: World, service: Service, good: TaskSet, reason: str) -> None:
    """Let the last good deployment be the newest again: with its tasks, if there are any left."""
    known = store(world).task_sets.get(good.id)
    again = known or replace(good, id=new_id(world), created=world.now, steady=False, pinned=good.pinned)
    again = replace(
        again, status="PRIMARY", rollout="IN_PROGRESS", rollout_reason=reason, updated=world.now, failed_tasks=0
    )
    news.say(world, service, f"rolling back to (deployment {good.id}).")
    history.rolling_back(world, service, good, again, reason)
    begin(world, service, again)


def fresh(world: World, service: Service, wanted: Wanted) -> TaskSet:
    """A primary set without tasks: a new rolling deployment, or the first task set of a service under CodeDeploy."""
    identity = new_id(world)
    made = TaskSet(
        id=identity,
        service=service.arn,
        status="PRIMARY",
        task_definition=wanted.task_definition,
        bindings=wanted.bindings,
        network=wanted.network,
        platform_version=wanted.platform_version,
        capacity=wanted.capacity,
        created=world.now,
        updated=world.now,
        steady_changed=world.now,
    )
    if service.controller != "ECS":
        return made
    return replace(made, rollout="IN_PROGRESS", rollout_reason=f"ECS deployment {identity} in progress.")


def new_id(world: World) -> str:
    """The id of a new deployment or task set."""
    return f"ecs-svc/{world.ids.digits('task-set', 19)}"
