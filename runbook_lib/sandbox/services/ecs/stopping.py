"""Tasks on their way down: deregistered, drained, told to end, gone; and tasks that end by themselves.

Sources: ECS developer guide, task-lifecycle-explanation and stopped-task-error-codes. A target group's deregistration
delay passes before the container is told to end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from runbook_lib.sandbox.services import elbv2
from runbook_lib.sandbox.services.ecs import interfaces, news, readiness, scheduler
from runbook_lib.sandbox.services.ecs.store import Task, change_task, store

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

ENDED_BY_SIGNAL = 143  # 128 + SIGTERM
CRASHED = 1


def stop(world: World, tasks: Sequence[Task], *, code: str, reason: str) -> None:
    """Stop tasks that are live: those behind a load balancer drain first."""
    told = [
        change_task(world, task, desired="STOPPED", stopping=world.now, stop_code=code, stopped_reason=reason)
        for task in tasks
        if task.live
    ]
    _touch(world)
    serving = [task for task in told if task.bindings and task.status in ("ACTIVATING", "RUNNING")]
    running = [task for task in told if task not in serving and task.status == "RUNNING"]
    _deactivate(world, serving)
    _terminate(world, running)
    _deprovision(world, [task for task in told if task not in serving and task not in running])


def _deactivate(world: World, tasks: Sequence[Task]) -> None:
    if not tasks:
        return
    leaving = [change_task(world, task, status="DEACTIVATING") for task in tasks]
    delay = _deregister(world, leaving)
    news.say_of(world, leaving, f"has begun draining connections on {len(leaving)} tasks.")
    _next(world, leaving, "terminate", delay)


def _deregister(world: World, tasks: Sequence[Task]) -> float:
    """Take the tasks out of their target groups; the seconds that their connections drain."""
    delay = 0.0
    for binding in tasks[0].bindings:
        for task in tasks:
            elbv2.deregister_target(world, binding.target_group, ip=task.ip, port=binding.port)
            if readiness.state(world, task, binding) == "draining":
                group = elbv2.target_group(world, binding.target_group)
                delay = max(delay, float(group.deregistration_delay))
        news.say_of(world, tasks, f"deregistered {len(tasks)} targets in (target-group {binding.target_group})")
    return delay


def _terminate(world: World, tasks: Sequence[Task]) -> None:
    if not tasks:
        return
    ending = [change_task(world, task, status="STOPPING") for task in tasks]
    news.say_of(world, ending, f"has stopped {len(ending)} running tasks: {news.named(ending)}.")
    if world.settings.traffic == "modelled":
        _next(world, ending, "exit", world.settings.task_stop)
    else:
        _end_processes(world, ending)


def _end_processes(world: World, tasks: Sequence[Task]) -> None:
    from runbook_lib.sandbox.traffic import live

    for task in tasks:
        live.stop_task(world, task)


def container_exited(world: World, arn: str, name: str, code: int) -> None:
    """A container's process has ended: an essential one takes its task along, unless that is stopping anyway."""
    task = store(world).tasks.get(arn)
    if task is None or task.status in ("DEPROVISIONING", "STOPPED"):
        return
    ended = next(one for one in task.containers if one.name == name)
    if ended.essential and task.status in ("ACTIVATING", "RUNNING"):
        crash(world, (task,), code=code, name=name)
        _end_processes(world, (task,))
    else:
        containers = tuple(
            replace(one, status="STOPPED", exit_code=code) if one is ended else one for one in task.containers
        )
        change_task(world, task, containers=containers, ended=task.ended or (world.now if ended.essential else None))


def processes_gone(world: World, arn: str) -> None:
    """The last process of a task that was told to end has done so."""
    task = store(world).tasks.get(arn)
    if task is not None and task.status == "STOPPING" and task.execution_stopped is None:
        containers = tuple(replace(one, status="STOPPED") for one in task.containers)
        ended = task.ended or world.now
        _deprovision(world, [change_task(world, task, containers=containers, ended=ended, execution_stopped=world.now)])


