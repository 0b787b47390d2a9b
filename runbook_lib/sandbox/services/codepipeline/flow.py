"""How a run moves: into a stage when it is open and free, action by action, and on to the next one.

CodePipeline user guide, concepts-how-it-works: a stage holds one run; one waits before it, and in the mode SUPERSEDED
a newer one takes its place; a failure frees the stage.  A run whose pipeline was changed ends with what it is doing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.services.codepipeline import notices
from runbook_lib.sandbox.services.codepipeline.store import (
    ActionRun,
    Execution,
    Pipeline,
    executions,
    pipeline,
    store,
)

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

VARIABLE = re.compile(r"#\{([A-Za-z0-9_.@\-]+?)\.([A-Za-z0-9_@\-]+)\}")


def enter(world: World, run_id: str, number: int) -> None:
    """A run comes to the door of a stage."""
    run = store(world).executions.get(run_id)
    if run is None or run.over:
        return
    found = pipeline(world, run.pipeline)
    if run.version != found.version:
        end(world, run, "Cancelled")
        return
    name = found.stage_names()[number]
    queue = found.waiting.setdefault(name, [])
    queue.append(run.id)
    if found.mode == "SUPERSEDED":
        for older in queue[:-1]:
            end(world, store(world).executions[older], "Superseded")
    admit(world, found, name)


def admit(world: World, found: Pipeline, stage: str) -> None:
    """Let those in who may go in now."""
    queue = found.waiting.get(stage, [])
    while queue and stage not in found.closed and (found.mode == "PARALLEL" or stage not in found.inside):
        run = store(world).executions[queue.pop(0)]
        begin_stage(world, found, run, stage, notices.STARTED)
        _run_first(world, found, run, stage, found.stage_for(run, stage)["actions"])


def begin_stage(world: World, found: Pipeline, run: Execution, stage: str, word: str) -> None:
    """The run holds the stage now."""
    if found.mode != "PARALLEL":
        found.inside[stage] = run.id
    found.latest[stage] = run.id
    run.stages[stage] = "InProgress"
    notices.stage_changed(world, run, stage, word)


def run_actions(world: World, run_id: str, stage: str, names: list[str]) -> None:
    """Run these actions of a stage again, or those of them that come first."""
    run = store(world).executions.get(run_id)
    if run is None or run.over:
        return
    found = pipeline(world, run.pipeline)
    chosen = [action for action in found.stage_for(run, stage)["actions"] if action["name"] in names]
    _run_first(world, found, run, stage, chosen)


def _run_first(world: World, found: Pipeline, run: Execution, stage: str, actions: Iterable[dict[str, Any]]) -> None:
    """Run those actions that have the lowest run order."""
    listed = list(actions)
    first = min(_order(action) for action in listed)
    for action in listed:
        if _order(action) == first:
            _run(world, found, run, stage, action)


def _order(action: dict[str, Any]) -> int:
    return int(action["runOrder"])


def _run(world: World, found: Pipeline, run: Execution, stage: str, action: dict[str, Any]) -> None:
    from runbook_lib.sandbox.services.codepipeline import actions

    made = ActionRun(
        id=world.ids.uuid("action execution"),
        stage=stage,
        declared=action,
        started=world.now,
        configuration={key: resolve(run, value) for key, value in action["configuration"].items()},
        inputs={
            one["name"]: run.artifacts[one["name"]] for one in action["inputArtifacts"] if one["name"] in run.artifacts
        },
        updated=world.now,
    )
    run.runs.append(made)
    notices.action_changed(world, run, made, notices.STARTED)
    actions.begin(world, found, run, made)


def resolve(run: Execution, text: str) -> str:
    """A configuration value with its variables replaced: #{namespace.name}."""
    return VARIABLE.sub(lambda match: run.namespaces.get(match.group(1), {}).get(match.group(2), match.group(0)), text)


def under_way(world: World, run_id: str, action_id: str) -> tuple[Execution, ActionRun] | None:
    """A run and one of its action runs; None when it was abandoned, or its pipeline deleted."""
    run = store(world).executions.get(run_id)
    made = next((one for one in run.runs if one.id == action_id), None) if run else None
    return (run, made) if run and made and made.in_progress else None


