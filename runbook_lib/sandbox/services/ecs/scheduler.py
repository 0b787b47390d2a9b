"""The scheduler: brings the tasks of each service to what is wanted, and replaces what fails.

Sources: ECS developer guide, ecs_services, service-throttle-logic, deployment-circuit-breaker and
service-load-balancing (grace period). Only tasks that never started make it slow down.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from runbook_lib.sandbox.services import elbv2
from runbook_lib.sandbox.services.ecs import launching, news, readiness, rolling, start_checks, stopping
from runbook_lib.sandbox.services.ecs.store import (
    Service,
    Task,
    TaskSet,
    change_service,
    change_set,
    forget_old_tasks,
    put,
    sets_of,
    store,
    tasks_of,
)

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

PATIENCE = 2  # rounds of tasks that do not start, before ECS backs off
FIRST_PAUSE, LONGEST_PAUSE = 15.0, 900.0  # seconds


def reconcile(world: World, service_arn: str) -> None:
    """Start and stop what the service lacks or has too much of, then see whether it is steady."""
    service = store(world).services.get(service_arn)
    if service is None or service.status == "INACTIVE":
        return
    if service.controller == "ECS" and service.status == "ACTIVE":
        rolling.balance(world, service)
    else:
        for task_set in sets_of(world, service_arn):
            bring_to(world, task_set, wanted(service, task_set))
    settle(world, service_arn)


def reconcile_of(world: World, tasks: Iterable[Task]) -> None:
    """Reconcile the services of these tasks."""
    for arn in dict.fromkeys(task.service for task in tasks if task.service):
        reconcile(world, arn)


def wanted(service: Service, task_set: TaskSet) -> int:
    """How many tasks of a set are wanted: its share of the desired count, none while it drains."""
    if service.status != "ACTIVE" or task_set.status == "DRAINING":
        return 0
    return -(-int(service.desired * task_set.scale) // 100)


def live(world: World, task_set: TaskSet) -> list[Task]:
    """The tasks of a set that are meant to run, the ones to keep longest first: ready ones, then older ones."""
    found = [task for task in tasks_of(world, task_set=task_set.id) if task.live]
    return sorted(found, key=lambda task: (not readiness.ready(world, task), task.created))


def bring_to(world: World, task_set: TaskSet, count: int) -> None:
    """Start or stop tasks of a set until so many are meant to run."""
    known = live(world, task_set)
    if len(known) < count:
        start(world, task_set, count - len(known))
    elif len(known) > count:
        stop(world, known[count:], f"Scaling activity initiated by (deployment {task_set.id})")


def stop(world: World, tasks: Sequence[Task], reason: str) -> None:
    """Stop tasks of a service for a reason of the scheduler's own."""
    stopping.stop(world, tasks, code="ServiceSchedulerInitiated", reason=reason)


def start(world: World, task_set: TaskSet, count: int) -> None:
    """Start tasks of a set, unless ECS waits after failures, cannot place them or may not use their roles."""
    service = store(world).services[task_set.service]
    if world.now < task_set.retry_at:
        return
    if service.launch_type != "FARGATE":
        news.say_once(world, service, news.NO_INSTANCES)
        return
    definition = store(world).task_definitions[task_set.task_definition]
    refusal = start_checks.unassumable_role(world, definition)
    if refusal:
        news.say(world, service, f"failed to launch a task with (error {refusal}).", task_set)
        _pause(world, service, task_set)
        return
    order = launching.Order(
        cluster=service.cluster,
        definition=definition,
        group=f"service:{service.name}",
        started_by=task_set.id,
        network=task_set.network,
        platform_version=task_set.platform_version,
        service=service.arn,
        bindings=task_set.bindings,
        pinned=task_set.pinned,
        tags=_task_tags(world, service, task_set),
    )
    tasks = launching.launch(world, order, count)
    news.say(world, service, f"has started {count} tasks: {news.named(tasks)}.", task_set)


def _task_tags(world: World, service: Service, task_set: TaskSet) -> dict[str, str]:
    source = {"SERVICE": service.arn, "TASK_DEFINITION": task_set.task_definition}.get(
        service.options.get("propagateTags", "NONE"), ""
    )
    own = dict(store(world).tags.get(source, {}))
    if service.options.get("enableECSManagedTags"):
        cluster = service.cluster.rpartition("/")[2]
        own |= {"aws:ecs:clusterName": cluster, "aws:ecs:serviceName": service.name}
    return own