def _exit(world: World, tasks: Sequence[Task]) -> None:
    _deprovision(world, [_with_exit_code(world, task, ENDED_BY_SIGNAL) for task in tasks])


def _with_exit_code(world: World, task: Task, code: int, *, only: str = "") -> Task:
    """The task with its containers stopped: the one that ended by itself with its own code, the others by a signal."""
    containers = tuple(
        replace(one, status="STOPPED", exit_code=code if only in ("", one.name) else ENDED_BY_SIGNAL)
        for one in task.containers
    )
    return change_task(world, task, containers=containers, ended=task.ended or world.now, execution_stopped=world.now)


def _deprovision(world: World, tasks: Sequence[Task]) -> None:
    if tasks:
        leaving = [change_task(world, task, status="DEPROVISIONING") for task in tasks]
        _next(world, leaving, "stop", world.settings.task_stop)


def _stopped(world: World, tasks: Sequence[Task]) -> None:
    for task in tasks:
        containers = tuple(replace(one, status="STOPPED") for one in task.containers)
        change_task(world, task, status="STOPPED", stopped=world.now, containers=containers)
        if task.interface:
            interfaces.release(world, task.interface.id)
    scheduler.tasks_stopped(world, tasks)


def crash(world: World, tasks: Sequence[Task], *, code: int = CRASHED, name: str = "") -> None:
    """A container of running tasks, the main one unless named, ends by itself; clients notice before the balancer."""
    _touch(world)
    ended = []
    for task in tasks:
        crashed = _with_exit_code(world, replace(task, ended=world.now), code, only=name or task.main)
        ended.append(
            change_task(
                world,
                crashed,
                status="STOPPING",
                desired="STOPPED",
                stopping=world.now,
                stop_code="EssentialContainerExited",
                stopped_reason="Essential container in task exited",
            )
        )
        elbv2.reconsider_address(world, task.ip)
    scheduler.tasks_failed(world, ended)
    _next(world, ended, "exited", world.settings.task_stop)


def _exited(world: World, tasks: Sequence[Task]) -> None:
    """ECS has noticed that the container ended: the target goes, and another task comes."""
    if tasks[0].bindings:
        _deregister(world, tasks)
    _deprovision(world, tasks)
    scheduler.reconcile_of(world, tasks)


def fail_to_start(world: World, tasks: Sequence[Task], reason: str) -> None:
    """Tasks that cannot start stop, and say why."""
    failed = []
    for task in tasks:
        containers = tuple(replace(one, status="STOPPED", reason=reason) for one in task.containers)
        failed.append(
            change_task(
                world,
                task,
                containers=containers if reason.startswith(("CannotPull", "CannotStart")) else task.containers,
                desired="STOPPED",
                stopping=world.now,
                execution_stopped=world.now,
                stop_code="TaskFailedToStart",
                stopped_reason=reason,
            )
        )
    scheduler.tasks_not_started(world, failed)
    _deprovision(world, failed)


def task_ends(world: World, step: str, arns: Sequence[str]) -> None:
    """Event: the tasks of a batch take the next step down."""
    wanted, take = STEPS[step]
    tasks = [store(world).tasks[arn] for arn in arns if arn in store(world).tasks]
    still = [task for task in tasks if task.status == wanted]
    if still:
        take(world, still)


def _next(world: World, tasks: Sequence[Task], step: str, delay: float) -> None:
    world.after(delay, "ecs.task_ends", step, tuple(task.arn for task in tasks))


def _touch(world: World) -> None:
    from runbook_lib.sandbox import traffic

    traffic.touch(world)


# step -> the status in which a task takes it, and what it does
STEPS = {
    "terminate": ("DEACTIVATING", _terminate),
    "exit": ("STOPPING", _exit),
    "exited": ("STOPPING", _exited),
    "stop": ("DEPROVISIONING", _stopped),
}
