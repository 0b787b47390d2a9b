"""The AWS CLI, word for word: what an engineer types in a pipeline's life."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
import release_stage
from abroad import Abroad, served
from pipeline_stage import BUCKET, NAME, Stage


@pytest.fixture(scope="module")
def stage() -> Stage:
    """A pipeline of source, build, approval and a deployment, whose first run waits for approval."""
    made = release_stage.begin()
    made.until_at("Approve")
    return made


@pytest.fixture(scope="module")
def abroad(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Abroad]:
    with served(stage.world, tmp_path_factory.mktemp("cli")) as where:
        yield where


def approval(abroad: Abroad) -> dict[str, Any]:
    """The action of the pipeline that approves, as its state shows it."""
    stages = abroad.told("codepipeline", "get-pipeline-state", "--name", NAME)["stageStates"]
    found: dict[str, Any] = stages[-1]["actionStates"][0]
    return found


def answer(abroad: Abroad, status: str) -> None:
    """Answers the approval that is waited for."""
    token = approval(abroad)["latestExecution"]["token"]
    place = ("--pipeline-name", NAME, "--stage-name", "Deploy", "--action-name", "Approve", "--token", token)
    abroad.told("codepipeline", "put-approval-result", *place, "--result", f"summary=seen,status={status}")


def advance(abroad: Abroad, seconds: float) -> None:
    world = abroad.world()
    world.clock.sleep(seconds)
    world.close()


def run_status(abroad: Abroad, run: str) -> str:
    words = ("--pipeline-name", NAME, "--pipeline-execution-id", run)
    return str(abroad.told("codepipeline", "get-pipeline-execution", *words)["pipelineExecution"]["status"])


def test_a_rejected_run_is_retried_approved_and_deployed(abroad: Abroad) -> None:
    """get-pipeline-state, put-approval-result, retry-stage-execution, list-action-executions."""
    run = abroad.told("codepipeline", "list-pipeline-executions", "--pipeline-name", NAME)[
        "pipelineExecutionSummaries"
    ][0]["pipelineExecutionId"]
    answer(abroad, "Rejected")
    advance(abroad, 10)
    assert run_status(abroad, run) == "Failed"
    again = ("--pipeline-name", NAME, "--stage-name", "Deploy", "--pipeline-execution-id", run)
    abroad.told("codepipeline", "retry-stage-execution", *again, "--retry-mode", "FAILED_ACTIONS")
    advance(abroad, 10)
    answer(abroad, "Approved")
    advance(abroad, 6 * 3600)
    assert run_status(abroad, run) == "Succeeded"
    listed = abroad.told("codepipeline", "list-action-executions", "--pipeline-name", NAME)["actionExecutionDetails"]
    told = [(one["actionName"], one["status"]) for one in reversed(listed)]
    assert told[-3:] == [("Approve", "Failed"), ("Approve", "Succeeded"), ("BlueGreen", "Succeeded")]


def test_a_run_is_started_and_stopped(abroad: Abroad) -> None:
    """start-pipeline-execution and stop-pipeline-execution."""
    run = abroad.told("codepipeline", "start-pipeline-execution", "--name", NAME)["pipelineExecutionId"]
    words = ("--pipeline-name", NAME, "--pipeline-execution-id", run, "--abandon", "--reason", "no more")
    abroad.told("codepipeline", "stop-pipeline-execution", *words)
    advance(abroad, 60)
    assert run_status(abroad, run) == "Stopped"


def test_a_build_tells_what_it_did_in_its_log(abroad: Abroad) -> None:
    """batch-get-builds, logs get-log-events and filter-log-events."""
    build = abroad.told("codebuild", "list-builds-for-project", "--project-name", NAME)["ids"][-1]
    shown = abroad.told("codebuild", "batch-get-builds", "--ids", build)["builds"][0]
    assert (shown["buildStatus"], shown["currentPhase"]) == ("SUCCEEDED", "COMPLETED")
    where = ("--log-group-name", shown["logs"]["groupName"])
    stream = ("--log-stream-name", shown["logs"]["streamName"])
    lines = [event["message"] for event in abroad.told("logs", "get-log-events", *where, *stream)["events"]]
    assert any("Phase complete: BUILD State: SUCCEEDED" in line for line in lines)
    found = abroad.told("logs", "filter-log-events", *where, "--filter-pattern", '"Phase complete: BUILD"')["events"]
    assert len(found) == 1


def test_a_build_of_no_project_is_refused(abroad: Abroad) -> None:
    """start-build, with the CLI's exit code and AWS's words."""
    code, message = abroad.refused("codebuild", "start-build", "--project-name", "missing")
    assert code == 255
    assert "An error occurred (ResourceNotFoundException) when calling the StartBuild operation" in message


def test_a_build_of_its_own_source_is_started(abroad: Abroad) -> None:
    """create-project, start-build."""
    role = abroad.told("iam", "get-role", "--role-name", "build")["Role"]["Arn"]
    spec = "version: 0.2\nphases:\n  build:\n    commands:\n      - echo hello from the CLI\n"
    project = {
        "name": "alone",
        "source": {"type": "NO_SOURCE", "buildspec": spec},
        "artifacts": {"type": "NO_ARTIFACTS"},
        "environment": {
            "type": "LINUX_CONTAINER",
            "image": "aws/codebuild/amazonlinux-x86_64-standard:5.0",
            "computeType": "BUILD_GENERAL1_SMALL",
        },
        "serviceRole": role,
    }
    abroad.told("codebuild", "create-project", "--cli-input-json", f"file://{abroad.write('project.json', project)}")
    build = abroad.told("codebuild", "start-build", "--project-name", "alone")["build"]["id"]
    advance(abroad, 600)
    shown = abroad.told("codebuild", "batch-get-builds", "--ids", build)["builds"][0]
    assert shown["buildStatus"] == "SUCCEEDED"


def test_files_are_read_and_committed(abroad: Abroad) -> None:
    """codecommit get-file, put-file and create-commit, with blobs as the CLI takes them."""
    repository = ("--repository-name", NAME)
    got = abroad.told("codecommit", "get-file", *repository, "--file-path", "appspec.json")
    assert json.loads(base64.b64decode(got["fileContent"])) == release_stage.APPSPEC
    abroad.write("notes.txt", "one\n")
    branch = (*repository, "--branch-name", "main", "--parent-commit-id")
    words = ("--file-path", "notes.txt", "--file-content", "fileb://notes.txt")
    first = abroad.told("codecommit", "put-file", *branch, got["commitId"], *words)["commitId"]
    files = json.dumps([{"filePath": "more.txt", "fileContent": base64.b64encode(b"two\n").decode()}])
    second = abroad.told("codecommit", "create-commit", *branch, first, "--put-files", files)["commitId"]
    shown = abroad.told("codecommit", "get-branch", *repository, "--branch-name", "main")["branch"]
    assert shown["commitId"] == second
    code, message = abroad.refused("codecommit", "put-file", *branch, got["commitId"], *words)
    assert (code, "ParentCommitIdOutdatedException" in message) == (255, True)


def test_balancers_and_targets_are_shown(abroad: Abroad) -> None:
    """elbv2 describe-listeners and describe-target-health, in text."""
    balancer = abroad.aws("elbv2", "describe-load-balancers", "--query", "LoadBalancers[0].LoadBalancerArn",
                          "--output", "text").stdout.strip()  # fmt: skip
    listeners = abroad.told("elbv2", "describe-listeners", "--load-balancer-arn", balancer)["Listeners"]
    assert sorted(one["Port"] for one in listeners) == [80, 8080]
    groups = listeners[0]["DefaultActions"][0]["ForwardConfig"]["TargetGroups"]
    live = next(group["TargetGroupArn"] for group in groups if group["Weight"] == 100)
    health = abroad.told("elbv2", "describe-target-health", "--target-group-arn", live)["TargetHealthDescriptions"]
    assert {one["TargetHealth"]["State"] for one in health} == {"healthy"}


def test_metrics_are_put_and_read(abroad: Abroad) -> None:
    """cloudwatch put-metric-data and get-metric-statistics, with the world's times."""
    now = abroad.world().clock.now()
    words = ("--namespace", "Cli", "--metric-name", "Answers")
    abroad.told("cloudwatch", "put-metric-data", *words, "--value", "42", "--timestamp", now.isoformat())
    advance(abroad, 300)
    window = ("--start-time", now.replace(second=0).isoformat(), "--end-time", abroad.world().clock.now().isoformat())
    got = abroad.told(
        "cloudwatch", "get-metric-statistics", *words, *window, "--period", "60", "--statistics", "Maximum"
    )
    assert [point["Maximum"] for point in got["Datapoints"]] == [42.0]


