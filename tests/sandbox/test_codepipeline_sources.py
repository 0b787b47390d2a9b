"""Where a run gets its source from."""

from __future__ import annotations

import io
import json
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest
from pipeline_stage import NAME, Stage, action, approval, fresh, refusal, source, stage

from runbook_lib.sandbox.services import codeconnections, ecr

BRANCH = "The action failed because no branch named main2 was found in the selected AWS CodeCommit repository orders."


@pytest.fixture
def world() -> Stage:
    return fresh()


def files(body: bytes) -> dict[str, bytes]:
    """What is in an artifact."""
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}


def s3_source(**more: str) -> dict[str, Any]:
    told = {"S3Bucket": "sources", "S3ObjectKey": "orders.zip", "PollForSourceChanges": "false"} | more
    return stage("Source", action("Fetch", "S3", outputs="Code", **told))


# ---- CodeCommit


def test_the_first_run_takes_the_head_of_the_branch(world: Stage) -> None:
    """The commit is the action's own id, and its files are the artifact."""
    commit = world.push("second", app_py="print(2)\n")
    run = world.create(source(), approval())
    world.settle()
    fetched = world.actions(run)[0]
    assert fetched["output"]["executionResult"]["externalExecutionId"] == commit
    assert files(world.artifact(fetched))["app.py"] == b"print(2)\n"
    assert world.run(run)["artifactRevisions"][0]["revisionId"] == commit


def test_a_source_has_the_variables_of_its_commit(world: Stage) -> None:
    """All that the user guide names."""
    commit = world.push("second\n", app_py="print(2)\n")
    run = world.create(source(), approval())
    world.settle()
    assert world.actions(run)[0]["output"]["outputVariables"] == {
        "RepositoryName": NAME,
        "BranchName": "main",
        "CommitId": commit,
        "CommitMessage": "second",
        "AuthorDate": "2026-03-02T09:00:00Z",
        "CommitterDate": "2026-03-02T09:00:00Z",
    }


def test_a_commit_without_a_message_has_no_summary(world: Stage) -> None:
    """The model's shortest summary has one letter: the key is left out everywhere."""
    world.push("", app_py="print(2)\n")
    run = world.create(source(), approval())
    world.settle()
    assert "revisionSummary" not in world.run(run)["artifactRevisions"][0]
    assert "revisionSummary" not in world.runs()[0]["sourceRevisions"][0]
    assert "summary" not in world.action("Source", "Checkout")["latestExecution"]


@pytest.mark.parametrize(
    ("told", "code", "words"),
    [
        ({"BranchName": "main2"}, "ConfigurationError", BRANCH),
        (
            {"RepositoryName": "nothing"},
            "JobFailed",
            "nothing does not exist (Service: AWSCodeCommit; Status Code: 400;",
        ),
    ],
)
def test_a_source_that_is_not_there_fails_the_run(world: Stage, told: dict[str, str], code: str, words: str) -> None:
    """The action says what was not found; the next stage is never entered."""
    run = world.create(source(**told), approval())
    world.settle()
    assert world.status(run) == "Failed"
    assert (world.error(run)["code"], words in world.error(run)["message"]) == (code, True)
    assert "latestExecution" not in world.state("Release")


def test_all_sources_are_fetched_together(world: Stage) -> None:
    """Two actions of the first stage begin at the same time."""
    second = action("Other", "CodeCommit", outputs="Other", RepositoryName=NAME, BranchName="main")
    both = stage("Source", source()["actions"][0], second)
    run = world.create(both, approval())
    world.settle()
    first, other = (one for one in world.actions(run) if one["stageName"] == "Source")
    assert first["startTime"] == other["startTime"]
    assert len(world.run(run)["artifactRevisions"]) == 2


def test_a_store_that_is_gone_fails_the_action(world: Stage) -> None:
    """In S3's words, and the world goes on."""
    run = world.create(source(), approval(), artifactStore={"type": "S3", "location": "nowhere"})
    world.settle()
    assert world.error(run) == {
        "code": "JobFailed",
        "message": "The specified bucket does not exist "
        "(Service: Amazon S3; Status Code: 404; Error Code: NoSuchBucket)",
    }


