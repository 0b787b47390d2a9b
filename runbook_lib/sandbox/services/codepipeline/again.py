"""A stage once more: retried by hand or by its onFailure, or rolled back to an earlier run by its onFailure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from runbook_lib.sandbox.services.codepipeline import flow, notices, starts
from runbook_lib.sandbox.services.codepipeline.store import Execution, Pipeline, executions, pipeline, store

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

BY_HAND, BY_ITSELF = "ManualStageRetry", "AutomatedStageRetry"
ATTEMPTS = {BY_HAND: "manualStageRetryAttempt", BY_ITSELF: "autoStageRetryAttempt"}


def retry(world: World, found: Pipeline, run: Execution, stage: str, *, mode: str, trigger: str) -> None:
    """Run the failed actions of a stage again, or all of them from the first on."""
    newest = run.newest(stage)
    failed = [name for name, made in newest.items() if made.status == "Failed"]
    if mode == "ALL_ACTIONS":
        run.begun[stage] = len(run.runs)
    told = run.retries.setdefault(stage, {})
    told |= {"latestRetryTrigger": trigger, ATTEMPTS[trigger]: told.get(ATTEMPTS[trigger], 0) + 1}
    run.status, run.updated, run.attempt = "InProgress", world.now, run.attempt + 1
    notices.pipeline_changed(world, run, notices.RESUMED)
    flow.begin_stage(world, found, run, stage, notices.RESUMED)
    names = (
        failed if mode == "FAILED_ACTIONS" else [action["name"] for action in found.stage_for(run, stage)["actions"]]
    )
    world.after(world.settings.pipeline_action_latency, "codepipeline.run_actions", run.id, stage, names)


def stage_failed(world: World, run_id: str, stage: str) -> None:
    """What a stage's onFailure asks for: one retry, or a rollback to the last run that succeeded in it."""
    run = store(world).executions.get(run_id)
    if run is None:
        return
    found = pipeline(world, run.pipeline)
    told = found.stage_for(run, stage)["onFailure"]
    if found.latest.get(stage) != run.id or stage in found.inside or run.version != found.version or run.target:
        return
    if told.get("result") == "RETRY" and not run.retries.get(stage, {}).get(ATTEMPTS[BY_ITSELF]):
        mode = told.get("retryConfiguration", {}).get("retryMode", "FAILED_ACTIONS")
        retry(world, found, run, stage, mode=mode, trigger=BY_ITSELF)
    elif told.get("result") == "ROLLBACK":
        target = next((one for one in executions(world, found.name) if may_go_back_to(found, one, stage)), None)
        if target is not None:
            detail = json.dumps({"FailedPipelineExecutionId": run.id})
            starts.roll_back(world, found, stage, target, trigger="AutomatedRollback", detail=detail)


def may_go_back_to(found: Pipeline, target: Execution, stage: str) -> bool:
    """Whether a run can be the target of a rollback of this stage (CodePipeline user guide, stage-rollback)."""
    return not target.target and target.version == found.version and target.stages.get(stage) == "Succeeded"