def pin(world: World, task: Task, images: Mapping[str, str]) -> None:
    """Let later tasks of a set get the same images."""
    if task.started_by in store(world).task_sets and images:
        change_set(world, task.started_by, pinned=images)


# ---- what happens to tasks


def tasks_run(world: World, tasks: Sequence[Task]) -> None:
    """A batch runs: what failed before is forgotten; containers with a check of their own are checked."""
    task_set = store(world).task_sets.get(tasks[0].started_by)
    if task_set and task_set.failures:
        change_set(world, task_set.id, failures=0)
    _plan_container_checks(world, tasks)
    _note_ready(world, tasks)
    reconcile_of(world, tasks)


def tasks_stopped(world: World, tasks: Sequence[Task]) -> None:
    """A batch is gone."""
    forget_old_tasks(world)
    reconcile_of(world, tasks)


def tasks_not_started(world: World, tasks: Sequence[Task]) -> None:
    """A batch could not start: ECS tries again, more and more slowly."""
    task_set = store(world).task_sets.get(tasks[0].started_by)
    if task_set and tasks[0].service:
        _pause(world, store(world).services[tasks[0].service], task_set)
    tasks_failed(world, tasks)


def _pause(world: World, service: Service, task_set: TaskSet) -> None:
    if task_set.failed_at == world.now:
        return
    failures = task_set.failures + 1
    pause = 0.0 if failures <= PATIENCE else min(FIRST_PAUSE * 2 ** (failures - PATIENCE - 1), LONGEST_PAUSE)
    # A role that cannot be used makes no task whose end would bring the scheduler back.
    pause = max(pause, world.settings.task_provisioning)
    change_set(world, task_set.id, failures=failures, failed_at=world.now, retry_at=world.now + pause)
    if failures > PATIENCE:
        news.say(world, service, news.BACK_OFF, task_set)
    world.after(pause, "ecs.reconcile", service.arn)


def tasks_failed(world: World, tasks: Sequence[Task]) -> None:
    """Tasks ended before they were ever healthy, or could not start: the circuit breaker counts them."""
    task_set = store(world).task_sets.get(tasks[0].started_by)
    count = sum(not task.was_ready for task in tasks)
    if task_set and count:
        rolling.judge(world, change_set(world, task_set.id, failed_tasks=task_set.failed_tasks + count))


def _note_ready(world: World, tasks: Sequence[Task]) -> None:
    for task in tasks:
        if not task.was_ready and readiness.ready(world, task):
            put(world, replace(task, was_ready=True))
            if task.started_by in store(world).task_sets:
                change_set(world, task.started_by, failed_tasks=0)


# ---- health


def target_changed(world: World, tg_arn: str, *, ip: str, port: int, state: str) -> None:
    """The load balancer found a target healthy or unhealthy."""
    task = next((task for task in store(world).tasks.values() if task.ip == ip and task.live), None)
    if task is None or task.service is None:
        return
    _note_ready(world, [task])
    if state == "unhealthy":
        grace = (task.started_at or world.now) + (store(world).services[task.service].grace or 0)
        if world.now < grace:
            world.at(grace, "ecs.grace_over", task.arn, tg_arn, port)
        else:
            _replace_unhealthy(world, task, tg_arn, port)
    # Targets that change at the same moment are answered together.
    world.after(0.0, "ecs.reconcile", task.service)


def grace_over(world: World, task_arn: str, tg_arn: str, port: int) -> None:
    """Event: the grace period of a task is over."""
    task = store(world).tasks.get(task_arn)
    if task and task.live and elbv2.target_state(world, tg_arn, ip=task.ip, port=port) == "unhealthy":
        _replace_unhealthy(world, task, tg_arn, port)
        reconcile(world, str(task.service))


def _replace_unhealthy(world: World, task: Task, tg_arn: str, port: int) -> None:
    service = store(world).services[str(task.service)]
    why = elbv2.why(world, tg_arn, ip=task.ip, port=port)
    task_set = store(world).task_sets.get(task.started_by)
    message = f"(port {port}) is unhealthy in (target-group {tg_arn}) due to (reason {why})."
    news.say(world, service, message, task_set)
    stop(world, [task], f"Task failed ELB health checks in (target-group {tg_arn})")
    tasks_failed(world, [task])