def test_a_run_builds_the_revision_that_was_asked_for(world: Stage) -> None:
    """An older commit, while the branch has gone on."""
    world.create(source(), approval())
    old = world.push("old", app_py="old\n")
    world.push("new", app_py="new\n")
    asked = {"actionName": "Checkout", "revisionType": "COMMIT_ID", "revisionValue": old}
    run = world.start(sourceRevisions=[asked])
    world.settle()
    assert files(world.artifact(world.actions(run)[0]))["app.py"] == b"old\n"
    assert world.run(run)["artifactRevisions"][0]["revisionSummary"] == "old"


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"actionName": "Other", "revisionType": "COMMIT_ID"}, "does not have a source action with name 'Other'"),
        ({"actionName": "Checkout", "revisionType": "IMAGE_DIGEST"}, "takes a revision of type COMMIT_ID"),
    ],
)
def test_a_revision_of_the_wrong_kind_is_refused(world: Stage, asked: dict[str, str], words: str) -> None:
    """Before a run begins."""
    world.create(source(), approval())
    code, message = refusal(
        world.pipe.start_pipeline_execution, name=NAME, sourceRevisions=[{**asked, "revisionValue": "1"}]
    )
    assert code == "ValidationException"
    assert words in message
    assert len(world.runs()) == 1


# ---- S3, ECR, connections


def test_an_object_of_s3_is_taken_with_its_version(world: Stage) -> None:
    """The version is the revision, and the object is the artifact as it is."""
    s3 = world.client("s3")
    s3.create_bucket(Bucket="sources")
    s3.put_bucket_versioning(Bucket="sources", VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket="sources", Key="orders.zip", Body=b"PK")["VersionId"]
    run = world.create(s3_source(), approval())
    world.settle()
    fetched = world.actions(run)[0]
    assert world.artifact(fetched) == b"PK"
    assert set(fetched["output"]["outputVariables"]) == {"VersionId", "ETag"}
    revision = world.runs()[0]["sourceRevisions"][0]
    assert (revision["revisionId"], revision["revisionSummary"]) == (version, f"Amazon S3 version id: {version}")


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("orders.zip", "The Amazon S3 bucket sources is not versioned"),
        ("other.zip", "The Amazon S3 object could not be found: sources/other.zip"),
    ],
)
def test_an_object_that_cannot_be_taken_fails_the_run(world: Stage, key: str, words: str) -> None:
    """A source bucket must keep versions, and the object must be there."""
    s3 = world.client("s3")
    s3.create_bucket(Bucket="sources")
    s3.put_object(Bucket="sources", Key="orders.zip", Body=b"PK")
    run = world.create(s3_source(S3ObjectKey=key), approval())
    world.settle()
    assert world.error(run)["code"] == "ConfigurationError"
    assert words in world.error(run)["message"]


def test_a_version_that_is_none_fails_the_run(world: Stage) -> None:
    """It is not found, as an object that is not there."""
    s3 = world.client("s3")
    s3.create_bucket(Bucket="sources")
    s3.put_bucket_versioning(Bucket="sources", VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket="sources", Key="orders.zip", Body=b"PK")
    world.create(s3_source(), approval())
    asked = {"actionName": "Fetch", "revisionType": "S3_OBJECT_VERSION_ID", "revisionValue": "x"}
    run = world.start(sourceRevisions=[asked])
    world.settle()
    assert world.error(run)["message"] == "The Amazon S3 object could not be found: sources/orders.zip"


def test_an_image_becomes_an_image_detail(world: Stage) -> None:
    """The artifact of an ECR source is imageDetail.json, with the image by its digest."""
    world.client("ecr").create_repository(repositoryName=NAME)
    pushed = ecr.push(world.world, NAME, "v1", ecr.Image(files="1"))
    run = world.create(
        stage("Source", action("Image", "ECR", outputs="Code", RepositoryName=NAME, ImageTag="v1")), approval()
    )
    world.settle()
    fetched = world.actions(run)[0]
    detail = json.loads(files(world.artifact(fetched))["imageDetail.json"])
    assert detail["ImageURI"] == f"123456789012.dkr.ecr.us-east-1.amazonaws.com/orders@{pushed.digest}"
    assert fetched["output"]["outputVariables"]["ImageDigest"] == pushed.digest


