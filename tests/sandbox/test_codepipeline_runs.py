"""A run on its way: its stages, its builds and its approvals."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest
from pipeline_stage import (
    NAME,
    OPERATOR,
    Stage,
    action,
    approval,
    build,
    buildspec,
    fresh,
    refusal,
    source,
    stage,
)

FAILED = (
    "Build terminated with state: FAILED. Phase: BUILD, Code: COMMAND_EXECUTION_ERROR, "
    "Message: Error while executing command: exit 3. Reason: exit status 3"
)


@pytest.fixture
def world() -> Stage:
    return fresh()


def gate(name: str, **more: Any) -> dict[str, Any]:
    """A manual approval."""
    return action(name, "Manual", **more)


# ---- from the first stage to the last


def test_a_pipeline_runs_as_soon_as_it_is_made(world: Stage) -> None:
    """Nobody starts its first run, and every stage follows the one before it."""
    run = world.create(source(), build(), approval())
    assert world.statuses() == ["InProgress"]
    world.settle()
    world.answer()
    assert world.told(run) == [
        ("Source", "Checkout", "Succeeded"),
        ("Build", "Make", "Succeeded"),
        ("Release", "Approve", "Succeeded"),
    ]
    assert world.status(run) == "Succeeded"


def test_a_run_tells_the_bus_of_every_step(world: Stage) -> None:
    """The run, its stages and its actions, in AWS's words for events."""
    world.create(source(), approval())
    world.settle()
    world.answer("Rejected")
    assert [event["state"] for event in world.events("Pipeline")] == ["STARTED", "FAILED"]
    assert [(event["stage"], event["state"]) for event in world.events("Stage")] == [
        ("Source", "STARTED"),
        ("Source", "SUCCEEDED"),
        ("Release", "STARTED"),
        ("Release", "FAILED"),
    ]
    assert [(event["action"], event["state"]) for event in world.events("Action")] == [
        ("Checkout", "STARTED"),
        ("Checkout", "SUCCEEDED"),
        ("Approve", "STARTED"),
        ("Approve", "FAILED"),
    ]


def test_actions_of_one_order_run_together_and_those_of_the_next_after_them(world: Stage) -> None:
    """The numbers may have gaps."""
    gates = [gate("First"), gate("Second"), gate("Last", runOrder=7)]
    world.create(source(), stage("Release", *gates))
    world.settle()
    assert [told[1] for told in world.told()] == ["Checkout", "First", "Second"]
    world.answer(action="First")
    assert world.told()[-1][1] == "Second"
    world.answer(action="Second")
    assert world.told()[-1] == ("Release", "Last", "InProgress")


def test_a_stage_fails_when_all_its_running_actions_have_ended(world: Stage) -> None:
    """One is rejected while the other still waits; the next order is never begun."""
    run = world.create(source(), stage("Release", gate("First"), gate("Second"), gate("Last", runOrder=2)))
    world.settle()
    world.answer("Rejected", action="First")
    assert world.status(run) == "InProgress"
    world.answer(action="Second")
    assert (world.status(run), world.state("Release")["latestExecution"]["status"]) == ("Failed", "Failed")
    assert "latestExecution" not in world.action("Release", "Last")


# ---- builds


def test_a_build_makes_the_artifact_of_the_next_action(world: Stage) -> None:
    """Its id is the action's own, and what it exports can be used later."""
    spec = buildspec("printf made > made.txt", "export TAG=v7")
    world.push("exports", buildspec_yml=spec.replace("phases:", "env:\n  exported-variables: [TAG]\nphases:"))
    run = world.create(source(), build(namespace="Make"), approval(CustomData="#{Make.TAG}"))
    world.settle()
    built, asked = world.actions(run)[1:]
    with zipfile.ZipFile(io.BytesIO(world.artifact(built))) as archive:
        assert archive.read("made.txt") == b"made"
    assert built["output"]["outputVariables"] == {"TAG": "v7"}
    assert asked["input"]["resolvedConfiguration"] == {"CustomData": "v7"}


def test_a_build_belongs_to_the_pipeline_and_to_its_commit(world: Stage) -> None:
    """CodeBuild shows who started it, and which commit the source stands for."""
    commit = world.push("second", app_py="2")
    run = world.create(source(), build())
    world.settle()
    id = world.actions(run)[1]["output"]["executionResult"]["externalExecutionId"]
    made = world.client("codebuild").batch_get_builds(ids=[id])["builds"][0]
    assert (made["initiator"], made["resolvedSourceVersion"]) == ("codepipeline/orders", commit)


def test_a_failed_build_fails_the_run_with_its_reason(world: Stage) -> None:
    """Phase, code and message of the build; nothing of the next stage begins."""
    world.push("broken", buildspec_yml=buildspec("exit 3"))
    run = world.create(source(), build(), approval())
    world.settle()
    assert world.error(run) == {"code": "JobFailed", "message": FAILED}
    assert world.action("Build", "Make")["latestExecution"]["errorDetails"]["message"] == FAILED
    assert (world.status(run), world.state("Build")["latestExecution"]["status"]) == ("Failed", "Failed")
    assert "latestExecution" not in world.state("Release")


def test_a_project_that_is_not_there_fails_the_action(world: Stage) -> None:
    """In CodeBuild's words."""
    run = world.create(source(), build(ProjectName="nothing"))
    world.settle()
    assert world.error(run)["code"] == "JobFailed"
    assert (
        "(Service: AWSCodeBuild; Status Code: 400; Error Code: ResourceNotFoundException)"
        in world.error(run)["message"]
    )