def _plan_container_checks(world: World, tasks: Sequence[Task]) -> None:
    """One event for the verdict of the containers' own checks (ECS API reference, HealthCheck); live ones are made."""
    if world.settings.traffic != "modelled":
        return
    from runbook_lib.sandbox.traffic.behaviour import Behaviour

    checks = readiness.checked_containers(world, tasks[0]).values()
    if not checks:
        return
    behaviour, interval = Behaviour.of(tasks[0].environment), max(check["interval"] for check in checks)
    arns = tuple(task.arn for task in tasks)
    if behaviour.health == "ok":
        first = max(1, -(-int(behaviour.start_seconds) // interval))
        world.after(first * interval, "ecs.containers_checked", arns, "HEALTHY")
    else:
        longest = max(check.get("startPeriod", 0) + check["retries"] * check["interval"] for check in checks)
        world.after(longest, "ecs.containers_checked", arns, "UNHEALTHY")


def containers_checked(world: World, arns: Sequence[str], health: str) -> None:
    """Event: the containers' own checks have come to a verdict."""
    known = store(world).tasks
    tasks = [known[arn] for arn in arns if arn in known and known[arn].live]
    _verdict(world, [_checked(world, task, health) for task in tasks], health)


def container_checked(world: World, arn: str, name: str, health: str) -> None:
    """A container's own check was made and has changed its mind: HEALTHY or UNHEALTHY."""
    task = store(world).tasks.get(arn)
    if task is not None and task.live and name in readiness.checked_containers(world, task):
        containers = tuple(replace(one, health=health) if one.name == name else one for one in task.containers)
        put(world, changed := replace(task, containers=containers))
        _verdict(world, [changed], health)


def _verdict(world: World, checked: Sequence[Task], health: str) -> None:
    _note_ready(world, checked)
    for task in checked if health == "UNHEALTHY" else ():
        if task.service:
            service = store(world).services[task.service]
            news.say(world, service, f"(task {task.id}) failed container health checks.")
            stop(world, [task], "Task failed container health checks")
            tasks_failed(world, [task])
    reconcile_of(world, checked)


def _checked(world: World, task: Task, health: str) -> Task:
    names = readiness.checked_containers(world, task)
    containers = tuple(replace(one, health=health) if one.name in names else one for one in task.containers)
    changed = replace(task, containers=containers)
    put(world, changed)
    return changed


# ---- steadiness


def settle(world: World, service_arn: str) -> None:
    """See which task sets are steady, forget those that are gone, and let a drained service end."""
    service = store(world).services[service_arn]
    for task_set in sets_of(world, service_arn):
        rest = [task for task in tasks_of(world, task_set=task_set.id) if task.status != "STOPPED"]
        replaced = task_set.status == "DRAINING" or service.controller == "ECS"
        if not rest and replaced and task_set.id != service.primary:
            del store(world).task_sets[task_set.id]
        else:
            _settle_set(world, service, task_set, rest)
    if service.status == "DRAINING" and not any(
        task.status != "STOPPED" for task in tasks_of(world, service=service_arn)
    ):
        close(world, service)
    elif service.controller == "ECS":
        rolling.conclude(world, store(world).services[service_arn])


def _settle_set(world: World, service: Service, task_set: TaskSet, rest: Sequence[Task]) -> None:
    count = wanted(service, task_set)
    steady = len(rest) == count and all(readiness.ready(world, task) for task in rest)
    if steady == task_set.steady:
        return
    change_set(world, task_set.id, steady=steady, steady_changed=world.now)
    if steady and service.status == "ACTIVE" and service.controller == "CODE_DEPLOY":
        news.say(world, service, "updated state to STEADY_STATE.", task_set)
        if task_set.status == "PRIMARY":
            news.say(world, service, "has reached a steady state.")


def close(world: World, service: Service) -> None:
    """A deleted service has no task any more: it is INACTIVE, and shown for a while."""
    kept = store(world)
    last = kept.task_sets[service.primary]
    for task_set in sets_of(world, service.arn):
        del kept.task_sets[task_set.id]
    change_service(world, service.arn, status="INACTIVE", closed=last, closed_at=world.now)
