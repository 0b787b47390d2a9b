"""What each kind of action does; every action ends by an event of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from runbook_lib.sandbox.services.codepipeline import approval, bluegreen, building, flow, rolling, sources
from runbook_lib.sandbox.services.codepipeline.failure import ActionFailed
from runbook_lib.sandbox.services.codepipeline.store import ActionRun, Execution, Pipeline

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

Begin = Callable[["World", Pipeline, Execution, ActionRun], None]


def begin(world: World, found: Pipeline, run: Execution, made: ActionRun) -> None:
    """Begin an action; one that fails at once fails after those that begin with it have begun."""
    try:
        _BEGIN[made.kind["category"], made.kind["provider"]](world, found, run, made)
    except ActionFailed as failed:
        world.after(0, "codepipeline.fail", run.id, made.id, failed.code, failed.message)


def fail(world: World, run_id: str, action_id: str, code: str, message: str) -> None:
    """An action could not begin."""
    at_work = flow.under_way(world, run_id, action_id)
    if at_work:
        flow.finish(world, *at_work, status="Failed", error=(code, message))


_BEGIN: dict[tuple[str, str], Begin] = {
    **{("Source", kind): sources.begin for kind in sources.KINDS},
    ("Build", "CodeBuild"): building.begin,
    ("Test", "CodeBuild"): building.begin,
    ("Approval", "Manual"): approval.begin,
    ("Deploy", "ECS"): rolling.begin,
    ("Deploy", "CodeDeployToECS"): bluegreen.begin,
}
