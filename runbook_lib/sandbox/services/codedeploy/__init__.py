"""AWS CodeDeploy for Amazon ECS: blue/green deployments that really move task sets and listener weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.services.codedeploy import (
    applications,
    configs,
    creation,
    groups,
    hooks,
    lifecycle,
    reading,
    revisions,
    stopping,
    tags,
    targets,
    waits,
    watching,
)
from runbook_lib.sandbox.services.codedeploy.creation import create
from runbook_lib.sandbox.services.codedeploy.store import CodeDeployStore

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call

__all__ = ["HANDLERS", "OPERATIONS", "STORE", "create"]

STORE = CodeDeployStore
OPERATIONS: dict[str, Callable[[Call], dict[str, Any]]] = {
    **applications.OPERATIONS,
    **configs.OPERATIONS,
    **groups.OPERATIONS,
    **revisions.OPERATIONS,
    **creation.OPERATIONS,
    **reading.OPERATIONS,
    **targets.OPERATIONS,
    **stopping.OPERATIONS,
    **waits.OPERATIONS,
    **hooks.OPERATIONS,
    **tags.OPERATIONS,
}
HANDLERS: dict[str, Callable[..., None]] = {
    "codedeploy.step": lifecycle.step,
    "codedeploy.tick": watching.tick,
    "codedeploy.stop": stopping.stop_now,
    "codedeploy.hook_result": hooks.result,
}
