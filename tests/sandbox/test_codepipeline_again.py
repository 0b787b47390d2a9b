"""A stage once more: retried or rolled back, by hand or by itself."""

from __future__ import annotations

from typing import Any

import pytest
from pipeline_stage import (
    NAME,
    NOBODY,
    Stage,
    action,
    approval,
    build,
    buildspec,
    fresh,
    gates,
    refusal,
    source,
    stage,
)


@pytest.fixture
def world() -> Stage:
    return fresh()


def retried(world: Stage, run: str, mode: str = "FAILED_ACTIONS", stage: str = "Release") -> str:
    found: str = world.pipe.retry_stage_execution(
        pipelineName=NAME, stageName=stage, pipelineExecutionId=run, retryMode=mode
    )["pipelineExecutionId"]
    world.settle()
    return found


# ---- retries


def test_a_retry_runs_the_failed_actions_again(world: Stage) -> None:
    """In the same run, without those that had succeeded."""
    run = world.create(source(), gates("First", "Last"))
    world.settle()
    world.answer(action="First")
    world.answer("Rejected", action="Last")
    assert retried(world, run) == run
    assert [told[1:] for told in world.told(run)][2:] == [("Last", "Failed"), ("Last", "InProgress")]
    world.answer(action="Last")
    assert world.status(run) == "Succeeded"


def test_a_retry_of_all_actions_begins_with_the_first(world: Stage) -> None:
    """And goes on in their order."""
    run = world.create(source(), gates("First", "Last"))
    world.settle()
    world.answer(action="First")
    world.answer("Rejected", action="Last")
    retried(world, run, "ALL_ACTIONS")
    assert world.told(run)[-1] == ("Release", "First", "InProgress")
    world.answer(action="First")
    world.answer(action="Last")
    assert world.status(run) == "Succeeded"


def test_a_retry_is_told_as_one(world: Stage) -> None:
    """The events say RESUMED and count the attempt; the state counts the retries."""
    run = world.rejected()
    retried(world, run)
    assert [(event["state"], event["pipeline-execution-attempt"]) for event in world.events("Pipeline")] == [
        ("STARTED", 1),
        ("FAILED", 1),
        ("RESUMED", 2),
    ]
    assert world.events("Stage")[-1]["state"] == "RESUMED"
    told = {"latestRetryTrigger": "ManualStageRetry", "manualStageRetryAttempt": 1}
    assert world.state("Release")["retryStageMetadata"] == told


def test_a_retried_build_takes_the_same_commit(world: Stage) -> None:
    """What was pushed meanwhile is not in it: the source stage is not run again."""
    world.push("broken", buildspec_yml=buildspec("exit 1"))
    run = world.create(source(), build())
    world.settle()
    world.push("repaired", buildspec_yml=buildspec("true"))
    retried(world, run, stage="Build")
    assert world.statuses() == ["Failed"]
    assert world.run(run)["artifactRevisions"][0]["revisionSummary"] == "broken"


def test_a_retried_source_takes_the_new_commit(world: Stage) -> None:
    """The run shows what it has fetched last, once."""
    run = world.create(source(BranchName="side"), approval())
    world.settle()
    commit = world.client("codecommit").get_branch(repositoryName=NAME, branchName="main")["branch"]["commitId"]
    world.client("codecommit").create_branch(repositoryName=NAME, branchName="side", commitId=commit)
    retried(world, run, stage="Source")
    assert [one["revisionId"] for one in world.run(run)["artifactRevisions"]] == [commit]
    assert world.told(run)[-1] == ("Release", "Approve", "InProgress")


def test_a_stage_that_succeeded_cannot_be_retried(world: Stage) -> None:
    """Nor one of a former definition."""
    run = world.rejected()
    retry = world.pipe.retry_stage_execution
    told = {"pipelineName": NAME, "pipelineExecutionId": run, "retryMode": "FAILED_ACTIONS"}
    code, message = refusal(retry, stageName="Source", **told)
    assert code == "StageNotRetryableException"
    assert message.startswith("Unable to retry stage Source. The pipeline structure or stage state might have changed")
    world.pipe.update_pipeline(pipeline=world.definition(source(), approval()))
    assert refusal(retry, stageName="Release", **told)[0] == "StageNotRetryableException"


def test_only_the_latest_run_of_a_stage_can_be_retried(world: Stage) -> None:
    """A run that came later has taken its place; a run that is not there is none either."""
    run = world.rejected()
    world.start()
    world.settle()
    retry = world.pipe.retry_stage_execution
    for id in (run, NOBODY):
        code, message = refusal(
            retry, pipelineName=NAME, stageName="Release", pipelineExecutionId=id, retryMode="FAILED_ACTIONS"
        )
        assert code == "NotLatestPipelineExecutionException"
        assert message == f"{id} is not the latest execution of stage Release"


def test_a_stage_can_retry_by_itself_once(world: Stage) -> None:
    """onFailure RETRY: the second failure is the last."""
    run = world.rejected(gates("Approve", onFailure={"result": "RETRY"}))
    world.settle()
    assert world.state("Release")["retryStageMetadata"]["autoStageRetryAttempt"] == 1
    world.answer("Rejected")
    world.settle()
    assert world.status(run) == "Failed"
    assert [told[2] for told in world.told(run)] == ["Succeeded", "Failed", "Failed"]


