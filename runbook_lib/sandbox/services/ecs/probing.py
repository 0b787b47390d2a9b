"""What answers at an address: the task behind it, as its application behaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook_lib.sandbox.services.ecs.store import Task, store
from runbook_lib.sandbox.services.elbv2.health import Answer

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

REFUSED = Answer(0.0, None)
FAILING = 503  # what the sample application answers to a health check that fails


def answers(world: World, *, ip: str, port: int) -> tuple[Answer, ...]:
    """What a check of this address and port gets over time; nothing when no task has the address."""
    task = _task_at(world, ip)
    if task is None:
        return ()
    if task.started_at is None or task.answers_from is None or port not in _ports(world, task):
        return (REFUSED,)
    from runbook_lib.sandbox.traffic.behaviour import Behaviour

    well = Behaviour.of(task.environment).health == "ok"
    found = (REFUSED, Answer(task.answers_from, 200 if well else FAILING))
    return found if task.ended is None else (*found, Answer(task.ended, None))


def tasks_behind(world: World, tg_arn: str) -> list[Task]:
    """The running tasks that are registered in a target group, in the order of their start."""
    return [
        task
        for task in store(world).tasks.values()
        if task.status == "RUNNING"
        and task.ended is None
        and any(binding.target_group == tg_arn for binding in task.bindings)
    ]


def _task_at(world: World, ip: str) -> Task | None:
    found = (task for task in store(world).tasks.values() if task.ip == ip and task.status != "STOPPED")
    return next(found, None)


def _ports(world: World, task: Task) -> set[int]:
    definition = store(world).task_definitions[task.task_definition_arn]
    return {
        port["containerPort"]
        for container in definition["containerDefinitions"]
        for port in container["portMappings"]
        if "containerPort" in port
    }
