"""How a run moves: into a stage when it is open and free, action by action, and on to the next one.

CodePipeline user guide, concepts-how-it-works: a stage holds one run; one waits before it, and in the mode SUPERSEDED
a newer one takes its place; a failure frees the stage.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.services.codepipeline import notices
from runbook_lib.sandbox.services.codepipeline.store import (
    ActionRun,
    Execution,
    Pipeline,
    executions,
    pipeline,
    stage_of,
    store,
)

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

VARIABLE = re.compile(r"#\{([A-Za-z0-9_.\-]+?)\.([A-Za-z0-9_\-]+)\}")


def start(
    world: World,
    name: str,
    *,
    trigger: str,
    detail: str = "",
    variables: dict[str, str] | None = None,
    kind: str = "STANDARD",
) -> str:
    """Start a run of a pipeline and give its id."""
    found = pipeline(world, name)
    run = Execution(
        id=world.ids.uuid("pipeline execution"),
        number=world.ids.number("pipeline execution number"),
        pipeline=name,
        version=found.version,
        trigger=trigger,
        detail=detail,
        started=world.now,
        updated=world.now,
        kind=kind,
    )
    defaults = {one["name"]: one.get("defaultValue", "") for one in found.definition.get("variables", ())}
    run.namespaces["variables"] = {**defaults, **(variables or {})}
    run.namespaces["codepipeline"] = {"PipelineExecutionId": run.id}
    store(world).executions[run.id] = run
    notices.pipeline_changed(world, run, "STARTED")
    world.after(world.settings.pipeline_action_latency, "codepipeline.enter", run.id, 0)
    return run.id


def enter(world: World, run_id: str, number: int) -> None:
    """A run comes to the door of a stage."""
    run = store(world).executions[run_id]
    found = store(world).pipelines.get(run.pipeline)
    if found is None or run.over:
        return
    if run.version != found.version:
        end(world, run, "Cancelled")
        return
    name = found.stage_names()[number]
    queue = found.waiting.setdefault(name, [])
    if run.id not in queue:
        queue.append(run.id)
    _supersede(world, found, name)
    _admit(world, found, name)


def _supersede(world: World, found: Pipeline, stage: str) -> None:
    if found.mode != "SUPERSEDED":
        return
    *older, _ = found.waiting[stage]
    for run_id in older:
        end(world, store(world).executions[run_id], "Superseded")


def _admit(world: World, found: Pipeline, stage: str) -> None:
    """Let those in who may go in now."""
    queue = found.waiting.get(stage, [])
    while queue and stage not in found.closed and (found.mode == "PARALLEL" or stage not in found.inside):
        run = store(world).executions[queue.pop(0)]
        if found.mode != "PARALLEL":
            found.inside[stage] = run.id
        found.latest[stage] = run.id
        run.stages[stage] = "InProgress"
        notices.stage_changed(world, run, stage, "STARTED")
        _run_order(world, found, run, stage, _orders(found, stage)[0])


def admit(world: World, found: Pipeline, stage: str) -> None:
    """The way into a stage is open again."""
    _admit(world, found, stage)


def run_actions(world: World, run_id: str, stage: str, names: list[str]) -> None:
    """Run these actions of a stage (again)."""
    run = store(world).executions[run_id]
    found = pipeline(world, run.pipeline)
    declared = stage_of(found.definition, stage)
    for action in declared["actions"] if declared else ():
        if action["name"] in names:
            _run(world, found, run, stage, action)


def _run_order(world: World, found: Pipeline, run: Execution, stage: str, order: int) -> None:
    declared = stage_of(found.definition, stage)
    for action in declared["actions"] if declared else ():
        if action.get("runOrder", 1) == order:
            _run(world, found, run, stage, action)


def _run(world: World, found: Pipeline, run: Execution, stage: str, action: dict[str, Any]) -> None:
    from runbook_lib.sandbox.services.codepipeline import actions

    configuration = {key: resolve(run, value) for key, value in action.get("configuration", {}).items()}
    inputs = {one["name"]: run.artifacts[one["name"]] for one in action.get("inputArtifacts", ())}
    made = ActionRun(
        id=world.ids.uuid("action execution"),
        stage=stage,
        name=action["name"],
        started=world.now,
        configuration=configuration,
        inputs=inputs,
        updated=world.now,
    )
    run.runs.append(made)
    notices.action_changed(world, run, made, "STARTED")
    actions.begin(world, found, run, made, action)


def resolve(run: Execution, text: str) -> str:
    """A configuration value with its variables replaced: #{namespace.name}."""
    return VARIABLE.sub(lambda match: run.namespaces.get(match.group(1), {}).get(match.group(2), match.group(0)), text)


