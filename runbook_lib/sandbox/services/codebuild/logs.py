"""A build's log in CloudWatch Logs, in the agent's style."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.services.codebuild.store import Build

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

BATCH = 1000
Line = tuple[float, str]


def place(build: Build) -> tuple[str, str] | None:
    """Log group and stream of a build; None where logging is turned off."""
    config = build.plan.settings.get("logsConfig", {}).get("cloudWatchLogs", {})
    if config.get("status") == "DISABLED":
        return None
    group = config.get("groupName") or f"/aws/codebuild/{build.plan.project}"
    return group, f"{config['streamName']}/{build.uuid}" if config.get("streamName") else build.uuid


def container(time: float, text: str, world: World) -> Line:
    """A line that the agent itself writes."""
    stamp = world.datetime(time).strftime("%Y/%m/%d %H:%M:%S.%f")
    return time, f"[Container] {stamp} {text}"


def say(world: World, build: Build, *texts: str) -> None:
    """Write lines of the agent, now."""
    write(world, build, [container(world.now, text, world) for text in texts])


def write(world: World, build: Build, lines: Iterable[Line]) -> None:
    """Write lines with their times; a secret of the build is shown as ***."""
    where = place(build)
    events = [{"timestamp": int(time * 1000), "message": f"{_without_secrets(build, text)}\n"} for time, text in lines]
    if where is None or not events:
        return
    client = world.client("logs")
    if not build.log_ready:
        _make(client, *where)
        build.log_ready = True
    for start in range(0, len(events), BATCH):
        client.put_log_events(logGroupName=where[0], logStreamName=where[1], logEvents=events[start : start + BATCH])


def _make(client: Any, group: str, stream: str) -> None:
    with contextlib.suppress(client.exceptions.ResourceAlreadyExistsException):
        client.create_log_group(logGroupName=group)
    client.create_log_stream(logGroupName=group, logStreamName=stream)


def _without_secrets(build: Build, text: str) -> str:
    for secret in build.run.secrets:
        text = text.replace(secret, "***")
    return text
