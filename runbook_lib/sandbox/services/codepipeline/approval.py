"""Manual approvals: a token, a message to a topic, and an end when nobody answers.

CodePipeline user guide, approvals-json-format and limits (seven days).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.codepipeline import flow, urls
from runbook_lib.sandbox.services.codepipeline.failure import JOB_FAILED, asking
from runbook_lib.sandbox.services.codepipeline.store import ActionRun, Execution, Pipeline, executions, stage_of

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

MINUTES = 7 * 24 * 60


def begin(world: World, found: Pipeline, run: Execution, made: ActionRun) -> None:
    """Ask for an answer."""
    made.token = world.ids.uuid("approval token")
    seconds = made.declared.get("timeoutInMinutes", MINUTES) * 60
    topic = made.configuration.get("NotificationArn")
    if topic:
        subject = f"APPROVAL NEEDED: AWS CodePipeline {found.name} for action {made.name}"
        text = json.dumps(_message(world, found, made, world.now + seconds))
        with asking("AmazonSNS"):
            world.client("sns").publish(TopicArn=topic, Subject=subject[:100], Message=text)
    # In the background: while only this is left to happen, somebody who waits waits for himself to answer.
    world.after(seconds, "codepipeline.approval_expired", run.id, made.id, background=True)


def _message(world: World, found: Pipeline, made: ActionRun, expires: float) -> dict[str, Any]:
    region = world.settings.region
    link = f"{urls.CONSOLE}/codesuite/codepipeline/pipelines/{found.name}/view?region={region}"
    optional = {
        "externalEntityLink": made.configuration.get("ExternalEntityLink"),
        "customData": made.configuration.get("CustomData"),
    }
    asked = {
        "pipelineName": found.name,
        "stageName": made.stage,
        "actionName": made.name,
        "token": made.token,
        "expires": world.datetime(expires).strftime("%Y-%m-%dT%H:%MZ"),
        "approvalReviewLink": f"{link}#/{made.stage}/{made.name}/approve/{made.token}",
    }
    approval = {**asked, **{key: value for key, value in optional.items() if value}}
    return {"region": region, "consoleLink": link, "approval": approval}


def expired(world: World, run_id: str, action_id: str) -> None:
    """Nobody answered in time."""
    at_work = flow.under_way(world, run_id, action_id)
    if at_work:
        flow.finish(world, *at_work, status="Failed", error=(JOB_FAILED, "The approval has expired."))


def answer(call: Call, found: Pipeline, stage: str) -> dict[str, Any]:
    """PutApprovalResult: approved goes on, rejected fails the action."""
    told = call.params
    declared = stage_of(found.definition, stage) or {"actions": []}
    if told["actionName"] not in [action["name"] for action in declared["actions"]]:
        text = f"Stage '{stage}' of pipeline '{found.name}' does not have an action with name '{told['actionName']}'"
        raise AwsError("ActionNotFoundException", text)
    for run in executions(call.world, found.name):
        for made in run.runs:
            if (made.stage, made.name, made.token) == (stage, told["actionName"], told["token"]):
                return _answered(call, run, made)
    raise AwsError("InvalidApprovalTokenException", "The approval token is not valid.")


def _answered(call: Call, run: Execution, made: ActionRun) -> dict[str, Any]:
    if not made.in_progress:
        raise AwsError("ApprovalAlreadyCompletedException", "The approval has already been completed.")
    world, result = call.world, call.params["result"]
    made.updated_by = call.caller
    if result["status"] == "Approved":
        flow.finish(world, run, made, summary=result["summary"])
    else:
        error = (JOB_FAILED, f"Approval rejected: {result['summary']}")
        flow.finish(world, run, made, status="Failed", summary=result["summary"], error=error)
    return {"approvedAt": world.datetime()}
