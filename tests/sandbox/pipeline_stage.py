"""A world with a repository, an artifact store, a build project and roles, and words to build pipelines with."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from botocore.exceptions import ClientError

from runbook_lib.sandbox import moto_state
from runbook_lib.sandbox.settings import Settings
from runbook_lib.sandbox.world import World

NAME = "orders"
BUCKET = "orders-artifacts"
OPERATOR = "arn:aws:iam::123456789012:user/operator"
NOBODY = "12345678-1234-1234-1234-123456789012"  # the id of no run
CATEGORIES = {
    "CodeCommit": "Source",
    "S3": "Source",
    "ECR": "Source",
    "CodeStarSourceConnection": "Source",
    "CodeBuild": "Build",
    "Manual": "Approval",
    "ECS": "Deploy",
    "CodeDeployToECS": "Deploy",
}
# What a build of the sandbox hands over; a test that builds names its own commands.
BUILDSPEC = "version: 0.2\nphases:\n  build:\n    commands:\n{commands}\nartifacts:\n  files: ['**/*']\n"


@dataclass
class Stage:
    """A world in which pipelines can run."""

    world: World

    def client(self, service: str) -> Any:
        """A client of the operator."""
        return self.world.gateway.client(service, caller=self.world.operator)

    @property
    def pipe(self) -> Any:
        return self.client("codepipeline")

    # ---- doing

    def push(self, message: str = "a change", *, branch: str = "main", **files: str) -> str:
        """Commits files, of which a_b stands for a.b, and gives the commit's id."""
        git = self.client("codecommit")
        heads = git.list_branches(repositoryName=NAME)["branches"]
        parent = git.get_branch(repositoryName=NAME, branchName=branch)["branch"] if branch in heads else {}
        made: str = git.create_commit(
            repositoryName=NAME,
            branchName=branch,
            commitMessage=message,
            putFiles=[{"filePath": n.replace("_", "."), "fileContent": c.encode()} for n, c in files.items()],
            **({"parentCommitId": parent["commitId"]} if parent else {}),
        )["commitId"]
        return made

    def create(self, *stages: Mapping[str, Any], **changes: Any) -> str:
        """Creates a pipeline of these stages and gives the id of its first run."""
        self.pipe.create_pipeline(pipeline=self.definition(*stages, **changes))
        return self.runs()[0]["pipelineExecutionId"]

    def create_named(self, name: str) -> None:
        """Creates another pipeline."""
        self.pipe.create_pipeline(pipeline=self.definition(source(), approval(), name=name))

    def definition(self, *stages: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
        """A pipeline's definition; None removes a key."""
        whole = {
            "name": NAME,
            "roleArn": self.world.arn("iam", "role/pipeline", regional=False),
            "artifactStore": {"type": "S3", "location": BUCKET},
            "stages": list(stages),
        } | changes
        return {key: value for key, value in whole.items() if value is not None}

    def rejected(self, *stages: Mapping[str, Any]) -> str:
        """Creates a pipeline and rejects the release of its first run."""
        run = self.create(source(), *(stages or (approval(),)))
        self.settle()
        self.answer("Rejected")
        return run

    def start(self, **params: Any) -> str:
        run: str = self.pipe.start_pipeline_execution(name=NAME, **params)["pipelineExecutionId"]
        return run

    def answer(self, status: str = "Approved", *, stage: str = "Release", action: str = "Approve") -> Any:
        """Answers the approval that is waited for."""
        return self.pipe.put_approval_result(
            pipelineName=NAME,
            stageName=stage,
            actionName=action,
            result={"status": status, "summary": "seen"},
            token=self.action(stage, action)["latestExecution"]["token"],
        )

    def close(self, stage: str, reason: str = "frozen") -> None:
        self.pipe.disable_stage_transition(pipelineName=NAME, stageName=stage, transitionType="Inbound", reason=reason)

    def open(self, stage: str) -> None:
        self.pipe.enable_stage_transition(pipelineName=NAME, stageName=stage, transitionType="Inbound")

    def wait(self, seconds: float) -> None:
        self.world.run_until(self.world.now + seconds)

    def settle(self) -> None:
        """Lets everything happen that is under way."""
        for _ in range(2000):
            if self.world.idle():
                return
            due = self.world.next_event_time()
            assert due is not None
            self.world.run_until(due)
        pytest.fail("the world never comes to rest")

    def until(self, true: Callable[[], bool]) -> None:
        """Lets one event after the other happen."""
        for _ in range(2000):
            if true():
                return
            due = self.world.next_event_time()
            assert due is not None, "nothing is left to happen"
            self.world.run_until(due)
        pytest.fail("it did not happen")

    def until_at(self, action: str, status: str = "InProgress") -> None:
        """Lets things happen until the newest run of that action has that status."""
        self.until(lambda: (action, status) in [told[1:] for told in self.told()][-1:])

    # ---- looking

    def runs(self, **params: Any) -> list[dict[str, Any]]:
        """The runs, newest first."""
        found: list[dict[str, Any]] = self.pipe.list_pipeline_executions(pipelineName=NAME, **params)[
            "pipelineExecutionSummaries"
        ]
        return found

    def statuses(self) -> list[str]:
        """The status of each run, oldest first."""
        return [run["status"] for run in reversed(self.runs())]

    def run(self, run: str) -> dict[str, Any]:
        found: dict[str, Any] = self.pipe.get_pipeline_execution(pipelineName=NAME, pipelineExecutionId=run)[
            "pipelineExecution"
        ]
        return found

    def status(self, run: str) -> str:
        return str(self.run(run)["status"])

    def state(self, stage: str) -> dict[str, Any]:
        """A stage as GetPipelineState shows it."""
        found = self.pipe.get_pipeline_state(name=NAME)["stageStates"]
        return next(one for one in found if one["stageName"] == stage)

    def action(self, stage: str, action: str) -> dict[str, Any]:
        return next(one for one in self.state(stage)["actionStates"] if one["actionName"] == action)

    def actions(self, run: str | None = None, **wanted: Any) -> list[dict[str, Any]]:
        """The action runs, oldest first; of one run, if one is named."""
        params = {"filter": {"pipelineExecutionId": run}} if run else wanted
        found = self.pipe.list_action_executions(pipelineName=NAME, **params)["actionExecutionDetails"]
        return list(reversed(found))

    def told(self, run: str | None = None) -> list[tuple[str, str, str]]:
        """Actions with their statuses, oldest first: (stage, action, status)."""
        return [(one["stageName"], one["actionName"], one["status"]) for one in self.actions(run)]

    def error(self, run: str) -> dict[str, str]:
        """Why the last action of a run failed."""
        found: dict[str, str] = self.actions(run)[-1]["output"]["executionResult"]["errorDetails"]
        return found

    def events(self, kind: str) -> list[dict[str, Any]]:
        """The details of the pipeline's events of a kind: Pipeline, Stage or Action."""
        wanted = f"CodePipeline {kind} Execution State Change"
        return [event["detail"] for event in self.world.store("events").emitted if event["detail-type"] == wanted]

    def artifact(self, action: Mapping[str, Any]) -> bytes:
        """The first output artifact of an action run."""
        where = action["output"]["outputArtifacts"][0]["s3location"]
        body: bytes = self.world.client("s3").get_object(Bucket=where["bucket"], Key=where["key"])["Body"].read()
        return body


# ---- pipelines in words


def stage(name: str, *actions: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": name, "actions": list(actions), **more}


def action(name: str, provider: str, inputs: str = "", outputs: str = "", **more: Any) -> dict[str, Any]:
    """An action; artifacts are named by words, and keys that begin with a capital are its configuration."""
    configuration = {key: value for key, value in more.items() if key[0].isupper()}
    rest = {key: value for key, value in more.items() if key not in configuration}
    kind = {"category": CATEGORIES[provider], "owner": "AWS", "provider": provider, "version": "1"}
    artifacts = {"inputArtifacts": inputs, "outputArtifacts": outputs}
    listed = {key: [{"name": name} for name in names.split()] for key, names in artifacts.items()}
    return {"name": name, "actionTypeId": kind, "configuration": configuration, **listed, **rest}


def source(name: str = "Source", **changes: Any) -> dict[str, Any]:
    """The stage that takes the main branch; nothing polls."""
    told = {"RepositoryName": NAME, "BranchName": "main", "PollForSourceChanges": "false"} | changes
    return stage(name, action("Checkout", "CodeCommit", outputs="Code", namespace="Checkout", **told))


def build(**changes: Any) -> dict[str, Any]:
    """The stage that builds."""
    return stage("Build", action("Make", "CodeBuild", "Code", "Built", **{"ProjectName": NAME} | changes))


def approval(**changes: Any) -> dict[str, Any]:
    """The stage in which somebody approves."""
    return stage("Release", action("Approve", "Manual", **changes))


def buildspec(*commands: str) -> str:
    """A buildspec of these commands that hands over every file."""
    return BUILDSPEC.format(commands="\n".join(f"      - {json.dumps(command)}" for command in commands))


def gates(*names: str, **more: Any) -> dict[str, Any]:
    """The stage Release with approvals, one after the other."""
    listed = [action(name, "Manual", runOrder=order) for order, name in enumerate(names, start=1)]
    return stage("Release", *listed, **more)


# ---- worlds


def refusal(call: Callable[..., Any], **params: Any) -> tuple[str, str]:
    """The code and message with which a call is refused."""
    with pytest.raises(ClientError) as refused:
        call(**params)
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


@cache
def _saved() -> bytes:
    return moto_state.dump(furnish(World(Settings(realism=False))))


def fresh() -> Stage:
    """A world of its own with everything that a pipeline needs but itself."""
    return Stage(moto_state.load(_saved()))


def furnish(world: World) -> World:
    """Gives a world the repository with a first commit, the bucket, the roles and the build project."""
    world.client("s3").create_bucket(Bucket=BUCKET)
    roles = {name: make_role(world, name, f"code{name}.amazonaws.com") for name in ("pipeline", "build")}
    allowed = {"Effect": "Allow", "Action": "codepipeline:StartPipelineExecution", "Resource": "*"}
    make_role(world, "events", "events.amazonaws.com", allowed)
    world.client("codecommit").create_repository(repositoryName=NAME)
    image = "aws/codebuild/amazonlinux-x86_64-standard:5.0"
    world.client("codebuild").create_project(
        name=NAME,
        source={"type": "CODEPIPELINE"},
        artifacts={"type": "CODEPIPELINE"},
        environment={"type": "LINUX_CONTAINER", "image": image, "computeType": "BUILD_GENERAL1_SMALL"},
        serviceRole=roles["build"],
    )
    Stage(world).push("first", app_py="print(1)\n", buildspec_yml=buildspec("printf made > made.txt"))
    return world


def make_role(world: World, name: str, principal: str, *allowed: Mapping[str, Any]) -> str:
    """A role that a service may take on, with a policy of these statements."""
    iam = world.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": principal}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    if allowed:
        policy = json.dumps({"Version": "2012-10-17", "Statement": list(allowed)})
        iam.put_role_policy(RoleName=name, PolicyName=name, PolicyDocument=policy)
    return arn
