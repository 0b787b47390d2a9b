"""What starts a run, and with which variables."""

from __future__ import annotations

import json

import pytest
from pipeline_stage import NAME, OPERATOR, Stage, action, approval, build, buildspec, fresh, refusal, source, stage


@pytest.fixture
def world() -> Stage:
    return fresh()


# ---- what starts a run


def rule(world: Stage, role: str = "events") -> str:
    """The rule that starts the pipeline on a push to main; its ARN."""
    detail = {"event": ["referenceCreated", "referenceUpdated"], "referenceName": ["main"]}
    events = world.client("events")
    arn: str = events.put_rule(Name="push", EventPattern=json.dumps({"source": ["aws.codecommit"], "detail": detail}))[
        "RuleArn"
    ]
    target = {
        "Id": "pipeline",
        "Arn": world.world.arn("codepipeline", NAME),
        "RoleArn": world.world.arn("iam", f"role/{role}", regional=False),
    }
    events.put_targets(Rule="push", Targets=[target])
    return arn


def test_a_push_starts_a_run_through_a_rule(world: Stage) -> None:
    """The trigger is the rule, by its ARN; a push to another branch starts nothing."""
    world.create(source(), approval())
    arn = rule(world)
    commit = world.push("second", app_py="print(2)\n")
    world.settle()
    world.client("codecommit").create_branch(repositoryName=NAME, branchName="side", commitId=commit)
    world.settle()
    assert len(world.runs()) == 2
    assert world.runs()[0]["trigger"] == {"triggerType": "CloudWatchEvent", "triggerDetail": arn}
    assert world.runs()[0]["sourceRevisions"][0]["revisionId"] == commit


def test_without_a_rule_a_push_starts_nothing(world: Stage) -> None:
    """Making a pipeline makes no rule, and one that does not poll hears of nothing."""
    world.create(source(), approval())
    world.push("second", app_py="print(2)\n")
    world.wait(600)
    assert len(world.runs()) == 1


def test_a_source_polls_unless_it_is_told_not_to(world: Stage) -> None:
    """PollForSourceChanges is true by default: a push is found, once."""
    told = {"RepositoryName": NAME, "BranchName": "main"}
    world.create(stage("Source", action("Checkout", "CodeCommit", outputs="Code", **told)), approval())
    world.wait(200)
    world.push("second", app_py="print(2)\n")
    world.wait(200)
    assert [run["trigger"]["triggerType"] for run in world.runs()] == ["PollForSourceChanges", "CreatePipeline"]


def test_a_rule_beside_polling_starts_two_runs_for_one_push(world: Stage) -> None:
    """What hurts when the default is left as it is."""
    world.create(source(PollForSourceChanges="true"), approval())
    rule(world)
    world.push("second", app_py="print(2)\n")
    world.wait(200)
    triggers = [run["trigger"]["triggerType"] for run in world.runs()]
    assert triggers == ["PollForSourceChanges", "CloudWatchEvent", "CreatePipeline"]


def test_polling_ends_with_the_definition_that_asked_for_it(world: Stage) -> None:
    """After an update that turns it off, and after the deletion of the pipeline."""
    world.create(source(PollForSourceChanges="true"), approval())
    world.pipe.update_pipeline(pipeline=world.definition(source(), approval()))
    world.push("second", app_py="print(2)\n")
    world.wait(200)
    assert len(world.runs()) == 1


def test_an_object_is_polled_too(world: Stage) -> None:
    """A new version of it starts a run; one that is not there yet is found when it comes."""
    s3 = world.client("s3")
    s3.create_bucket(Bucket="sources")
    s3.put_bucket_versioning(Bucket="sources", VersioningConfiguration={"Status": "Enabled"})
    told = {"S3Bucket": "sources", "S3ObjectKey": "orders.zip"}
    world.create(stage("Source", action("Fetch", "S3", outputs="Code", **told)), approval())
    world.wait(100)
    s3.put_object(Bucket="sources", Key="orders.zip", Body=b"PK")
    world.wait(200)
    assert world.statuses() == ["Failed", "InProgress"]


def test_a_start_by_hand_names_the_caller(world: Stage) -> None:
    """The same token starts one run."""
    world.create(source(), approval())
    run = world.start(clientRequestToken="one")
    assert world.start(clientRequestToken="one") == run
    assert world.run(run)["trigger"] == {"triggerType": "StartPipelineExecution", "triggerDetail": OPERATOR}
    assert len(world.runs()) == 2


def test_polling_starts_nothing_that_lacks_a_variable(world: Stage) -> None:
    """Nobody is there to give it."""
    polled = source(PollForSourceChanges="true")
    world.pipe.create_pipeline(
        pipeline=world.definition(polled, approval(), pipelineType="V2", variables=[{"name": "NOTE"}])
    )
    world.push("second", app_py="print(2)\n")
    world.wait(200)
    assert world.runs() == []


# ---- variables of the pipeline


def with_variables(world: Stage, *variables: dict[str, str]) -> str:
    return world.create(
        source(), approval(CustomData="#{variables.NOTE}"), pipelineType="V2", variables=list(variables)
    )


def test_variables_have_their_defaults_unless_they_are_given(world: Stage) -> None:
    """The run shows them, and actions see them."""
    with_variables(world, {"name": "NOTE", "defaultValue": "none"})
    world.settle()
    world.answer()
    run = world.start(variables=[{"name": "NOTE", "value": "urgent"}])
    world.settle()
    assert world.run(run)["variables"] == [{"name": "NOTE", "resolvedValue": "urgent"}]
    assert world.actions(run)[-1]["input"]["resolvedConfiguration"] == {"CustomData": "urgent"}
    assert world.actions(run)[-1]["input"]["configuration"] == {"CustomData": "#{variables.NOTE}"}


def test_a_variable_without_a_default_must_be_given(world: Stage) -> None:
    """No run begins without it, not even the first."""
    world.pipe.create_pipeline(
        pipeline=world.definition(source(), approval(), pipelineType="V2", variables=[{"name": "NOTE"}])
    )
    code, message = refusal(world.pipe.start_pipeline_execution, name=NAME)
    assert (code, message) == ("ValidationException", "Pipeline variable NOTE has no default and must be given")
    assert world.runs() == []


def test_a_variable_that_is_not_declared_is_refused(world: Stage) -> None:
    """By its name."""
    world.create(source(), approval())
    given = [{"name": "NOTE", "value": "urgent"}]
    code, message = refusal(world.pipe.start_pipeline_execution, name=NAME, variables=given)
    assert (code, message) == ("ValidationException", "Pipeline orders has no variable NOTE")


def test_a_build_gets_the_message_of_the_commit_as_it_is(world: Stage) -> None:
    """Quotes in it do not break the list of variables in which it stands."""
    world.push('say "hi"', buildspec_yml=buildspec('printf %s "$MESSAGE" > said.txt'))
    told = json.dumps([{"name": "MESSAGE", "value": "#{Checkout.CommitMessage}", "type": "PLAINTEXT"}])
    run = world.create(source(), build(EnvironmentVariables=told))
    world.settle()
    assert b'say "hi"' in world.artifact(world.actions(run)[-1])