def action_run(world: World, run_id: str, action_id: str) -> tuple[Execution, ActionRun]:
    """A run and one of its action runs."""
    run = store(world).executions[run_id]
    return run, next(one for one in run.runs if one.id == action_id)


def finish(
    world: World,
    run_id: str,
    action_id: str,
    *,
    status: str = "Succeeded",
    summary: str | None = None,
    error: tuple[str, str] | None = None,
) -> None:
    """An action has ended: go on, or end the run."""
    run, made = action_run(world, run_id, action_id)
    if made.status != "InProgress":
        return
    made.status, made.updated, made.error = status, world.now, error
    made.summary = summary or made.summary
    notices.action_changed(world, run, made, {"Succeeded": "SUCCEEDED", "Failed": "FAILED"}.get(status, "ABANDONED"))
    found = store(world).pipelines.get(run.pipeline)
    if found is not None:
        _keep_outputs(found, run, made)
        _go_on(world, found, run, made)


def _keep_outputs(found: Pipeline, run: Execution, made: ActionRun) -> None:
    run.artifacts.update(made.outputs)
    declared = stage_of(found.versions[run.version - 1], made.stage)
    action = next(one for one in declared["actions"] if one["name"] == made.name) if declared else {}
    if action.get("namespace"):
        run.namespaces[action["namespace"]] = dict(made.variables)


def _go_on(world: World, found: Pipeline, run: Execution, made: ActionRun) -> None:
    newest = {one.name: one for one in run.runs if one.stage == made.stage}
    if any(one.status == "InProgress" for one in newest.values()):
        return
    if run.status == "Stopping":
        _leave(world, found, run, made.stage, "Stopped")
    elif any(one.status != "Succeeded" for one in newest.values()):
        _leave(world, found, run, made.stage, "Failed")
    else:
        _next(world, found, run, made.stage, newest)


def _next(world: World, found: Pipeline, run: Execution, stage: str, newest: dict[str, ActionRun]) -> None:
    definition = found.versions[run.version - 1]
    declared = stage_of(definition, stage)
    left = [a for a in declared["actions"] if a["name"] not in newest] if declared else []
    if left and run.version == found.version:
        _run_order(world, found, run, stage, min(action.get("runOrder", 1) for action in left))
        return
    run.stages[stage] = "Succeeded"
    notices.stage_changed(world, run, stage, "SUCCEEDED")
    stages = [one["name"] for one in definition["stages"]]
    number = stages.index(stage) + 1
    if number == len(stages) or run.kind == "ROLLBACK":
        end(world, run, "Succeeded")
    else:
        world.after(world.settings.pipeline_action_latency, "codepipeline.enter", run.id, number)
    _free(world, found, run, stage)


def _leave(world: World, found: Pipeline, run: Execution, stage: str, status: str) -> None:
    run.stages[stage] = status
    notices.stage_changed(world, run, stage, status.upper())
    end(world, run, status)
    _free(world, found, run, stage)


def _free(world: World, found: Pipeline, run: Execution, stage: str) -> None:
    if found.inside.get(stage) == run.id:
        del found.inside[stage]
    if stage in found.stage_names():
        _admit(world, found, stage)


def end(world: World, run: Execution, status: str) -> None:
    """A run has ended."""
    if run.over:
        return
    run.status, run.updated = status, world.now
    found = store(world).pipelines.get(run.pipeline)
    for queue in found.waiting.values() if found else ():
        if run.id in queue:
            queue.remove(run.id)
    notices.pipeline_changed(world, run, notices.WORDS[status])


def structure_changed(world: World, found: Pipeline) -> None:
    """The definition has changed: runs that wait before a stage are cancelled, others end with their stage."""
    for run in executions(world, found.name):
        if not run.over and run.version != found.version and run.id not in found.inside.values():
            end(world, run, "Cancelled")
    known = set(found.stage_names())
    for kept in (found.closed, found.waiting, found.latest):
        for gone in [name for name in kept if name not in known]:
            kept.pop(gone)  # type: ignore[attr-defined]


def _orders(found: Pipeline, stage: str) -> list[int]:
    declared = stage_of(found.definition, stage)
    return sorted({action.get("runOrder", 1) for action in declared["actions"]}) if declared else [1]