@pytest.mark.parametrize("told", ["no list", '{"name": 1}', '[{"name": "A"}]'])
def test_variables_that_are_no_list_fail_the_build(world: Stage, told: str) -> None:
    """A configuration error, before a build starts."""
    run = world.create(source(), build(EnvironmentVariables=told))
    world.settle()
    message = "The EnvironmentVariables of action Make are not a JSON array of objects with name and value"
    assert world.error(run) == {"code": "ConfigurationError", "message": message}


def test_a_build_takes_several_artifacts_and_makes_several(world: Stage) -> None:
    """The primary one is the source; the others lie in CODEBUILD_SRC_DIR_name, and outputs are secondary artifacts."""
    spec = (
        "version: 0.2\nphases:\n  build:\n    commands:\n      - cp $CODEBUILD_SRC_DIR_Other/app.py other.txt\n"
        "artifacts:\n  files: [app.py]\n  secondary-artifacts:\n"
        "    One: {files: [app.py]}\n    Two: {files: [other.txt]}\n"
    )
    commit = world.push("both", app_py="main", buildspec_yml=spec)
    world.client("codecommit").create_branch(repositoryName=NAME, branchName="side", commitId=commit)
    world.push("side", branch="side", app_py="side")
    other = {"RepositoryName": NAME, "BranchName": "side", "PollForSourceChanges": "false"}
    sources = stage("Source", *source()["actions"], action("Side", "CodeCommit", outputs="Other", **other))
    make = action("Make", "CodeBuild", "Other Code", "One Two", ProjectName=NAME, PrimarySource="Code")
    run = world.create(sources, stage("Build", make))
    world.settle()
    assert world.status(run) == "Succeeded"
    names = [artifact["name"] for artifact in world.actions(run)[-1]["output"]["outputArtifacts"]]
    assert names == ["One", "Two"]


# ---- approvals


def test_an_approval_waits_for_an_answer(world: Stage) -> None:
    """A token is shown while it waits; afterwards who answered, and what he said."""
    world.create(source(), approval())
    world.settle()
    waiting = world.action("Release", "Approve")["latestExecution"]
    world.answer()
    answered = world.action("Release", "Approve")["latestExecution"]
    assert (waiting["status"], "lastUpdatedBy" in waiting) == ("InProgress", False)
    assert (answered["status"], "token" in answered) == ("Succeeded", False)
    assert (answered["lastUpdatedBy"], answered["summary"]) == (OPERATOR, "seen")


def test_a_rejected_approval_fails_the_run(world: Stage) -> None:
    """The summary is the reason."""
    run = world.create(source(), approval())
    world.settle()
    world.answer("Rejected")
    assert (world.status(run), world.error(run)["message"]) == ("Failed", "Approval rejected: seen")


def test_an_approval_that_nobody_answers_expires(world: Stage) -> None:
    """After its own time, or after seven days."""
    run = world.create(source(), approval(timeoutInMinutes=5))
    world.settle()
    world.wait(299)
    assert world.status(run) == "InProgress"
    world.wait(2)
    assert (world.status(run), world.error(run)["message"]) == ("Failed", "The approval has expired.")


def test_an_approval_is_answered_once_and_with_its_token(world: Stage) -> None:
    """Another token, a second answer, and an action that is not there are refused."""
    world.create(source(), approval())
    world.settle()
    token = world.action("Release", "Approve")["latestExecution"]["token"]
    told: dict[str, Any] = {"pipelineName": NAME, "stageName": "Release", "actionName": "Approve", "token": token}
    told["result"] = {"status": "Approved", "summary": ""}
    answer = world.pipe.put_approval_result
    assert refusal(answer, **told | {"token": "other"})[0] == "InvalidApprovalTokenException"
    assert refusal(answer, **told | {"actionName": "Other"})[0] == "ActionNotFoundException"
    assert refusal(answer, **told | {"stageName": "Other"})[0] == "StageNotFoundException"
    answer(**told)
    code, message = refusal(answer, **told)
    assert (code, message) == ("ApprovalAlreadyCompletedException", "The approval has already been completed.")


def test_an_approval_asks_by_a_topic(world: Stage) -> None:
    """The message has the token and what the approver should know."""
    queue = world.client("sqs").create_queue(QueueName="asked")["QueueUrl"]
    sns = world.client("sns")
    topic = sns.create_topic(Name="asked")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=world.world.arn("sqs", "asked"))
    world.create(source(), approval(NotificationArn=topic, CustomData="#{Checkout.CommitMessage}"))
    world.settle()
    body = json.loads(world.client("sqs").receive_message(QueueUrl=queue)["Messages"][0]["Body"])
    asked = json.loads(body["Message"])
    assert body["Subject"] == "APPROVAL NEEDED: AWS CodePipeline orders for action Approve"
    assert set(asked) == {"region", "consoleLink", "approval"}
    assert (
        asked["approval"].items()
        >= {
            "pipelineName": NAME,
            "stageName": "Release",
            "actionName": "Approve",
            "token": world.action("Release", "Approve")["latestExecution"]["token"],
            "expires": "2026-03-09T09:00Z",
            "customData": "first",
        }.items()
    )


def test_an_approval_whose_topic_is_gone_fails(world: Stage) -> None:
    """In the words of SNS."""
    run = world.create(source(), approval(NotificationArn=world.world.arn("sns", "nothing")))
    world.settle()
    assert world.error(run)["code"] == "JobFailed"
    assert "(Service: AmazonSNS; Status Code: 404; Error Code: NotFound" in world.error(run)["message"]
