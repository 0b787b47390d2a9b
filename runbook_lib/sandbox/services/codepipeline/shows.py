"""What the API shows of a pipeline's state, its runs and their actions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.codepipeline import notices, urls
from runbook_lib.sandbox.services.codepipeline.store import (
    ActionRun,
    Execution,
    Pipeline,
    execution,
    executions,
    pipeline,
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
    stage = call.params.get("filter", {}).get("succeededInStage", {}).get("stageName")
    runs = executions(call.world, call.params["pipelineName"])
    runs = [run for run in runs if stage is None or run.stages.get(stage) == "Succeeded"]
    shown, token = _page(call, runs, call.params.get("maxResults", PAGE))
    return {"pipelineExecutionSummaries": [_summary(call.world, run) for run in shown], **token}


def list_actions(call: Call) -> dict[str, Any]:
    """ListActionExecutions, newest first, of one run or of all."""
    pipeline(call.world, call.params["pipelineName"])
    found = sorted(_chosen(call), key=lambda one: one[1].started)
    found.reverse()
    shown, token = _page(call, found, call.params.get("maxResults", PAGE))
    return {"actionExecutionDetails": [_detail(call.world, run, made) for run, made in shown], **token}


def _chosen(call: Call) -> list[tuple[Execution, ActionRun]]:
    """The action runs that the filter asks for, oldest first."""
    name, told = call.params["pipelineName"], call.params.get("filter", {})
    latest = told.get("latestInPipelineExecution")
    only = latest["pipelineExecutionId"] if latest else told.get("pipelineExecutionId")
    runs = [execution(call.world, name, only)] if only else list(reversed(executions(call.world, name)))
    if latest and latest["startTimeRange"] == "Latest":
        return [(run, made) for run in runs for stage in run.stages for made in run.newest(stage).values()]
    return [(run, made) for run in runs for made in run.runs]


def _page(call: Call, found: list[Any], size: int) -> tuple[list[Any], dict[str, str]]:
    given = call.params.get("nextToken", "0")
    if not given.isdigit():
        raise AwsError("InvalidNextTokenException", "The next token was specified in an invalid format.")
    first = int(given)
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
        if name in run.retries:
            shown["retryStageMetadata"] = run.retries[name]
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
    made = run.newest(stage).get(action["name"]) if run else None
    if run is None or made is None:
        return shown
    entity = urls.entity(world, made)
    if entity:
        shown["entityUrl"] = entity
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
        # What failed says why in its errorDetails; only an answer that somebody gave stays beside them.
        "summary": made.summary if made.error is None or made.updated_by else None,
        "externalExecutionId": made.external,
        "externalExecutionUrl": urls.execution(world, made),
        "token": made.token if made.in_progress else None,
        "lastUpdatedBy": made.updated_by,
        "errorDetails": _error(made),
    }
    return {
        "actionExecutionId": made.id,
        "status": made.status,
        "lastStatusChange": world.datetime(made.updated),
        **{key: value for key, value in optional.items() if value},
    }


def _summary(world: World, run: Execution) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "pipelineExecutionId": run.id,
        "status": run.status,
        "startTime": world.datetime(run.started),
        "lastUpdateTime": world.datetime(run.updated),
        "sourceRevisions": [_source(revision) for revision in run.revisions],
        "trigger": {"triggerType": run.trigger, "triggerDetail": run.detail},
        "executionMode": pipeline(world, run.pipeline).mode,
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
    shown = {"name": revision["artifact"], "revisionId": revision["revisionId"]}
    optional = {key: revision[key] for key in ("revisionSummary", "revisionUrl") if key in revision}
    return {**shown, **optional, "created": world.datetime(revision["created"])}


def _detail(world: World, run: Execution, made: ActionRun) -> dict[str, Any]:
    output: dict[str, Any] = {"outputArtifacts": notices.places(made.outputs), "outputVariables": made.variables}
    result = _result(world, made)
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
            "actionTypeId": made.kind,
            "configuration": made.declared["configuration"],
            "resolvedConfiguration": made.configuration,
            "region": world.settings.region,
            "inputArtifacts": notices.places(made.inputs),
            **{key: made.declared[key] for key in ("namespace", "roleArn") if key in made.declared},
        },
        "output": output,
    }


def _result(world: World, made: ActionRun) -> dict[str, Any]:
    optional = {
        # An approval's token is here too: in the mode PARALLEL the pipeline's state does not show every run.
        "externalExecutionId": made.external or made.token,
        "externalExecutionUrl": urls.execution(world, made),
        "externalExecutionSummary": made.error[1] if made.error else made.summary,
        "errorDetails": _error(made),
    }
    return {key: value for key, value in optional.items() if value}


def _error(made: ActionRun) -> dict[str, str] | None:
    return {"code": made.error[0], "message": made.error[1]} if made.error else None
