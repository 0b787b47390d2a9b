"""Which pipelines CodePipeline takes: definitions accepted and refused, versions, updates, deletion, tags."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from pipeline_stage import NAME, NOBODY, OPERATOR, Stage, approval, build, fresh, refusal, source

CASES = Path(__file__).parents[1] / "cases/codepipeline"


@pytest.fixture
def stage() -> Stage:
    return fresh()


@pytest.fixture(scope="module")
def unchanged() -> Stage:
    """A world for calls that are refused, and so change nothing."""
    return fresh()


def cases(kind: str) -> list[Any]:
    """The cases of a kind, one a file: what is changed in whole.json, and how that is answered."""
    files = sorted((CASES / kind).glob("*.json"))
    return [pytest.param(json.loads(file.read_text(encoding="utf-8")), id=file.stem) for file in files]


def changed(changes: dict[str, Any]) -> dict[str, Any]:
    """The whole definition with values at paths such as stages.0.name changed; None removes one."""
    whole: dict[str, Any] = json.loads((CASES / "whole.json").read_text(encoding="utf-8"))
    for path, value in changes.items():
        *way, last = [int(step) if step.isdigit() else step for step in path.split(".")]
        place: Any = whole
        for step in way:
            place = place[step]
        if value is None:
            del place[last]
        else:
            place[last] = "x" * 1001 if value == "LONG" else value
    return whole


@pytest.mark.parametrize("case", cases("refused"))
def test_what_aws_refuses_is_refused_in_its_words(unchanged: Stage, case: dict[str, Any]) -> None:
    """Each case is a file: a change of the definition, the code and a part of the message."""
    code, message = refusal(unchanged.pipe.create_pipeline, pipeline=changed(case["change"]))
    assert code == case["code"]
    assert case["message"] in message
    assert unchanged.pipe.list_pipelines()["pipelines"] == []


@pytest.mark.parametrize("case", cases("accepted"))
def test_what_aws_takes_is_taken(stage: Stage, case: dict[str, Any]) -> None:
    """Each case is a file: a change of the definition that leaves it good."""
    definition = changed(case["change"])
    made = stage.pipe.create_pipeline(pipeline=definition)["pipeline"]
    assert (made["name"], made["version"]) == (NAME, 1)
    assert [one["name"] for one in made["stages"]] == ["Source", "Build", "Release"]


def test_an_update_is_refused_as_a_creation_is(stage: Stage) -> None:
    """The version that was there stays the newest."""
    stage.pipe.create_pipeline(pipeline=changed({}))
    code, message = refusal(stage.pipe.update_pipeline, pipeline=changed({"stages.2.actions": []}))
    assert (code, message) == ("InvalidStageDeclarationException", "Stage Release has no actions")
    assert stage.pipe.get_pipeline(name=NAME)["pipeline"]["version"] == 1


def test_fifty_one_stages_are_too_many(unchanged: Stage) -> None:
    """The limit is 50."""
    more = [{"name": f"More{number}", "actions": approval()["actions"]} for number in range(49)]
    code, message = refusal(unchanged.pipe.create_pipeline, pipeline=unchanged.definition(source(), build(), *more))
    assert (code, message) == ("LimitExceededException", "Pipeline has 51 stages; the limit is 50")


def test_a_definition_is_answered_with_its_defaults(stage: Stage) -> None:
    """What AWS adds: type, mode, version, run order and empty lists; reading gives the same as making."""
    made = stage.pipe.create_pipeline(pipeline=stage.definition(source(), approval()))["pipeline"]
    action = made["stages"][1]["actions"][0]
    assert (made["pipelineType"], made["executionMode"], made["version"]) == ("V1", "SUPERSEDED", 1)
    assert (action["runOrder"], action["inputArtifacts"], action["outputArtifacts"]) == (1, [], [])
    assert stage.pipe.get_pipeline(name=NAME)["pipeline"] == made


def test_reading_a_pipeline_tells_its_arn_and_its_times(stage: Stage) -> None:
    """The metadata is what update_pipeline does not take back."""
    stage.create(source(), approval())
    stage.wait(60)
    stage.pipe.update_pipeline(pipeline=stage.definition(source(), approval()))
    metadata = stage.pipe.get_pipeline(name=NAME)["metadata"]
    assert metadata["pipelineArn"] == "arn:aws:codepipeline:us-east-1:123456789012:orders"
    assert (metadata["updated"] - metadata["created"]).total_seconds() == 60


def test_every_version_of_a_pipeline_can_be_read(stage: Stage) -> None:
    """An update makes a version, whatever number it says; the former one can be taken back."""
    stage.create(source(), approval())
    former = stage.pipe.get_pipeline(name=NAME)["pipeline"]
    again = stage.pipe.update_pipeline(pipeline=copy.deepcopy(former) | {"version": 7})["pipeline"]
    assert again["version"] == 2
    assert stage.pipe.get_pipeline(name=NAME, version=1)["pipeline"] == former
    code, message = refusal(stage.pipe.get_pipeline, name=NAME, version=3)
    assert code == "PipelineVersionNotFoundException"
    assert message == "Account '123456789012' does not have a pipeline 'orders' of version '3'"


def test_a_name_is_taken_once(stage: Stage) -> None:
    """The second creation is refused, and starts nothing."""
    stage.create(source(), approval())
    code, message = refusal(stage.pipe.create_pipeline, pipeline=stage.definition(source(), approval()))
    assert code == "PipelineNameInUseException"
    assert message == "A pipeline with the name 'orders' already exists in account '123456789012'"
    assert len(stage.runs()) == 1


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("get_pipeline", {"name": NAME}),
        ("get_pipeline_state", {"name": NAME}),
        ("start_pipeline_execution", {"name": NAME}),
        ("list_pipeline_executions", {"pipelineName": NAME}),
        ("list_action_executions", {"pipelineName": NAME}),
        ("get_pipeline_execution", {"pipelineName": NAME, "pipelineExecutionId": NOBODY}),
        ("stop_pipeline_execution", {"pipelineName": NAME, "pipelineExecutionId": NOBODY}),
        ("enable_stage_transition", {"pipelineName": NAME, "stageName": "x", "transitionType": "Inbound"}),
    ],
)
def test_a_pipeline_that_is_not_there_is_not_found(unchanged: Stage, operation: str, params: dict[str, Any]) -> None:
    """By every operation, in the same words."""
    code, message = refusal(getattr(unchanged.pipe, operation), **params)
    assert code == "PipelineNotFoundException"
    assert message == "Account '123456789012' does not have a pipeline with name 'orders'"


def test_an_update_of_nothing_is_refused(unchanged: Stage) -> None:
    """The model of the operation has no error for it but this."""
    code, message = refusal(unchanged.pipe.update_pipeline, pipeline=unchanged.definition(source(), approval()))
    assert code == "InvalidStructureException"
    assert message == "Account '123456789012' does not have a pipeline with name 'orders'"


def test_pipelines_are_listed_by_name(stage: Stage) -> None:
    """With what tells them apart."""
    for name in ("b", "a"):
        stage.create_named(name)
    listed = stage.pipe.list_pipelines()["pipelines"]
    assert [one["name"] for one in listed] == ["a", "b"]
    assert (listed[0]["pipelineType"], listed[0]["executionMode"], listed[0]["version"]) == ("V1", "SUPERSEDED", 1)


def test_a_deleted_pipeline_takes_its_runs_with_it(stage: Stage) -> None:
    """What was under way ends without a word, and a new pipeline of that name begins anew."""
    stage.create(source(), build(), approval())
    stage.until_at("Make")
    stage.pipe.delete_pipeline(name=NAME)
    stage.pipe.delete_pipeline(name=NAME)
    stage.settle()
    run = stage.create(source(), approval())
    assert [one["pipelineExecutionId"] for one in stage.runs()] == [run]


def test_tags_come_with_the_pipeline_and_later(stage: Stage) -> None:
    """By its ARN; an ARN of nothing is refused."""
    stage.pipe.create_pipeline(
        pipeline=stage.definition(source(), approval()), tags=[{"key": "team", "value": "orders"}]
    )
    arn = stage.pipe.get_pipeline(name=NAME)["metadata"]["pipelineArn"]
    stage.pipe.tag_resource(resourceArn=arn, tags=[{"key": "cost", "value": "1"}])
    stage.pipe.untag_resource(resourceArn=arn, tagKeys=["team"])
    assert stage.pipe.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "cost", "value": "1"}]
    code, message = refusal(stage.pipe.list_tags_for_resource, resourceArn=arn + "x")
    assert (code, message) == ("ResourceNotFoundException", f"The resource {arn}x could not be found")


def test_who_creates_a_pipeline_is_told_as_the_trigger(stage: Stage) -> None:
    """The first run has the caller's ARN."""
    run = stage.create(source(), approval())
    assert stage.run(run)["trigger"] == {"triggerType": "CreatePipeline", "triggerDetail": OPERATOR}
