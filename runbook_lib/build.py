"""The CodeBuild project and its builds."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from runbook_lib.account import Account
from runbook_lib.inventory import Item
from runbook_lib.planning import make
from runbook_lib.step import Made, Step
from runbook_lib.system import System, tag_list

RUNNING = "IN_PROGRESS"


@dataclass(frozen=True)
class Phase:
    """A phase of a build; `status` is None while it runs, `message` None when there is nothing to say."""

    name: str
    status: str | None
    seconds: int | None
    message: str | None


@dataclass(frozen=True)
class Build:
    """A build: its status, phases and what it exported."""

    id: str
    status: str
    complete: bool
    phases: tuple[Phase, ...]
    exported: dict[str, str]
    log_group: str | None
    log_stream: str | None

    @property
    def failure(self) -> str | None:
        """The first phase that did not succeed, with its message; None when all did."""
        for phase in self.phases:
            if phase.status not in (None, "SUCCEEDED"):
                return f"{phase.name} {phase.status}: {phase.message or 'no message'}"
        return None


def read_project(account: Account, system: System) -> str | None:
    """The ARN of the build project, None while it does not exist."""
    found = account.client("codebuild").batch_get_projects(names=[system.project])["projects"]
    return found[0]["arn"] if found else None


def read_build(account: Account, build_id: str) -> Build:
    """A build by its id."""
    found = account.client("codebuild").batch_get_builds(ids=[build_id])["builds"][0]
    logs = found.get("logs", {})
    return Build(
        id=build_id,
        status=found["buildStatus"],
        complete=found["buildComplete"],
        phases=tuple(_phase(phase) for phase in found.get("phases", ())),
        exported={v["name"]: v["value"] for v in found.get("exportedEnvironmentVariables", ())},
        log_group=logs.get("groupName"),
        log_stream=logs.get("streamName"),
    )


def read_log_tail(account: Account, build: Build, *, lines: int = 20) -> tuple[str, ...]:
    """The last lines that a build logged."""
    if not (build.log_group and build.log_stream):
        return ()
    answer = account.client("logs").get_log_events(
        logGroupName=build.log_group, logStreamName=build.log_stream, limit=lines, startFromHead=False
    )
    return tuple(event["message"].rstrip("\n") for event in answer["events"])


def read_artifact(account: Account, system: System) -> tuple[tuple[str, ...], int]:
    """The files in the newest artifact that the pipeline's build handed over, and the size of its ZIP in bytes."""
    found = account.client("codepipeline").list_action_executions(pipelineName=system.pipeline)
    for action in found["actionExecutionDetails"]:
        artifacts = action.get("output", {}).get("outputArtifacts", ())
        if action["stageName"] == "Build" and action["status"] == "Succeeded" and artifacts:
            place = artifacts[0]["s3location"]
            body = account.client("s3").get_object(Bucket=place["bucket"], Key=place["key"])["Body"].read()
            with zipfile.ZipFile(io.BytesIO(body)) as archive:
                return tuple(sorted(archive.namelist())), len(body)
    return (), 0


def plan_project(system: System, project: str | None, items: Iterable[Item]) -> tuple[Step, ...]:
    """The step that makes the build project: privileged, for it builds an image; the pipeline feeds it."""
    build = system.params.build
    return (
        make(
            "build",
            "Make the build project",
            "codebuild:create_project",
            {
                "name": system.project,
                "source": {"type": "CODEPIPELINE", "buildspec": system.application.buildspec_path},
                "artifacts": {"type": "CODEPIPELINE"},
                "environment": {
                    "type": "LINUX_CONTAINER",
                    "image": build.image,
                    "computeType": build.compute,
                    "privilegedMode": True,
                    "environmentVariables": _variables(system),
                },
                "serviceRole": system.role_arn("build"),
                "timeoutInMinutes": build.timeout_minutes,
                "logsConfig": {"cloudWatchLogs": {"status": "ENABLED", "groupName": system.build_log_group}},
                "tags": tag_list(system.tags, key="key", value="value"),
            },
            made=Made("codebuild:project", system.project),
            found={"project": {"arn": project}} if project else None,
            items=items,
        ),
    )


def _variables(system: System) -> list[dict[str, Any]]:
    # CodeBuild does not set the account's number; its Docker sample sets it in the project, as most buildspecs expect.
    values = {"AWS_ACCOUNT_ID": system.account, **system.application.build_environment}
    return [{"name": name, "value": value, "type": "PLAINTEXT"} for name, value in sorted(values.items())]


def _phase(phase: dict[str, Any]) -> Phase:
    message = next((c["message"] for c in phase.get("contexts", ()) if c.get("message")), None)
    return Phase(phase["phaseType"], phase.get("phaseStatus"), phase.get("durationInSeconds"), message)
