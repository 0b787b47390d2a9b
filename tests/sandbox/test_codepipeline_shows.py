"""What the API shows of a release in each of its phases: keys, enums and roles as in tests/cases/codepipeline/shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pipeline_stage import NAME, NOBODY, Stage, action, approval, fresh, refusal, source, stage
from release_stage import begin

SHOWS = Path(__file__).parents[1] / "cases/codepipeline/shows"
KEYS: dict[str, list[str]] = json.loads((SHOWS / "keys.json").read_text(encoding="utf-8"))


def case(name: str) -> Any:
    return json.loads((SHOWS / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def phases() -> dict[str, dict[str, Any]]:
    """GetPipelineState in each phase of the first release, by the name of the phase; then a second run comes."""
    world = begin()
    found = {"created": state(world)}
    world.settle()
    found["approval"] = state(world)
    world.answer(stage="Deploy")
    world.wait(5)
    found["deploying"] = state(world)
    world.start()
    world.wait(600)
    found["waiting"] = state(world)
    second = world.runs()[0]["pipelineExecutionId"]
    world.pipe.stop_pipeline_execution(pipelineName=NAME, pipelineExecutionId=second)
    deployment = world.action("Deploy", "BlueGreen")["latestExecution"]["externalExecutionId"]
    world.client("codedeploy").stop_deployment(deploymentId=deployment)
    world.until(lambda: world.runs()[-1]["status"] == "Failed")
    found["failed"] = state(world)
    return found


def state(world: Stage) -> dict[str, Any]:
    found: dict[str, Any] = world.pipe.get_pipeline_state(name=NAME)
    del found["ResponseMetadata"]
    return found


def seen(shown: dict[str, Any]) -> dict[str, Any]:
    """A state as the case files tell it: which run, which status, which keys; runs are numbered as they appear."""
    numbers: dict[str, int] = {}
    return {one["stageName"]: _stage(one, numbers) for one in shown["stageStates"]}


def _stage(one: dict[str, Any], numbers: dict[str, int]) -> dict[str, Any]:
    def numbered(run: dict[str, str]) -> str:
        number = numbers.setdefault(run["pipelineExecutionId"], len(numbers) + 1)
        return f"run {number} {run['status']}"

    return {
        "keys": sorted(one),
        "latest": numbered(one["latestExecution"]) if "latestExecution" in one else None,
        "waiting": [numbered(run) for run in one.get("inboundExecutions", ())],
        "open": one["inboundTransitionState"]["enabled"],
        "actions": {each["actionName"]: _action(each) for each in one["actionStates"]},
    }


def _action(each: dict[str, Any]) -> dict[str, Any]:
    latest = each.get("latestExecution", {})
    return {"keys": sorted(each), "status": latest.get("status"), "latest": sorted(latest)}


@pytest.mark.parametrize("phase", ["created", "approval", "deploying", "waiting", "failed"])
def test_every_phase_shows_what_the_samples_show(phases: dict[str, dict[str, Any]], phase: str) -> None:
    """Stages, actions and who waits; not a key more or less."""
    assert seen(phases[phase]) == case(phase)


def test_a_state_has_no_status_of_the_pipeline_as_a_whole(phases: dict[str, dict[str, Any]]) -> None:
    """Whoever wants one looks at the stages, or at a run."""
    assert sorted(phases["approval"]) == KEYS["state"]


def test_a_failed_deployment_shows_its_id_and_its_reason(phases: dict[str, dict[str, Any]]) -> None:
    """The deployment's own id, its page, and what became of it."""
    failed = phases["failed"]["stageStates"][2]["actionStates"][1]
    deployment = failed["latestExecution"]["externalExecutionId"]
    page = f"https://console.aws.amazon.com/codesuite/codedeploy/deployments/{deployment}?region=us-east-1"
    assert failed["latestExecution"]["externalExecutionUrl"] == page
    assert failed["latestExecution"]["errorDetails"] == {
        "code": "JobFailed",
        "message": f"Deployment {deployment} stopped",
    }


def test_a_revision_is_shown_with_its_first_seven_letters(phases: dict[str, dict[str, Any]]) -> None:
    """And with the page of the commit."""
    checkout = phases["approval"]["stageStates"][0]["actionStates"][0]
    commit = checkout["currentRevision"]["revisionId"]
    assert (len(commit), checkout["currentRevision"]["revisionChangeId"]) == (40, commit[:7])
    assert checkout["revisionUrl"].endswith(f"/repositories/orders/commit/{commit}")


# ---- runs and their actions


@pytest.fixture(scope="module")
def done() -> Stage:
    """A world in which one run has been approved, one rejected, and one waits for an answer."""
    world = fresh()
    world.create(source(), stage("Build", action("Make", "CodeBuild", "Code", "Built", ProjectName=NAME)), approval())
    for answer in ("Approved", "Rejected"):
        world.settle()
        world.answer(answer)
        world.start()
    world.settle()
    return world


def test_a_run_has_the_keys_of_the_api(done: Stage) -> None:
    """GetPipelineExecution and ListPipelineExecutions; a rollback and a reason come only where there is one."""
    run = done.runs()[-1]
    shown = done.run(run["pipelineExecutionId"])
    assert sorted(shown) == KEYS["execution"]
    assert sorted(shown["artifactRevisions"][0]) == KEYS["artifactRevision"]
    assert sorted(run) == KEYS["executionSummary"]
    assert sorted(run["sourceRevisions"][0]) == KEYS["sourceRevision"]


