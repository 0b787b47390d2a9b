"""Who waits before which stage, and what a change of the pipeline does to runs."""

from __future__ import annotations

from typing import Any

import pytest
from pipeline_stage import NAME, Stage, action, approval, build, fresh, make_role, refusal, source, stage

from runbook_lib.sandbox import Settings


@pytest.fixture
def world() -> Stage:
    return fresh()


def gate(name: str, **more: Any) -> dict[str, Any]:
    """A manual approval."""
    return action(name, "Manual", **more)


# ---- who waits where


def test_a_newer_run_takes_the_place_of_the_one_that_waits(world: Stage) -> None:
    """The mode SUPERSEDED: one is in the stage, one waits before it, and who waited is out."""
    world.create(source(), approval())
    for _ in range(2):
        world.settle()
        world.start()
    world.settle()
    assert world.statuses() == ["InProgress", "Superseded", "InProgress"]
    waiting = world.state("Release")["inboundExecution"]["pipelineExecutionId"]
    assert waiting == world.runs()[0]["pipelineExecutionId"]
    world.answer()
    world.settle()
    assert world.state("Release")["latestExecution"]["pipelineExecutionId"] == waiting


def test_a_run_inside_a_stage_is_never_superseded(world: Stage) -> None:
    """However many come after it."""
    first = world.create(source(), approval())
    world.settle()
    world.start()
    world.settle()
    world.answer()
    assert world.status(first) == "Succeeded"


def test_queued_runs_keep_their_order(world: Stage) -> None:
    """The mode QUEUED: nobody is superseded, and the oldest goes in first."""
    world.create(source(), approval(), pipelineType="V2", executionMode="QUEUED")
    runs = [world.start(), world.start()]
    world.settle()
    waiting = [one["pipelineExecutionId"] for one in world.state("Release")["inboundExecutions"]]
    assert waiting == runs
    world.answer()
    assert world.state("Release")["latestExecution"]["pipelineExecutionId"] == runs[0]


def test_parallel_runs_do_not_wait_for_each_other(world: Stage) -> None:
    """The mode PARALLEL: all are in the stage; the token of each is with its own action run."""
    world.create(source(), approval(), pipelineType="V2", executionMode="PARALLEL")
    world.start()
    world.settle()
    asked = [one for one in world.actions() if one["actionName"] == "Approve"]
    assert [one["status"] for one in asked] == ["InProgress", "InProgress"]
    token = asked[0]["output"]["executionResult"]["externalExecutionId"]
    result = {"status": "Approved", "summary": ""}
    world.pipe.put_approval_result(
        pipelineName=NAME, stageName="Release", actionName="Approve", result=result, token=token
    )
    assert world.statuses() == ["Succeeded", "InProgress"]


def test_fifty_runs_at_once_are_the_most(world: Stage) -> None:
    """In the modes that do not supersede."""
    world.create(source(), approval(), pipelineType="V2", executionMode="QUEUED")
    for _ in range(49):
        world.start()
    code, message = refusal(world.pipe.start_pipeline_execution, name=NAME)
    assert code == "ConcurrentPipelineExecutionsLimitExceededException"
    assert message == "Pipeline orders has 50 executions in progress; the limit is 50"


def test_a_failure_frees_the_stage(world: Stage) -> None:
    """Who waited goes in."""
    world.create(source(), approval())
    world.settle()
    second = world.start()
    world.settle()
    world.answer("Rejected")
    assert world.state("Release")["latestExecution"]["pipelineExecutionId"] == second
    assert world.statuses() == ["Failed", "InProgress"]


# ---- a change in the middle of a run


def test_an_update_cancels_who_waits(world: Stage) -> None:
    """The run in the stage goes on with what it does; the one before the stage is out."""
    world.create(source(), approval())
    world.settle()
    world.start()
    world.settle()
    world.pipe.update_pipeline(pipeline=world.definition(source(), approval()))
    assert world.statuses() == ["InProgress", "Cancelled"]
    world.answer()
    assert world.statuses() == ["Succeeded", "Cancelled"]


def test_an_update_ends_a_run_with_the_action_that_runs(world: Stage) -> None:
    """What would follow is not begun; the events say CANCELED."""
    run = world.create(source(), stage("Release", gate("First"), gate("Last", runOrder=2)))
    world.settle()
    world.pipe.update_pipeline(pipeline=world.definition(source(), stage("Release", gate("First"))))
    world.answer(action="First")
    world.settle()
    assert (world.status(run), world.state("Release")["latestExecution"]["status"]) == ("Cancelled", "Cancelled")
    assert world.events("Pipeline")[-1]["state"] == world.events("Stage")[-1]["state"] == "CANCELED"


def test_an_update_ends_a_run_before_the_next_stage(world: Stage) -> None:
    """The build is done, and nothing is released by the former definition."""
    run = world.create(source(), build(), approval())
    world.until_at("Make")
    world.pipe.update_pipeline(pipeline=world.definition(source(), build(), approval(timeoutInMinutes=5)))
    world.settle()
    assert world.told(run)[-1] == ("Build", "Make", "Succeeded")
    assert world.status(run) == "Cancelled"


def test_an_update_ends_a_retry_that_has_not_begun(world: Stage) -> None:
    """And the stage is free for the next run."""
    run = world.rejected()
    world.pipe.retry_stage_execution(
        pipelineName=NAME, stageName="Release", pipelineExecutionId=run, retryMode="FAILED_ACTIONS"
    )
    world.pipe.update_pipeline(pipeline=world.definition(source(), approval()))
    second = world.start()
    world.settle()
    assert world.statuses() == ["Cancelled", "InProgress"]
    assert world.state("Release")["latestExecution"]["pipelineExecutionId"] == second


def test_a_stage_that_is_taken_away_takes_its_transition_with_it(world: Stage) -> None:
    """When it comes back, it is open."""
    world.create(source(), stage("Test", gate("First")), approval())
    world.settle()
    world.close("Release")
    world.pipe.update_pipeline(pipeline=world.definition(source(), stage("Test", gate("First"))))
    world.pipe.update_pipeline(pipeline=world.definition(source(), stage("Test", gate("First")), approval()))
    assert world.state("Release")["inboundTransitionState"] == {"enabled": True}


def test_a_role_that_is_too_young_is_refused() -> None:
    """On a real account a role needs some seconds until every service knows it."""
    world = fresh()
    world.world.settings = Settings()
    role = make_role(world.world, "young", "codepipeline.amazonaws.com")
    definition = world.definition(source(), approval(), roleArn=role)
    code, message = refusal(world.pipe.create_pipeline, pipeline=definition)
    assert code == "InvalidStructureException"
    assert message == f"CodePipeline is not authorized to perform AssumeRole on role {role}"
    world.wait(10)
    assert world.pipe.create_pipeline(pipeline=definition)["pipeline"]["roleArn"] == role