def test_an_image_that_is_not_there_fails_the_run(world: Stage) -> None:
    """The tag is named."""
    run = world.create(stage("Source", action("Image", "ECR", outputs="Code", RepositoryName=NAME)), approval())
    world.settle()
    assert world.error(run) == {
        "code": "ConfigurationError",
        "message": "The image with tag latest in the repository orders could not be found",
    }


@pytest.fixture
def connected(world: Stage, tmp_path: Path) -> tuple[str, Path]:
    """A connection that somebody has completed, and the folder of a repository behind it."""
    for words in (
        ["init", "-qb", "main"],
        ["config", "user.email", "ada@example.invalid"],
        ["config", "user.name", "Ada"],
    ):
        git(tmp_path, *words)
    commit(tmp_path, "first")
    made = world.client("codeconnections").create_connection(ConnectionName="hub", ProviderType="GitHub")
    codeconnections.complete(world.world, made["ConnectionArn"], {"example/orders": str(tmp_path)})
    return made["ConnectionArn"], tmp_path


def git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def commit(folder: Path, message: str) -> str:
    (folder / "app.py").write_text(message, encoding="utf-8")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", message)
    return git(folder, "rev-parse", "HEAD")


def hub(arn: str, **more: str) -> dict[str, Any]:
    told = {"ConnectionArn": arn, "FullRepositoryId": "example/orders", "BranchName": "main"} | more
    return stage("Source", action("Hub", "CodeStarSourceConnection", outputs="Code", **told))


def test_a_connection_gives_the_head_of_a_branch(world: Stage, connected: tuple[str, Path]) -> None:
    """With the variables of a connection, and no repository of CodeCommit."""
    arn, folder = connected
    run = world.create(hub(arn, DetectChanges="false"), approval())
    world.settle()
    fetched = world.actions(run)[0]
    told = fetched["output"]["outputVariables"]
    assert files(world.artifact(fetched)) == {"app.py": b"first"}
    assert (told["CommitId"], told["CommitMessage"]) == (git(folder, "rev-parse", "HEAD"), "first")
    assert (told["ConnectionArn"], told["FullRepositoryName"], told["BranchName"]) == (arn, "example/orders", "main")


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"BranchName": "other"}, "No Branch [other] found for FullRepositoryName [example/orders]"),
        ({"FullRepositoryId": "example/other"}, "No repository example/other found through connection hub"),
    ],
)
def test_what_a_connection_does_not_find_fails_the_run(
    world: Stage, connected: tuple[str, Path], told: dict[str, str], words: str
) -> None:
    """The branch or the repository is named."""
    run = world.create(hub(connected[0], **told), approval())
    world.settle()
    assert words in world.error(run)["message"]


def test_a_connection_that_nobody_completed_fails_the_run(world: Stage) -> None:
    """It is PENDING until a person goes to the console."""
    made = world.client("codeconnections").create_connection(ConnectionName="hub", ProviderType="GitHub")
    run = world.create(hub(made["ConnectionArn"]), approval())
    world.settle()
    assert "its status is PENDING. A person completes it in the console." in world.error(run)["message"]


def test_a_push_through_a_connection_starts_a_run(world: Stage, connected: tuple[str, Path]) -> None:
    """Unless DetectChanges is false; the trigger is the connection's webhook."""
    arn, folder = connected
    world.create(hub(arn), approval())
    world.settle()
    pushed = commit(folder, "second")
    world.wait(70)
    newest = world.runs()[0]
    assert newest["trigger"] == {"triggerType": "WebhookV2", "triggerDetail": arn}
    assert newest["sourceRevisions"][0]["revisionId"] == pushed
