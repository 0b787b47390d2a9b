"""What somebody does to runs: start, stop, retry, roll back, approve, open and close the way into a stage."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.codepipeline import flow
from runbook_lib.sandbox.services.codepipeline.store import (
    Execution,
    Pipeline,
    Transition,
    execution,
    executions,
    pipeline,
    stage_of,
    store,
)

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

REASON = re.compile(r"^[a-zA-Z0-9!@ ().*?\-]{1,300}$")


def start(call: Call) -> dict[str, Any]:
    """StartPipelineExecution; the same clientRequestToken starts one run."""
    token = call.params.get("clientRequestToken")
    known = store(call.world).requests
    if token and token in known:
        return {"pipelineExecutionId": known[token]}
    variables = {one["name"]: one["value"] for one in call.params.get("variables", ())}
    run = flow.start(
        call.world,
        call.params["name"],
        trigger="StartPipelineExecution",
        detail=call.caller,
        variables=variables,
    )
    if token:
        known[token] = run
    return {"pipelineExecutionId": run}


def stop(call: Call) -> dict[str, Any]:
    """StopPipelineExecution: wait for running actions, or abandon them."""
    world, told = call.world, call.params
    run = execution(world, told["pipelineName"], told["pipelineExecutionId"])
    if run.over:
        text = f"The pipeline execution {run.id} is {run.status} and cannot be stopped"
        raise AwsError("PipelineExecutionNotStoppableException", text)
    if run.status == "Stopping" and not told.get("abandon"):
        raise AwsError("DuplicatedStopRequestException", "The pipeline execution is already in a Stopping state")
    run.status, run.reason = "Stopping", told.get("reason")
    running = [made for made in run.runs if made.status == "InProgress"]
    if not running:
        flow.end(world, run, "Stopped")
    elif told.get("abandon"):
        for made in running:
            flow.finish(world, run.id, made.id, status="Abandoned")
    return {"pipelineExecutionId": run.id}


def retry(call: Call) -> dict[str, Any]:
    """RetryStageExecution: the failed actions of a stage again, or all of them."""
    world, told = call.world, call.params
    found, stage = _stage(call)
    run = execution(world, found.name, told["pipelineExecutionId"])
    if found.latest.get(stage) != run.id:
        raise AwsError("NotLatestPipelineExecutionException", f"{run.id} is not the latest execution of stage {stage}")
    newest = {made.name: made for made in run.runs if made.stage == stage}
    failed = [name for name, made in newest.items() if made.status == "Failed"]
    if run.stages.get(stage) != "Failed" or not failed or run.version != found.version or stage in found.inside:
        raise AwsError("StageNotRetryableException", f"The stage {stage} cannot be retried")
    run.status, run.stages[stage], run.updated = "InProgress", "InProgress", world.now
    found.inside[stage] = run.id
    again = failed if told["retryMode"] == "FAILED_ACTIONS" else list(newest)
    world.after(world.settings.pipeline_action_latency, "codepipeline.run_actions", run.id, stage, again)
    return {"pipelineExecutionId": run.id}


def rollback(call: Call) -> dict[str, Any]:
    """RollbackStage: a new run of the stage with the artifacts of an earlier one."""
    world = call.world
    found, stage = _stage(call)
    target = execution(world, found.name, call.params["targetPipelineExecutionId"])
    if target.version != found.version:
        text = f"The pipeline execution {target.id} ran on version {target.version} of the pipeline, which is outdated"
        raise AwsError("PipelineExecutionOutdatedException", text)
    if target.kind == "ROLLBACK" or target.stages.get(stage) != "Succeeded" or stage == found.stage_names()[0]:
        text = f"The stage {stage} cannot be rolled back to the execution {target.id}"
        raise AwsError("UnableToRollbackStageException", text)
    run = Execution(
        id=world.ids.uuid("pipeline execution"),
        number=world.ids.number("pipeline execution number"),
        pipeline=found.name,
        version=found.version,
        trigger="ManualRollback",
        detail=call.caller,
        started=world.now,
        updated=world.now,
        kind="ROLLBACK",
        target=target.id,
        artifacts=dict(target.artifacts),
        namespaces=dict(target.namespaces),
        revisions=list(target.revisions),
    )
    store(world).executions[run.id] = run
    number = found.stage_names().index(stage)
    world.after(world.settings.pipeline_action_latency, "codepipeline.enter", run.id, number)
    return {"pipelineExecutionId": run.id}


def approve(call: Call) -> dict[str, Any]:
    """PutApprovalResult: approved goes on, rejected fails the action."""
    world, told = call.world, call.params
    found, stage = _stage(call)
    for run in executions(world, found.name):
        for made in run.runs:
            if made.stage == stage and made.name == told["actionName"] and made.token == told["token"]:
                return _answered(world, run, made.id, told, call.caller)
    raise AwsError("InvalidApprovalTokenException", "The approval token is not valid.")


def _answered(world: World, run: Execution, action: str, told: Any, caller: str) -> dict[str, Any]:
    _, made = flow.action_run(world, run.id, action)
    if made.status != "InProgress":
        raise AwsError("ApprovalAlreadyCompletedException", "The approval has already been completed.")
    made.updated_by = caller
    summary = told["result"]["summary"]
    if told["result"]["status"] == "Approved":
        flow.finish(world, run.id, action, summary=summary)
    else:
        error = ("JobFailed", f"Approval rejected: {summary}")
        flow.finish(world, run.id, action, status="Failed", summary=summary, error=error)
    return {"approvedAt": world.datetime()}


def disable(call: Call) -> dict[str, Any]:
    """DisableStageTransition: runs wait before the stage."""
    found, stage = _stage(call)
    reason = call.params["reason"]
    if not REASON.match(reason):
        raise AwsError("ValidationException", f"Value '{reason}' at 'reason' failed to satisfy the constraint")
    found.closed[stage] = Transition(reason, call.caller, call.world.now)
    return {}


def enable(call: Call) -> dict[str, Any]:
    """EnableStageTransition: who waits goes in."""
    found, stage = _stage(call)
    found.closed.pop(stage, None)
    flow.admit(call.world, found, stage)
    return {}


def _stage(call: Call) -> tuple[Pipeline, str]:
    found, stage = pipeline(call.world, call.params["pipelineName"]), call.params["stageName"]
    if stage_of(found.definition, stage) is None:
        raise AwsError("StageNotFoundException", f"Pipeline '{found.name}' does not have a stage with name '{stage}'")
    return found, stage