def test_revisions_are_named_by_artifact_and_by_action(done: Stage) -> None:
    """The run names the artifact, the list of runs the action."""
    run = done.runs()[-1]
    assert done.run(run["pipelineExecutionId"])["artifactRevisions"][0]["name"] == "Code"
    assert run["sourceRevisions"][0]["actionName"] == "Checkout"


def test_runs_are_listed_newest_first(done: Stage) -> None:
    """With how each of them ended."""
    assert [run["status"] for run in done.runs()] == ["InProgress", "Failed", "Succeeded"]


def test_runs_can_be_listed_by_the_stage_they_succeeded_in(done: Stage) -> None:
    """These can be rolled back to."""
    found = done.runs(filter={"succeededInStage": {"stageName": "Release"}})
    assert [run["status"] for run in found] == ["Succeeded"]


def test_lists_come_in_pages(done: Stage) -> None:
    """A token leads on; one that was not given is refused."""
    pages = done.pipe.get_paginator("list_pipeline_executions").paginate(
        pipelineName=NAME, PaginationConfig={"PageSize": 2}
    )
    assert [len(page["pipelineExecutionSummaries"]) for page in pages] == [2, 1]
    code, message = refusal(done.pipe.list_action_executions, pipelineName=NAME, nextToken="x")
    assert (code, message) == ("InvalidNextTokenException", "The next token was specified in an invalid format.")


@pytest.mark.parametrize("number", [0, 1, 2])
def test_an_action_run_has_the_keys_of_the_api(done: Stage, number: int) -> None:
    """Source, build and approval of the run that succeeded."""
    shown = done.actions(done.runs()[-1]["pipelineExecutionId"])[number]
    told = case("actions")[number]
    assert sorted(shown) == told["keys"]
    assert sorted(shown["input"]) == told["input"]
    assert sorted(shown["output"]) == told["output"]
    assert sorted(shown["output"]["executionResult"]) == told["result"]


def test_action_runs_are_listed_newest_first(done: Stage) -> None:
    """Of all runs, or of one."""
    run = done.runs()[0]["pipelineExecutionId"]
    listed = done.pipe.list_action_executions(pipelineName=NAME)["actionExecutionDetails"]
    starts = [one["startTime"] for one in listed]
    assert starts == sorted(starts, reverse=True)
    assert [one["actionName"] for one in listed[:3]] == ["Approve", "Make", "Checkout"]
    assert {one["pipelineExecutionId"] for one in done.actions(run)} == {run}


def test_an_artifact_goes_from_one_action_to_the_next(done: Stage) -> None:
    """The place that one made is the place that the next took."""
    checkout, make, _ = done.actions(done.runs()[0]["pipelineExecutionId"])
    made = checkout["output"]["outputArtifacts"]
    assert made == make["input"]["inputArtifacts"]
    assert made[0]["name"] == "Code"
    assert made[0]["s3location"]["key"].startswith("orders/Code/")


def test_only_the_latest_attempt_can_be_listed() -> None:
    """After a retry: the last run of each action, without the one that failed."""
    world = fresh()
    run = world.rejected()
    world.pipe.retry_stage_execution(
        pipelineName=NAME, stageName="Release", pipelineExecutionId=run, retryMode="FAILED_ACTIONS"
    )
    world.settle()
    for span, statuses in (("All", ["Succeeded", "Failed", "InProgress"]), ("Latest", ["Succeeded", "InProgress"])):
        told = {"latestInPipelineExecution": {"pipelineExecutionId": run, "startTimeRange": span}}
        assert [one["status"] for one in world.actions(filter=told)] == statuses


def test_a_run_that_is_not_there_is_not_found(done: Stage) -> None:
    """By its id, in every question."""
    text = f"PipelineExecution {NOBODY} does not exist in pipeline orders"
    wanted = ("PipelineExecutionNotFoundException", text)
    assert refusal(done.pipe.get_pipeline_execution, pipelineName=NAME, pipelineExecutionId=NOBODY) == wanted
    told = {"pipelineExecutionId": NOBODY}
    assert refusal(done.pipe.list_action_executions, pipelineName=NAME, filter=told) == wanted


@pytest.mark.parametrize("kind", ["Pipeline", "Stage", "Action"])
def test_events_have_the_keys_of_the_samples(done: Stage, kind: str) -> None:
    """The one that begins and the one that ends, of each kind."""
    told = {event["state"]: event for event in done.events(kind)}
    assert {state: sorted(told[state]) for state in ("STARTED", "SUCCEEDED", "FAILED")} == case("events")[kind]


def test_an_event_names_the_pipeline_as_its_resource(done: Stage) -> None:
    """By its ARN, with the action's type in the detail."""
    events = done.world.store("events").emitted
    told = next(event for event in events if event["detail-type"] == "CodePipeline Action Execution State Change")
    assert (told["source"], told["resources"]) == ("aws.codepipeline", [done.world.arn("codepipeline", NAME)])
    assert told["detail"]["type"] == {"category": "Source", "owner": "AWS", "provider": "CodeCommit", "version": "1"}
