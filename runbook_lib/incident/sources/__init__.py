"""Everybody who knows something of what happened, each asked in its own module; one that cannot answer says why."""

from __future__ import annotations

from collections.abc import Callable

from runbook_lib.accesslog.window import Window
from runbook_lib.account import Account
from runbook_lib.incident.sources import deployments, pipeline, tasks, trail, watching
from runbook_lib.incident.told import Told, refusal
from runbook_lib.system import System

Reader = Callable[[Account, System, Window], Told | tuple[Told, ...]]
READERS: dict[str, Reader] = {
    "CodePipeline": pipeline.tell,  # and CodeBuild
    "CodeDeploy": deployments.lifecycles,
    "ECS service": tasks.events,
    "ECS tasks": tasks.stopped,
    "Auto Scaling": tasks.scaling,
    "CloudWatch alarms": watching.alarms,
    "Logs": watching.errors,
    "CloudTrail": trail.changes,
}


def ask(account: Account, system: System, window: Window) -> tuple[Told, ...]:
    """What each source tells of a window; a refusal of AWS's is its answer, and the others are asked all the same."""
    return tuple(one for name, read in READERS.items() for one in _ask(name, read, account, system, window))


def _ask(name: str, read: Reader, account: Account, system: System, window: Window) -> tuple[Told, ...]:
    from botocore.exceptions import ClientError

    try:
        found = read(account, system, window)
    except ClientError as error:
        found = Told(name, missing=refusal(error))
    return found if isinstance(found, tuple) else (found,)
