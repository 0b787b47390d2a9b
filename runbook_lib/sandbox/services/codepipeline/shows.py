"""What the API shows of a pipeline's state, its runs and their actions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.services.codepipeline.store import (
    ActionRun,
    Execution,
    Pipeline,
    execution,
    executions,
    pipeline,
    stage_of,
    store,
)

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

PAGE = 100


def state(call: Call) -> dict[str, Any]:
    """GetPipelineState: per stage the run that was last in it; there is no status of the pipeline as a whole."""
    world, found = call.world, pipeline(call.world, call.params["name"])
    return {
        "pipelineName": found.name,
        "pipelineVersion": found.version,
        "stageStates": [_stage(world, found, stage) for stage in found.definition["stages"]],
        "created": world.datetime(found.created),
        "updated": world.datetime(found.updated),
    }


def get_execution(call: Call) -> dict[str, Any]:
    """GetPipelineExecution by its id."""
    run = execution(call.world, call.params["pipelineName"], call.params["pipelineExecutionId"])
    shown = _summary(call.world, run)
    revisions = [_revision(call.world, revision) for revision in run.revisions]
    kept = (
        "pipelineExecutionId",
        "status",
        "trigger",
        "executionMode",
        "executionType",
        "rollbackMetadata",
        "statusSummary",
    )
    return {
        "pipelineExecution": {
            **{key: shown[key] for key in kept if key in shown},
            "pipelineName": run.pipeline,
            "pipelineVersion": run.version,
            "artifactRevisions": revisions,
            "variables": [{"name": k, "resolvedValue": v} for k, v in run.namespaces.get("variables", {}).items()],
        }
    }


def list_executions(call: Call) -> dict[str, Any]:
    """ListPipelineExecutions, newest first."""
    pipeline(call.world, call.params["pipelineName"])
    runs = executions(call.world, call.params["pipelineName"])
    shown, token = _page(call, runs, call.params.get("maxResults", PAGE))
    return {"pipelineExecutionSummaries": [_summary(call.world, run) for run in shown], **token}


def list_actions(call: Call) -> dict[str, Any]:
    """ListActionExecutions, newest first, of one run or of all."""
    pipeline(call.world, call.params["pipelineName"])
    only = call.params.get("filter", {}).get("pipelineExecutionId")
    runs = [run for run in executions(call.world, call.params["pipelineName"]) if only in (None, run.id)]
    found = [(run, made) for run in runs for made in reversed(run.runs)]
    shown, token = _page(call, found, call.params.get("maxResults", PAGE))
    return {"actionExecutionDetails": [_detail(call.world, run, made) for run, made in shown], **token}


def _page(call: Call, found: list[Any], size: int) -> tuple[list[Any], dict[str, str]]:
    first = int(call.params.get("nextToken", "0"))
    token = {"nextToken": str(first + size)} if first + size < len(found) else {}
    return found[first : first + size], token


def _stage(world: World, found: Pipeline, stage: Mapping[str, Any]) -> dict[str, Any]:
    name = stage["name"]
    run = store(world).executions.get(found.latest.get(name, ""))
    waiting = [{"pipelineExecutionId": one, "status": "InProgress"} for one in found.waiting.get(name, ())]
    shown: dict[str, Any] = {
        "stageName": name,
        "inboundTransitionState": _transition(world, found, name),
        "actionStates": [_action(world, run, name, action) for action in stage["actions"]],
    }
    if run:
        kind = {"type": run.kind} if run.kind != "STANDARD" else {}
        shown["latestExecution"] = {"pipelineExecutionId": run.id, "status": run.stages.get(name, "InProgress"), **kind}
    if waiting:
        shown |= {"inboundExecutions": waiting, "inboundExecution": waiting[-1]}
    return shown


def _transition(world: World, found: Pipeline, stage: str) -> dict[str, Any]:
    closed = found.closed.get(stage)
    if closed is None:
        return {"enabled": True}
    return {
        "enabled": False,
        "disabledReason": closed.reason,
        "lastChangedBy": closed.by,
        "lastChangedAt": world.datetime(closed.at),
    }


def _action(world: World, run: Execution | None, stage: str, action: Mapping[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {"actionName": action["name"]}
    made = _newest(run, stage, action["name"])
    if run is None or made is None:
        return shown
    revision = next((one for one in run.revisions if one["actionName"] == made.name), None)
    if revision:
        short = {"revisionChangeId": revision["revisionId"][:7]}
        shown["currentRevision"] = {
            "revisionId": revision["revisionId"],
            **short,
            "created": world.datetime(revision["created"]),
        }
        if "revisionUrl" in revision:
            shown["revisionUrl"] = revision["revisionUrl"]
    shown["latestExecution"] = _latest(world, made)
    return shown


def _latest(world: World, made: ActionRun) -> dict[str, Any]:
    optional = {
        "summary": made.summary,
        "externalExecutionId": made.external,
        "token": made.token if made.status == "InProgress" else None,
        "lastUpdatedBy": made.updated_by,
        "errorDetails": {"code": made.error[0], "message": made.error[1]} if made.error else None,
    }
    return {
        "actionExecutionId": made.id,
        "status": made.status,
        "lastStatusChange": world.datetime(made.updated),
        **{key: value for key, value in optional.items() if value},
    }


def _newest(run: Execution | None, stage: str, name: str) -> ActionRun | None:
    own = [made for made in run.runs if made.stage == stage and made.name == name] if run else []
    return own[-1] if own else None


def _summary(world: World, run: Execution) -> dict[str, Any]:
    found = store(world).pipelines.get(run.pipeline)
    shown: dict[str, Any] = {
        "pipelineExecutionId": run.id,
        "status": run.status,
        "startTime": world.datetime(run.started),
        "lastUpdateTime": world.datetime(run.updated),
        "sourceRevisions": [_source(revision) for revision in run.revisions],
        "trigger": {"triggerType": run.trigger, "triggerDetail": run.detail},
        "executionMode": found.mode if found else "SUPERSEDED",
        "executionType": run.kind,
    }
    if run.reason:
        shown |= {"stopTrigger": {"reason": run.reason}, "statusSummary": run.reason}
    if run.target:
        shown["rollbackMetadata"] = {"rollbackTargetPipelineExecutionId": run.target}
    return shown


def _source(revision: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: revision[key] for key in ("actionName", "revisionId", "revisionSummary", "revisionUrl") if key in revision
    }


def _revision(world: World, revision: Mapping[str, Any]) -> dict[str, Any]:
    shown = {"name": revision["actionName"], "revisionId": revision["revisionId"]}
    optional = {key: revision[key] for key in ("revisionSummary", "revisionUrl") if key in revision}
    return {**shown, **optional, "created": world.datetime(revision["created"])}


def _detail(world: World, run: Execution, made: ActionRun) -> dict[str, Any]:
    found = store(world).pipelines.get(run.pipeline)
    declared = stage_of(found.versions[run.version - 1], made.stage) if found else None
    action: Mapping[str, Any] = {}
    if declared:
        action = next((one for one in declared["actions"] if one["name"] == made.name), {})
    result: dict[str, Any] = {}
    if made.external:
        result["externalExecutionId"] = made.external
    if made.summary:
        result["externalExecutionSummary"] = made.summary
    if made.error:
        result["errorDetails"] = {"code": made.error[0], "message": made.error[1]}
    output: dict[str, Any] = {"outputArtifacts": _places(made.outputs), "outputVariables": made.variables}
    if result:
        output["executionResult"] = result
    return {
        "pipelineExecutionId": run.id,
        "actionExecutionId": made.id,
        "pipelineVersion": run.version,
        "stageName": made.stage,
        "actionName": made.name,
        "startTime": world.datetime(made.started),
        "lastUpdateTime": world.datetime(made.updated),
        "status": made.status,
        **({"updatedBy": made.updated_by} if made.updated_by else {}),
        "input": {
            "actionTypeId": action.get("actionTypeId", {}),
            "configuration": action.get("configuration", {}),
            "resolvedConfiguration": made.configuration,
            "region": world.settings.region,
            "inputArtifacts": _places(made.inputs),
            **({"namespace": action["namespace"]} if "namespace" in action else {}),
        },
        "output": output,
    }


def _places(artifacts: Mapping[str, tuple[str, str]]) -> list[dict[str, Any]]:
    return [{"name": name, "s3location": {"bucket": where[0], "key": where[1]}} for name, where in artifacts.items()]
