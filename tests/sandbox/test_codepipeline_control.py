"""What somebody does to runs: transitions and stops."""

from __future__ import annotations

import pytest
from pipeline_stage import (
    NAME,
    NOBODY,
    OPERATOR,
    Stage,
    approval,
    build,
    fresh,
    gates,
    refusal,
    source,
)


@pytest.fixture
def world() -> Stage:
    return fresh()


# ---- transitions


def test_a_closed_transition_holds_runs_before_the_stage(world: Stage) -> None:
    """It shows why and by whom; opened again, who waits goes in."""
    run = world.create(source(), approval())
    world.close("Release", "incident 7")
    world.settle()
    closed = world.state("Release")
    assert closed["inboundExecution"] == {"pipelineExecutionId": run, "status": "InProgress"}
    assert closed["inboundTransitionState"]["disabledReason"] == "incident 7"
    assert closed["inboundTransitionState"]["lastChangedBy"] == OPERATOR
    world.open("Release")
    world.settle()
    assert world.state("Release")["inboundTransitionState"] == {"enabled": True}
    assert world.told(run)[-1] == ("Release", "Approve", "InProgress")


def test_a_closed_transition_does_not_touch_who_is_inside(world: Stage) -> None:
    """The run in the stage ends as it would have."""
    run = world.create(source(), approval())
    world.settle()
    world.close("Release")
    world.answer()
    assert world.status(run) == "Succeeded"


def test_before_a_closed_transition_the_newest_waits(world: Stage) -> None:
    """When it opens, the newest change goes in and the older ones are superseded."""
    world.create(source(), approval())
    world.close("Release")
    world.settle()
    newest = world.start()
    world.settle()
    world.open("Release")
    assert world.statuses() == ["Superseded", "InProgress"]
    assert world.state("Release")["latestExecution"]["pipelineExecutionId"] == newest


@pytest.mark.parametrize(
    ("params", "code", "words"),
    [
        (
            {"stageName": "Nothing"},
            "StageNotFoundException",
            "Pipeline 'orders' does not have a stage with name 'Nothing'",
        ),
        ({"reason": "a, b"}, "ValidationException", "Value 'a, b' at 'reason' failed to satisfy constraint"),
        ({"transitionType": "Outbound"}, "ValidationException", "Outbound transitions are not simulated"),
    ],
)
def test_a_transition_that_cannot_be_closed_is_refused(
    world: Stage, params: dict[str, str], code: str, words: str
) -> None:
    """A stage that is not there, a reason with other signs than AWS takes, and the way out of a stage."""
    world.create(source(), approval())
    told = {"pipelineName": NAME, "stageName": "Release", "transitionType": "Inbound", "reason": "x"} | params
    seen, message = refusal(world.pipe.disable_stage_transition, **told)
    assert (seen, words in message) == (code, True)


# ---- stops


def test_a_stop_waits_for_what_runs(world: Stage) -> None:
    """Stopping, until the action has ended; what would follow is not begun."""
    run = world.create(source(), gates("First", "Last"))
    world.settle()
    assert world.pipe.stop_pipeline_execution(pipelineName=NAME, pipelineExecutionId=run, reason="wrong one")
    assert (world.status(run), world.state("Release")["latestExecution"]["status"]) == ("Stopping", "Stopping")
    world.answer(action="First")
    world.settle()
    assert (world.status(run), world.state("Release")["latestExecution"]["status"]) == ("Stopped", "Stopped")
    assert "latestExecution" not in world.action("Release", "Last")
    assert [event["state"] for event in world.events("Pipeline")] == ["STARTED", "STOPPING", "STOPPED"]


def test_a_stopped_run_says_why(world: Stage) -> None:
    """The reason is in the list of runs."""
    run = world.create(source(), approval())
    world.pipe.stop_pipeline_execution(pipelineName=NAME, pipelineExecutionId=run, reason="wrong one")
    assert world.runs()[0]["stopTrigger"] == {"reason": "wrong one"}
    assert world.run(run)["statusSummary"] == "wrong one"


def test_an_abandoned_build_goes_on_alone(world: Stage) -> None:
    """The run is stopped at once; CodeBuild knows nothing of it, and its end changes nothing."""
    run = world.create(source(), build(), approval())
    world.until_at("Make")
    world.pipe.stop_pipeline_execution(pipelineName=NAME, pipelineExecutionId=run, abandon=True)
    assert (world.status(run), world.told(run)[-1][2]) == ("Stopped", "Abandoned")
    world.settle()
    made = world.client("codebuild").list_builds()["ids"]
    assert world.client("codebuild").batch_get_builds(ids=made)["builds"][0]["buildStatus"] == "SUCCEEDED"
    assert (world.status(run), world.told(run)[-1][2]) == ("Stopped", "Abandoned")


def test_an_abandoned_source_fetches_nothing(world: Stage) -> None:
    """What it had begun comes too late."""
    run = world.create(source(), approval())
    world.until_at("Checkout")
    world.pipe.stop_pipeline_execution(pipelineName=NAME, pipelineExecutionId=run, abandon=True)
    world.settle()
    assert world.run(run)["artifactRevisions"] == []
    assert world.told(run) == [("Source", "Checkout", "Abandoned")]


def test_a_run_that_waits_is_stopped_at_once(world: Stage) -> None:
    """It leaves the queue, and the stage belongs to the next."""
    world.create(source(), approval())
    world.settle()
    run = world.start()
    world.settle()
    world.pipe.stop_pipeline_execution(pipelineName=NAME, pipelineExecutionId=run)
    assert world.status(run) == "Stopped"
    assert "inboundExecution" not in world.state("Release")


def test_a_retry_that_has_not_begun_can_be_stopped(world: Stage) -> None:
    """The stage is free afterwards."""
    run = world.rejected()
    told = {"pipelineName": NAME, "pipelineExecutionId": run}
    world.pipe.retry_stage_execution(stageName="Release", retryMode="FAILED_ACTIONS", **told)
    world.pipe.stop_pipeline_execution(**told)
    second = world.start()
    world.settle()
    assert world.status(run) == "Stopped"
    assert world.told(second)[-1] == ("Release", "Approve", "InProgress")


def test_a_stop_can_be_asked_for_once(world: Stage) -> None:
    """Then only abandoning is left, and afterwards nothing."""
    run = world.create(source(), approval())
    world.settle()
    stop, told = world.pipe.stop_pipeline_execution, {"pipelineName": NAME, "pipelineExecutionId": run}
    stop(**told)
    assert refusal(stop, **told) == (
        "DuplicatedStopRequestException",
        "The pipeline execution is already in a Stopping state.",
    )
    stop(**told, abandon=True)
    code, message = refusal(stop, **told)
    assert code == "PipelineExecutionNotStoppableException"
    assert message == f"Unable to stop the pipeline execution {run}: it is Stopped"
    assert refusal(stop, **told | {"pipelineExecutionId": NOBODY})[0] == "PipelineExecutionNotStoppableException"