def finish(
    world: World,
    run: Execution,
    made: ActionRun,
    *,
    status: str = "Succeeded",
    summary: str | None = None,
    error: tuple[str, str] | None = None,
) -> None:
    """An action has ended: go on, or end the run."""
    made.status, made.updated, made.error = status, world.now, error
    made.summary = summary or made.summary
    run.updated = world.now
    run.artifacts.update(made.outputs)
    if "namespace" in made.declared:
        run.namespaces[made.declared["namespace"]] = dict(made.variables)
    notices.action_changed(world, run, made, notices.WORDS[status])
    _go_on(world, pipeline(world, run.pipeline), run, made.stage)


def _go_on(world: World, found: Pipeline, run: Execution, stage: str) -> None:
    newest = run.newest(stage)
    left = [action for action in found.stage_for(run, stage)["actions"] if action["name"] not in newest]
    if any(one.in_progress for one in newest.values()):
        return
    if run.status == "Stopping":
        leave(world, found, run, stage, "Stopped")
    elif any(one.status != "Succeeded" for one in newest.values()):
        leave(world, found, run, stage, "Failed")
    elif left and run.version != found.version:
        leave(world, found, run, stage, "Cancelled")
    elif left:
        _run_first(world, found, run, stage, left)
    else:
        _next(world, found, run, stage)


def _next(world: World, found: Pipeline, run: Execution, stage: str) -> None:
    run.stages[stage] = "Succeeded"
    notices.stage_changed(world, run, stage, "SUCCEEDED")
    stages = [one["name"] for one in found.versions[run.version - 1]["stages"]]
    number = stages.index(stage) + 1
    if number == len(stages) or run.target:
        end(world, run, "Succeeded")
    else:
        world.after(world.settings.pipeline_action_latency, "codepipeline.enter", run.id, number)
    _free(world, found, run, stage)


def leave(world: World, found: Pipeline, run: Execution, stage: str, status: str) -> None:
    """The run ends in this stage."""
    run.stages[stage] = status
    notices.stage_changed(world, run, stage, notices.WORDS[status])
    end(world, run, status)
    _free(world, found, run, stage)
    if status == "Failed" and "onFailure" in found.stage_for(run, stage):
        world.after(0, "codepipeline.stage_failed", run.id, stage)


def _free(world: World, found: Pipeline, run: Execution, stage: str) -> None:
    if found.inside.get(stage) == run.id:
        del found.inside[stage]
    admit(world, found, stage)


def end(world: World, run: Execution, status: str) -> None:
    """A run has ended."""
    run.status, run.updated = status, world.now
    for queue in pipeline(world, run.pipeline).waiting.values():
        if run.id in queue:
            queue.remove(run.id)
    notices.pipeline_changed(world, run, notices.WORDS[status])


def halt(world: World, run: Execution, *, abandon: bool) -> None:
    """Stop a run: at once where no action runs, or when its actions have ended or are abandoned."""
    found = pipeline(world, run.pipeline)
    held = [stage for stage, status in run.stages.items() if status in ("InProgress", "Stopping")]
    running = [made for made in run.runs if made.in_progress]
    if run.status != "Stopping":
        run.status, run.updated = "Stopping", world.now
        notices.pipeline_changed(world, run, "STOPPING")
    for stage in held:
        run.stages[stage] = "Stopping"
    if abandon:
        for made in running:
            finish(world, run, made, status="Abandoned")
    elif not running:
        _stop_idle(world, found, run, held)


def _stop_idle(world: World, found: Pipeline, run: Execution, held: list[str]) -> None:
    if held:  # a retry that has not begun yet
        leave(world, found, run, held[0], "Stopped")
    else:
        end(world, run, "Stopped")


def structure_changed(world: World, found: Pipeline) -> None:
    """The definition has changed: runs that wait before a stage are cancelled, others when their actions have ended."""
    for run in executions(world, found.name):
        if not run.over and not any(made.in_progress for made in run.runs):
            for stage in [name for name, status in run.stages.items() if status == "InProgress"]:
                run.stages[stage] = "Cancelled"
                found.inside.pop(stage, None)
            end(world, run, "Cancelled")
    known = set(found.stage_names())
    kept: tuple[dict[str, Any], ...] = (found.closed, found.waiting, found.latest)
    for table in kept:
        for gone in set(table) - known:
            del table[gone]
