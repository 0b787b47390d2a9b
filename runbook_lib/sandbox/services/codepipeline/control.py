"""What somebody does to runs: start, stop, retry, roll back, approve, open and close the way into a stage."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.codepipeline import again, approval, flow, starts, structure
from runbook_lib.sandbox.services.codepipeline.store import (
    Pipeline,
    Transition,
    execution,
    find_execution,
    pipeline,
    stage_of,
    store,
)

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call

REASON = r"[a-zA-Z0-9!@ \(\)\.\*\?\-]+"
OUTDATED = (  # botocore's words of that exception
    "The specified pipeline execution is outdated and cannot be used as a target pipeline execution for rollback."
)
# Which revision a source action takes by its provider (CodePipeline API reference, SourceRevisionOverride).
REVISION_TYPES = {
    "CodeCommit": "COMMIT_ID",
    "CodeStarSourceConnection": "COMMIT_ID",
    "ECR": "IMAGE_DIGEST",
    "S3": "S3_OBJECT_VERSION_ID",
}


def start(call: Call) -> dict[str, Any]:
    """StartPipelineExecution; the same clientRequestToken starts one run."""
    world, told = call.world, call.params
    found, known = pipeline(world, told["name"]), store(world).requests
    request = (told["name"], told.get("clientRequestToken", ""))
    if request in known:
        return {"pipelineExecutionId": known[request]}
    run = starts.start(
        world,
        found.name,
        trigger="StartPipelineExecution",
        detail=call.caller,
        variables={one["name"]: one["value"] for one in told.get("variables", ())},
        overrides=_overrides(found, told.get("sourceRevisions", ())),
    )
    if request[1]:
        known[request] = run
    return {"pipelineExecutionId": run}


def _overrides(found: Pipeline, told: Iterable[Mapping[str, str]]) -> dict[str, str]:
    sources = {
        action["name"]: action["actionTypeId"]["provider"] for action in found.definition["stages"][0]["actions"]
    }
    for one in told:
        if one["actionName"] not in sources:
            text = f"Pipeline '{found.name}' does not have a source action with name '{one['actionName']}'"
            raise AwsError("ValidationException", text)
        provider = sources[one["actionName"]]
        if one["revisionType"] != REVISION_TYPES[provider]:
            text = f"A {provider} action takes a revision of type {REVISION_TYPES[provider]}, not {one['revisionType']}"
            raise AwsError("ValidationException", text)
    return {one["actionName"]: one["revisionValue"] for one in told}


def stop(call: Call) -> dict[str, Any]:
    """StopPipelineExecution: wait for running actions, or abandon them."""
    world, told = call.world, call.params
    run = find_execution(world, told["pipelineName"], told["pipelineExecutionId"])
    if run is None or run.over:
        status = run.status if run else "unknown"
        text = f"Unable to stop the pipeline execution {told['pipelineExecutionId']}: it is {status}"
        raise AwsError("PipelineExecutionNotStoppableException", text)
    if run.status == "Stopping" and not told.get("abandon"):
        raise AwsError("DuplicatedStopRequestException", "The pipeline execution is already in a Stopping state.")
    run.reason = told.get("reason") or run.reason
    flow.halt(world, run, abandon=bool(told.get("abandon")))
    return {"pipelineExecutionId": run.id}


def retry(call: Call) -> dict[str, Any]:
    """RetryStageExecution: the failed actions of a stage again, or all of them."""
    world, told = call.world, call.params
    found, stage = _stage(call)
    run = find_execution(world, found.name, told["pipelineExecutionId"])
    if run is None or (found.mode != "PARALLEL" and found.latest.get(stage) != run.id):
        text = f"{told['pipelineExecutionId']} is not the latest execution of stage {stage}"
        raise AwsError("NotLatestPipelineExecutionException", text)
    if run.stages.get(stage) != "Failed" or run.version != found.version or stage in found.inside:
        text = "The pipeline structure or stage state might have changed, or the stage contains no failed actions."
        raise AwsError("StageNotRetryableException", f"Unable to retry stage {stage}. {text}")
    again.retry(world, found, run, stage, mode=told["retryMode"], trigger=again.BY_HAND)
    return {"pipelineExecutionId": run.id}


def rollback(call: Call) -> dict[str, Any]:
    """RollbackStage: a new run of the stage with the artifacts of an earlier one."""
    world = call.world
    found, stage = _stage(call)
    target = execution(world, found.name, call.params["targetPipelineExecutionId"])
    if target.version != found.version:
        raise AwsError("PipelineExecutionOutdatedException", OUTDATED)
    is_source = stage == found.stage_names()[0]
    if is_source or found.mode == "PARALLEL" or not again.may_go_back_to(found, target, stage):
        text = f"The stage {stage} cannot be rolled back to the execution {target.id}"
        raise AwsError("UnableToRollbackStageException", text)
    run = starts.roll_back(world, found, stage, target, trigger="ManualRollback", detail=call.caller)
    return {"pipelineExecutionId": run}


def approve(call: Call) -> dict[str, Any]:
    """PutApprovalResult."""
    return approval.answer(call, *_stage(call))


def disable(call: Call) -> dict[str, Any]:
    """DisableStageTransition: runs wait before the stage."""
    found, stage = _stage(call)
    reason = call.params["reason"]
    if not re.fullmatch(REASON, reason):
        raise structure.invalid(reason, "reason", REASON)
    _inbound(call)
    found.closed[stage] = Transition(reason, call.caller, call.world.now)
    return {}


def enable(call: Call) -> dict[str, Any]:
    """EnableStageTransition: who waits goes in."""
    found, stage = _stage(call)
    _inbound(call)
    found.closed.pop(stage, None)
    flow.admit(call.world, found, stage)
    return {}


def _inbound(call: Call) -> None:
    if call.params["transitionType"] != "Inbound":
        raise AwsError("ValidationException", "Outbound transitions are not simulated: close the way into the next one")


def _stage(call: Call) -> tuple[Pipeline, str]:
    found, stage = pipeline(call.world, call.params["pipelineName"]), call.params["stageName"]
    if stage_of(found.definition, stage) is None:
        raise AwsError("StageNotFoundException", f"Pipeline '{found.name}' does not have a stage with name '{stage}'")
    return found, stage
