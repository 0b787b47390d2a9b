"""How a run begins: by a call, a rule of EventBridge, a change of the source, or as the rollback of a stage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.codepipeline import notices
from runbook_lib.sandbox.services.codepipeline.store import Execution, Pipeline, executions, pipeline, store

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

MOST_AT_ONCE = 50  # CodePipeline user guide, limits: concurrent executions in the modes QUEUED and PARALLEL


def start(
    world: World,
    name: str,
    *,
    trigger: str,
    detail: str = "",
    variables: Mapping[str, str] | None = None,
    overrides: Mapping[str, str] | None = None,
) -> str:
    """Start a run of a pipeline and give its id; `overrides` names revisions of source actions."""
    found = pipeline(world, name)
    values = _values(found, variables or {})
    _check_number(world, found)
    run = _execution(world, found, trigger, detail)
    run.overrides = dict(overrides or {})
    run.namespaces = {"variables": values, "codepipeline": {"PipelineExecutionId": run.id}}
    return _begin(world, run, 0)


def roll_back(world: World, found: Pipeline, stage: str, target: Execution, *, trigger: str, detail: str) -> str:
    """Start a run of one stage with the artifacts and variables of an earlier run."""
    run = _execution(world, found, trigger, detail)
    run.target = target.id
    run.artifacts, run.revisions = dict(target.artifacts), list(target.revisions)
    run.namespaces = {**target.namespaces, "codepipeline": {"PipelineExecutionId": run.id}}
    return _begin(world, run, found.stage_names().index(stage))


def _execution(world: World, found: Pipeline, trigger: str, detail: str) -> Execution:
    return Execution(
        id=world.ids.uuid("pipeline execution"),
        number=world.ids.number("pipeline execution number"),
        pipeline=found.name,
        version=found.version,
        trigger=trigger,
        detail=detail,
        started=world.now,
        updated=world.now,
    )


def _begin(world: World, run: Execution, number: int) -> str:
    store(world).executions[run.id] = run
    notices.pipeline_changed(world, run, notices.STARTED)
    world.after(world.settings.pipeline_action_latency, "codepipeline.enter", run.id, number)
    return run.id


def _values(found: Pipeline, given: Mapping[str, str]) -> dict[str, str]:
    declared = {one["name"]: one.get("defaultValue") for one in found.definition.get("variables", ())}
    unknown = sorted(set(given) - set(declared))
    if unknown:
        raise AwsError("ValidationException", f"Pipeline {found.name} has no variable {', '.join(unknown)}")
    values = {**declared, **given}
    missing = [name for name, value in values.items() if value is None]
    if missing:
        raise AwsError("ValidationException", f"Pipeline variable {missing[0]} has no default and must be given")
    return {name: str(value) for name, value in values.items()}


def _check_number(world: World, found: Pipeline) -> None:
    running = [run for run in executions(world, found.name) if not run.over]
    if found.mode != "SUPERSEDED" and len(running) >= MOST_AT_ONCE:
        text = f"Pipeline {found.name} has {len(running)} executions in progress; the limit is {MOST_AT_ONCE}"
        raise AwsError("ConcurrentPipelineExecutionsLimitExceededException", text)