# ---- rollbacks of a stage


def two_runs(world: Stage, *stages: dict[str, Any], **changes: Any) -> tuple[str, str]:
    """A run that was approved with the first commit, and one with the second that waits for its answer."""
    first = world.create(source(), *(stages or (approval(CustomData="#{Checkout.CommitMessage}"),)), **changes)
    world.settle()
    world.answer()
    world.push("second", app_py="2")
    second = world.start()
    world.settle()
    return first, second


def roll_back(world: Stage, target: str, stage: str = "Release") -> Any:
    told = {"pipelineName": NAME, "stageName": stage, "targetPipelineExecutionId": target}
    return world.pipe.rollback_stage(**told)


def test_a_stage_goes_back_to_an_earlier_run(world: Stage) -> None:
    """A new run of that stage alone, with the artifacts and variables of the earlier one."""
    first, _ = two_runs(world)
    world.answer()
    run = roll_back(world, first)["pipelineExecutionId"]
    world.settle()
    shown = world.run(run)
    assert (shown["executionType"], shown["trigger"]["triggerType"]) == ("ROLLBACK", "ManualRollback")
    assert shown["rollbackMetadata"] == {"rollbackTargetPipelineExecutionId": first}
    assert shown["artifactRevisions"] == world.run(first)["artifactRevisions"]
    assert world.state("Release")["latestExecution"]["type"] == "ROLLBACK"
    assert world.actions(run)[0]["input"]["resolvedConfiguration"] == {"CustomData": "first"}
    world.answer()
    assert (world.status(run), len(world.actions(run))) == ("Succeeded", 1)


def test_a_rollback_ends_with_its_stage(world: Stage) -> None:
    """The stages after it are not run."""
    tested = stage("Test", action("Try", "Manual"))
    first = world.create(source(), tested, approval())
    world.settle()
    world.answer(stage="Test", action="Try")
    world.settle()
    run = roll_back(world, first, "Test")["pipelineExecutionId"]
    world.settle()
    world.answer(stage="Test", action="Try")
    world.settle()
    assert (world.status(run), world.status(first)) == ("Succeeded", "InProgress")


def test_what_a_stage_cannot_go_back_to_is_refused(world: Stage) -> None:
    """The source stage, a run that did not succeed there, a rollback, and a run that is not there."""
    first, second = two_runs(world)
    code, message = refusal(roll_back, world=world, target=first, stage="Source")
    assert code == "UnableToRollbackStageException"
    assert message == f"The stage Source cannot be rolled back to the execution {first}"
    assert refusal(roll_back, world=world, target=second)[0] == "UnableToRollbackStageException"
    world.answer()
    rollback = roll_back(world, first)["pipelineExecutionId"]
    world.settle()
    world.answer()
    assert refusal(roll_back, world=world, target=rollback)[0] == "UnableToRollbackStageException"
    assert refusal(roll_back, world=world, target=NOBODY)[0] == "PipelineExecutionNotFoundException"


def test_an_update_takes_the_targets_of_rollbacks_away(world: Stage) -> None:
    """Only runs of the current version can be gone back to."""
    first, _ = two_runs(world)
    world.pipe.update_pipeline(pipeline=world.definition(source(), approval()))
    code, message = refusal(roll_back, world=world, target=first)
    assert code == "PipelineExecutionOutdatedException"
    outdated = "The specified pipeline execution is outdated and cannot be used as a target pipeline execution for"
    assert message == f"{outdated} rollback."


def test_parallel_runs_cannot_be_rolled_back(world: Stage) -> None:
    """In the mode PARALLEL there is no stage that a run holds."""
    first, _ = two_runs(world, approval(), pipelineType="V2", executionMode="PARALLEL")
    assert refusal(roll_back, world=world, target=first)[0] == "UnableToRollbackStageException"


def test_a_stage_can_go_back_by_itself(world: Stage) -> None:
    """onFailure ROLLBACK: to the last run that succeeded in it; the trigger names the run that failed."""
    first, second = two_runs(world, gates("Approve", onFailure={"result": "ROLLBACK"}))
    world.answer("Rejected")
    world.settle()
    newest = world.runs()[0]
    assert newest["rollbackMetadata"] == {"rollbackTargetPipelineExecutionId": first}
    assert newest["trigger"] == {
        "triggerType": "AutomatedRollback",
        "triggerDetail": f'{{"FailedPipelineExecutionId": "{second}"}}',
    }


def test_a_stage_without_a_success_goes_nowhere(world: Stage) -> None:
    """There is no run to go back to."""
    world.rejected(gates("Approve", onFailure={"result": "ROLLBACK"}))
    world.settle()
    assert world.statuses() == ["Failed"]


def test_a_rollback_that_fails_is_not_rolled_back(world: Stage) -> None:
    """It would go round for ever."""
    two_runs(world, gates("Approve", onFailure={"result": "ROLLBACK"}))
    for _ in range(2):
        world.answer("Rejected")
        world.settle()
    assert world.statuses() == ["Succeeded", "Failed", "Failed"]
