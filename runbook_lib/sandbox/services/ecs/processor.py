"""Images for another processor than the task's: they are pulled, and their program cannot be carried out.

Source: ECS developer guide, task definition parameters (runtimePlatform); the words in the log are the container
runtime's, known from users' reports.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.services.ecs.fargate import ECR
from runbook_lib.sandbox.services.ecs.store import Task, store

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

ARCHITECTURES = {"X86_64": "amd64", "ARM64": "arm64"}
NOT_OURS = "exec {program}: exec format error"


def stranger(world: World, task: Task) -> str:
    """The container whose image is for another processor; empty when none is, or nobody knows."""
    from runbook_lib.sandbox.services import ecr

    wanted = ARCHITECTURES[_definition(world, task).get("runtimePlatform", {}).get("cpuArchitecture", "X86_64")]
    for container in task.containers:
        image = ecr.image(world, container.image) if ECR.fullmatch(container.image) else None
        if image is not None and image.platform.split("/")[1] != wanted:
            return container.name
    return ""


def complain(world: World, tasks: Sequence[Task], name: str) -> None:
    """What the runtime says of it, in the container's log."""
    for task in tasks:
        declared = next(one for one in _definition(world, task)["containerDefinitions"] if one["name"] == name)
        logging = declared.get("logConfiguration", {})
        options = logging.get("options", {})
        if logging.get("logDriver") == "awslogs" and "awslogs-group" in options:
            program = (declared.get("entryPoint") or declared.get("command") or ["/bin/sh"])[0]
            stream = f"{options.get('awslogs-stream-prefix', '')}/{name}/{task.id}"
            _write(world, options["awslogs-group"], stream, NOT_OURS.format(program=program))


def _write(world: World, group: str, stream: str, line: str) -> None:
    logs = world.client("logs")
    logs.create_log_stream(logGroupName=group, logStreamName=stream)
    event = {"timestamp": int(world.now * 1000), "message": line}
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[event])


def _definition(world: World, task: Task) -> Mapping[str, Any]:
    found: Mapping[str, Any] = store(world).task_definitions[task.task_definition_arn]
    return found