def test_repositories_of_images_are_made_and_described(abroad: Abroad) -> None:
    """ecr create-repository, get-login-password, describe-images."""
    abroad.told("ecr", "create-repository", "--repository-name", "cli")
    assert abroad.aws("ecr", "get-login-password").stdout.strip()
    told = abroad.told("ecr", "describe-repositories", "--repository-names", "cli")["repositories"][0]
    assert told["repositoryUri"] == "123456789012.dkr.ecr.us-east-1.amazonaws.com/cli"
    assert abroad.told("ecr", "describe-images", "--repository-name", "cli")["imageDetails"] == []
    code, message = abroad.refused("ecr", "describe-images", "--repository-name", "missing")
    assert (code, "RepositoryNotFoundException" in message) == (255, True)


def test_files_and_folders_are_copied_to_and_from_s3(abroad: Abroad) -> None:
    """s3 cp, sync, ls and presign."""
    (abroad.folder / "folder").mkdir()
    for name in ("a.txt", "b.txt"):
        abroad.write(f"folder/{name}", name)
    place = f"s3://{BUCKET}/cli/"
    assert abroad.aws("s3", "sync", "folder", place).returncode == 0
    assert abroad.aws("s3", "cp", place + "a.txt", "-").stdout == "a.txt"
    assert [line.split()[-1] for line in abroad.aws("s3", "ls", place).stdout.splitlines()] == ["a.txt", "b.txt"]
    url = abroad.aws("s3", "presign", place + "b.txt").stdout.strip()
    assert url.startswith(f"{abroad.url}/{BUCKET}/cli/b.txt?")
    code, message = abroad.refused("s3", "cp", place + "missing", "-")
    assert (code, "(404)" in message) == (1, True)


def test_it_knows_who_it_is(abroad: Abroad) -> None:
    """sts get-caller-identity, with credentials that nobody made."""
    told = abroad.told("sts", "get-caller-identity")
    assert (told["Account"], told["Arn"]) == ("123456789012", "arn:aws:iam::123456789012:user/operator")


def test_its_waiters_wait_in_the_world(abroad: Abroad) -> None:
    """wait services-stable ends with exit code 255 for a CODE_DEPLOY service, after ten minutes of the world."""
    before = abroad.world().clock.now()
    code, message = abroad.refused("ecs", "wait", "services-stable", "--cluster", NAME, "--services", NAME)
    assert (code, message) == (255, "Waiter ServicesStable failed: Max attempts exceeded")
    assert 9.5 * 60 < (abroad.world().clock.now() - before).total_seconds() < 10.5 * 60
