"""git itself, over the HTTP address of a repository in a served world."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pipeline_stage
import pytest
from abroad import BIN, Abroad, served
from pipeline_stage import NAME, Stage

ALONE = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}
WHO = ("-c", "user.name=Ada", "-c", "user.email=ada@example.invalid")
DEVELOPER = "arn:aws:iam::123456789012:user/ada"


@pytest.fixture(scope="module")
def stage() -> Stage:
    """A pipeline that a rule starts on a push to main; the rule tells a queue too."""
    made = pipeline_stage.fresh()
    made.create(pipeline_stage.source(), pipeline_stage.approval())
    made.settle()
    pattern = {"source": ["aws.codecommit"], "detail": {"referenceName": ["main"]}}
    events, world = made.world.client("events"), made.world
    world.client("sqs").create_queue(QueueName="pushes")
    events.put_rule(Name="push", EventPattern=json.dumps(pattern))
    role = world.arn("iam", "role/events", regional=False)
    pipeline = {"Id": "pipeline", "Arn": world.arn("codepipeline", NAME), "RoleArn": role}
    events.put_targets(Rule="push", Targets=[pipeline, {"Id": "queue", "Arn": world.arn("sqs", "pushes")}])
    return made


@pytest.fixture(scope="module")
def abroad(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Abroad]:
    """The world, with a clone of its repository in the folder of the clients."""
    stage.world.principals["AKIAADA"] = DEVELOPER
    with served(stage.world, tmp_path_factory.mktemp("git")) as where:
        git(where, "clone", "-q", f"{where.url}/v1/repos/{NAME}", ".clone")
        yield where


def git(abroad: Abroad, *words: str) -> str:
    """What git prints; it must end well."""
    done = abroad.run("git", *words, **ALONE)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def commit(abroad: Abroad, message: str) -> str:
    """Commits a changed file in the clone; its id."""
    abroad.write(".clone/notes.txt", message)
    git(abroad, "-C", ".clone", "add", "notes.txt")
    git(abroad, "-C", ".clone", *WHO, "commit", "-q", "-m", message)
    return git(abroad, "-C", ".clone", "rev-parse", "HEAD")


def runs(abroad: Abroad) -> list[dict[str, Any]]:
    """The runs of the pipeline, newest first, after what a push starts has begun."""
    world = abroad.world()
    world.clock.sleep(30)
    found = world.client("codepipeline").list_pipeline_executions(pipelineName=NAME)["pipelineExecutionSummaries"]
    return list(found)


def pushers(abroad: Abroad) -> list[str]:
    """Who pushed since this was last asked, as the events tell."""
    sqs = abroad.world().client("sqs")
    url = sqs.get_queue_url(QueueName="pushes")["QueueUrl"]
    told: list[str] = []
    while got := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        told += [json.loads(message["Body"])["detail"]["callerUserArn"] for message in got]
    return told


def test_a_push_starts_the_pipeline_through_the_rule(abroad: Abroad) -> None:
    """The run is of the commit that was pushed."""
    before = len(runs(abroad))
    made = commit(abroad, "pushed by git")
    git(abroad, "-C", ".clone", "push", "-q", "origin", "HEAD:main")
    after = runs(abroad)
    assert len(after) == before + 1
    assert [one["revisionId"] for one in after[0]["sourceRevisions"]] == [made]
    assert after[0]["trigger"]["triggerType"] == "CloudWatchEvent"
    assert pushers(abroad) == ["arn:aws:iam::123456789012:user/operator"]


def test_a_push_to_another_branch_starts_nothing(abroad: Abroad) -> None:
    """And the branch is there for the API, until git deletes it."""
    before = len(runs(abroad))
    git(abroad, "-C", ".clone", "push", "-q", "origin", "HEAD:topic")
    codecommit = abroad.world().client("codecommit")
    assert sorted(codecommit.list_branches(repositoryName=NAME)["branches"]) == ["main", "topic"]
    git(abroad, "-C", ".clone", "push", "-q", "origin", ":topic")
    assert codecommit.list_branches(repositoryName=NAME)["branches"] == ["main"]
    assert len(runs(abroad)) == before


def test_what_the_api_committed_is_fetched(abroad: Abroad) -> None:
    """And a push that does not build on it is rejected, as by any git server."""
    codecommit = abroad.world().client("codecommit")
    tip = codecommit.get_branch(repositoryName=NAME, branchName="main")["branch"]["commitId"]
    made = codecommit.put_file(
        repositoryName=NAME, branchName="main", filePath="api.txt", fileContent=b"1", parentCommitId=tip
    )["commitId"]
    commit(abroad, "written meanwhile")
    rejected = abroad.run("git", "-C", ".clone", "push", "-q", "origin", "HEAD:main", **ALONE)
    assert (rejected.returncode, "fetch first" in rejected.stderr) == (1, True)
    git(abroad, "-C", ".clone", *WHO, "pull", "-q", "--rebase", "origin", "main")
    assert git(abroad, "-C", ".clone", "rev-parse", "HEAD~1") == made
    git(abroad, "-C", ".clone", "push", "-q", "origin", "HEAD:main")


def test_the_credential_helper_of_the_cli_says_who_pushes(abroad: Abroad) -> None:
    """Its name and password are sent along; a world in a served sandbox does not ask for them."""
    runs(abroad)
    pushers(abroad)
    asked = f"protocol=http\nhost={abroad.url.removeprefix('http://')}\npath=v1/repos/{NAME}\n"
    helper = (str(BIN / "aws"), "codecommit", "credential-helper", "--ignore-host-check", "get")
    done = abroad.run(*helper, given=asked, AWS_ACCESS_KEY_ID="AKIAADA")
    told = dict(line.split("=", 1) for line in done.stdout.splitlines())
    basic = base64.b64encode(f"{told['username']}:{told['password']}".encode()).decode()
    commit(abroad, "pushed by Ada")
    header = f"http.extraHeader=Authorization: Basic {basic}"
    git(abroad, "-C", ".clone", "-c", header, "push", "-q", "origin", "HEAD:main")
    runs(abroad)
    assert pushers(abroad) == [DEVELOPER]


def test_a_repository_that_is_not_there_is_told(abroad: Abroad) -> None:
    """By git, in its own words."""
    done = abroad.run("git", "clone", "-q", f"{abroad.url}/v1/repos/missing", ".missing", **ALONE)
    assert (done.returncode, "not found" in done.stderr) == (128, True)
