"""A world with a repository, buckets, a registry and a role in which builds run, and words to start and read them."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from ruamel.yaml import YAML

from runbook_lib.sandbox import moto_state
from runbook_lib.sandbox.services.codebuild import memo
from runbook_lib.sandbox.settings import Settings
from runbook_lib.sandbox.world import World

NAME = "orders"
SOURCES, RESULTS = "orders-sources", "orders-results"
ACCOUNT = "123456789012"
HOST = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com"
REGISTRY = f"{HOST}/{NAME}"
CASES = Path(__file__).parents[1] / "cases" / "codebuild"
IMAGE = "aws/codebuild/amazonlinux-x86_64-standard:5.0"
COMMIT = f"https://git-codecommit.us-east-1.amazonaws.com/v1/repos/{NAME}"
LOGIN = f"aws ecr get-login-password --region us-east-1 | docker login --username AWS --password-stdin {HOST}"
PIPED = {"source": {"type": "CODEPIPELINE"}, "artifacts": {"type": "CODEPIPELINE"}}
S3 = {"type": "S3", "location": RESULTS}
DOCKERFILE = "FROM public.ecr.aws/docker/library/python:3.12-slim\nCOPY app.py /app.py\nCMD python /app.py\n"
APP = {"Dockerfile": DOCKERFILE, "app__py": "print(1)\n"}
# The role of a build as CodeBuild's Docker sample has it, for the things of this world alone.
ALLOWED: dict[str, tuple[list[str], list[str]]] = {
    "logs": (["CreateLogGroup", "CreateLogStream", "PutLogEvents"], ["*"]),
    "s3": (
        ["GetObject", "GetObjectVersion", "PutObject", "ListBucket"],
        [f"arn:aws:s3:::{name}{each}" for name in (SOURCES, RESULTS) for each in ("", "/*")],
    ),
    "codecommit": (["GitPull"], [f"arn:aws:codecommit:us-east-1:{ACCOUNT}:{NAME}"]),
    "ecr": (
        [
            "BatchCheckLayerAvailability",
            "BatchGetImage",
            "CompleteLayerUpload",
            "DescribeImages",
            "GetDownloadUrlForLayer",
            "InitiateLayerUpload",
            "PutImage",
            "UploadLayerPart",
        ],
        [f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/{NAME}"],
    ),
    "ssm": (["GetParameters"], [f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/orders/*"]),
    "secretsmanager": (["GetSecretValue"], [f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:orders*"]),
}
TOKEN = {"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"}


@dataclass
class Stage:
    """A world in which builds can run."""

    world: World

    def client(self, service: str) -> Any:
        """A client of the operator."""
        return self.world.gateway.client(service, caller=self.world.operator)

    @property
    def cb(self) -> Any:
        return self.client("codebuild")

    @property
    def role(self) -> str:
        return self.world.arn("iam", "role/build", regional=False)

    # ---- doing

    def project(self, **changes: Any) -> dict[str, Any]:
        """The parameters of a project without source and artifacts; None removes one."""
        params = {
            "name": NAME,
            "source": {"type": "NO_SOURCE", "buildspec": spec("true")},
            "artifacts": {"type": "NO_ARTIFACTS"},
            "environment": environment(),
            "serviceRole": self.role,
        } | changes
        return {key: value for key, value in params.items() if value is not None}

    def create(self, **changes: Any) -> dict[str, Any]:
        made: dict[str, Any] = self.cb.create_project(**self.project(**changes))["project"]
        return made

    def push(self, **files: str) -> str:
        """Commits files to the repository, of which a__b stands for a.b; gives the commit's id."""
        git = self.client("codecommit")
        heads = git.list_branches(repositoryName=NAME)["branches"]
        parent = git.get_branch(repositoryName=NAME, branchName="main")["branch"]["commitId"] if heads else None
        made: str = git.create_commit(
            repositoryName=NAME,
            branchName="main",
            putFiles=[{"filePath": name, "fileContent": text.encode()} for name, text in named(files).items()],
            **({"parentCommitId": parent} if parent else {}),
        )["commitId"]
        return made

    def put(self, key: str, **files: str) -> dict[str, str]:
        """Puts a zip of files into the bucket of sources; gives the source that it is."""
        self.world.client("s3").put_object(Bucket=SOURCES, Key=key, Body=zipped(named(files)))
        return {"type": "S3", "location": f"{SOURCES}/{key}"}

    def start(self, **params: Any) -> str:
        """Starts a build of the project; its id."""
        started: str = self.cb.start_build(projectName=NAME, **params)["build"]["id"]
        return started

    def run(self, **params: Any) -> dict[str, Any]:
        """Starts a build and waits for its end."""
        build = self.start(**params)
        self.settle()
        return self.shown(build)

    def commands(self, *commands: str, **more: Any) -> list[str]:
        """What these commands write, one after the other, in a build that succeeds."""
        return self.succeeded(self.tried(*commands, **more))

    def tried(self, *commands: str, variables: Mapping[str, str] | None = None, **more: Any) -> dict[str, Any]:
        """A build of these commands, well or badly ended."""
        self.cb.delete_project(name=NAME)
        self.create(source=inline(*commands, **more), environment=environment(**(variables or {})))
        return self.run()

    def built(self, *commands: str, files: Mapping[str, str] | None = None, **more: Any) -> dict[str, Any]:
        """A build of these commands in a folder with an application; docker is there, and time enough."""
        source = self.put("app.zip", **(APP if files is None else files))
        self.cb.delete_project(name=NAME)
        self.create(
            source={**source, "buildspec": spec(*commands, **more)},
            environment=environment(privilegedMode=True),
            timeoutInMinutes=2160,
        )
        return self.run()

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

    def until_phase(self, build: str, phase: str) -> None:
        """Lets one event after the other happen until the build has come to a phase."""
        for _ in range(2000):
            if self.shown(build)["currentPhase"] == phase:
                return
            due = self.world.next_event_time()
            assert due is not None, "nothing is left to happen"
            self.world.run_until(due)
        pytest.fail(f"the build never came to {phase}")

    def deny(self, service: str) -> None:
        """Takes away what the role may do with a service."""
        statements = [one for name, one in policy().items() if name != service]
        self.allow(*statements)

    def allow(self, *statements: Mapping[str, Any]) -> None:
        """Lets the role do this and nothing else."""
        document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        self.world.client("iam").put_role_policy(RoleName="build", PolicyName="build", PolicyDocument=document)

    # ---- looking

    def shown(self, build: str) -> dict[str, Any]:
        found: dict[str, Any] = self.cb.batch_get_builds(ids=[build])["builds"][0]
        return found

    def log(self, build: Mapping[str, Any]) -> str:
        """The whole log of a build."""
        return "".join(event["message"] for event in self.events(build))

    def events(self, build: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The entries of its log."""
        where = build["logs"]
        found: list[dict[str, Any]] = self.world.client("logs").get_log_events(
            logGroupName=where["groupName"], logStreamName=where["streamName"], startFromHead=True
        )["events"]
        return found

    def output(self, build: Mapping[str, Any]) -> list[str]:
        """The lines that the commands wrote."""
        written = [event["message"].rstrip("\n") for event in self.events(build)]
        return [line for line in written if line and not line.startswith("[Container]")]

    def succeeded(self, build: Mapping[str, Any]) -> list[str]:
        """What the commands of a build wrote that has succeeded."""
        assert build["buildStatus"] == "SUCCEEDED", self.log(build)
        return self.output(build)

    def stored(self, bucket: str, key: str) -> bytes:
        body: bytes = self.world.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        return body

    def listed(self, bucket: str = RESULTS) -> list[str]:
        found = self.world.client("s3").list_objects_v2(Bucket=bucket).get("Contents", ())
        return [entry["Key"] for entry in found]

    def calls(self) -> list[tuple[str, str, str]]:
        """What builds asked AWS: service, operation and error."""
        called = [one for one in self.world.calls if "/AWSCodeBuild-" in one.caller]
        return [(one.service, one.operation, one.error) for one in called]

    def images(self) -> dict[str, str]:
        """The images in the registry: tag -> digest."""
        found = self.world.client("ecr").describe_images(repositoryName=NAME)["imageDetails"]
        return {tag: image["imageDigest"] for image in found for tag in image.get("imageTags", ())}


# ---- words


def inline(*commands: str, **more: Any) -> dict[str, str]:
    """A source that is nothing but a buildspec."""
    return {"type": "NO_SOURCE", "buildspec": spec(*commands, **more)}


def environment(**changes: Any) -> dict[str, Any]:
    """A build environment; names in capitals are variables of it."""
    variables = [{"name": name, "value": value} for name, value in changes.items() if name.isupper()]
    settings = {name: value for name, value in changes.items() if not name.isupper()}
    base = {"type": "LINUX_CONTAINER", "image": IMAGE, "computeType": "BUILD_GENERAL1_SMALL"}
    return {**base, **settings, **({"environmentVariables": variables} if variables else {})}


def spec(*commands: str, artifacts: Any = None, env: Any = None, **phases: Any) -> str:
    """A buildspec whose build phase has these commands; other phases are lists of commands or whole phases."""
    every = {"build": list(commands), **phases} if commands else phases
    content = {
        "version": 0.2,
        **({"env": env} if env else {}),
        "phases": {
            name: phase if isinstance(phase, dict) else {"commands": list(phase)} for name, phase in every.items()
        },
        **({"artifacts": artifacts} if artifacts else {}),
    }
    text = io.StringIO()
    YAML().dump(json.loads(json.dumps(content)), text)
    return text.getvalue()


def named(files: Mapping[str, str]) -> dict[str, str]:
    """Files by path: buildspec__yml stands for buildspec.yml, src___app__py for src/app.py."""
    return {name.replace("___", "/").replace("__", "."): text for name, text in files.items()}


def zipped(files: Mapping[str, str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return packed.getvalue()


def unzipped(packed: bytes) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def phases(build: Mapping[str, Any]) -> dict[str, str]:
    """The phases that ended, with their statuses."""
    return {one["phaseType"]: one["phaseStatus"] for one in build["phases"] if "phaseStatus" in one}


def reason(build: Mapping[str, Any], phase: str) -> tuple[str, str]:
    """Status code and message of a phase."""
    found = next(one for one in build["phases"] if one["phaseType"] == phase)
    return found["contexts"][0]["statusCode"], found["contexts"][0]["message"]


def refusal(call: Callable[..., Any], **params: Any) -> tuple[str, str]:
    """The code and message with which a call is refused."""
    with pytest.raises(ClientError) as refused:
        call(**params)
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


# ---- worlds


def policy() -> dict[str, dict[str, Any]]:
    """What the role may do, by service."""
    statements = {
        service: {"Effect": "Allow", "Action": [f"{service}:{one}" for one in actions], "Resource": resources}
        for service, (actions, resources) in ALLOWED.items()
    }
    return {**statements, "token": TOKEN}


def fresh(settings: Settings | None = None) -> Stage:
    """A world of its own in which no build was ever run, nor is remembered."""
    memo.forget()
    return again(settings)


def again(settings: Settings | None = None) -> Stage:
    """The same world once more; builds that were run in the other one are remembered."""
    return Stage(moto_state.load(_saved(settings or Settings())))


@cache
def _furnished(account: str, allowed: tuple[str, ...]) -> bytes:
    return moto_state.dump(furnish(World(Settings(account=account, allow_commands=allowed))))


def _saved(settings: Settings) -> bytes:
    return _furnished(settings.account, settings.allow_commands)


def furnish(world: World) -> World:
    """Gives a world the buckets, the repository, the registry and the role."""
    trust = {"Effect": "Allow", "Principal": {"Service": "codebuild.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    world.client("iam").create_role(RoleName="build", AssumeRolePolicyDocument=document)
    Stage(world).allow(*policy().values())
    world.run_until(world.now + 60)
    for bucket in (SOURCES, RESULTS):
        world.client("s3").create_bucket(Bucket=bucket)
    world.client("codecommit").create_repository(repositoryName=NAME)
    world.client("ecr").create_repository(repositoryName=NAME)
    return world
