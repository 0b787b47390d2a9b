"""Sources that are polled: CodePipeline looks for changes by itself unless PollForSourceChanges is false.

It does so whatever else starts the pipeline: with a rule of EventBridge beside it, one push starts two runs.
A connection is told of a push at once; here its git remote is looked at like the others, as time moves: a push is
found at the next look, at the same time of the world on every run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from runbook_lib.sandbox import git_remote
from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.codepipeline import starts, triggers
from runbook_lib.sandbox.services.codepipeline.store import Definition, Pipeline, store

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

SECONDS = 60.0


def watch(world: World, found: Pipeline) -> None:
    """Remember what the sources are now, and look again after a while if there are any to look at."""
    polled = _polled(found.definition)
    found.heads = {action["name"]: _head(world, action) for action in polled}
    triggered = _triggered(found.definition)
    found.refs = {action["name"]: _refs(world, action) or found.refs.get(action["name"], {}) for action in triggered}
    if polled or triggered:
        # A later version of the pipeline, or another of its name, is watched by events of its own.
        world.after(SECONDS, "codepipeline.poll", found.name, found.created, found.version, background=True)


def poll(world: World, name: str, created: float, version: int) -> None:
    """Start a run when a source has changed."""
    found = store(world).pipelines.get(name)
    if found is None or (found.created, found.version) != (created, version):
        return
    before, refs = found.heads, found.refs
    watch(world, found)
    _start_triggered(world, found, refs)
    changed = [
        action
        for action in _polled(found.definition)
        if found.heads[action["name"]] not in ("", before[action["name"]])
    ]
    if changed:
        action = changed[0]
        _start(world, name, action, {})


def _start_triggered(world: World, found: Pipeline, before: Mapping[str, Mapping[str, str]]) -> None:
    """A run for every push that a trigger lets through, of the very commit that was pushed."""
    for action in _triggered(found.definition):
        told, name = action["configuration"], action["name"]
        config = triggers.of(found.definition, name)
        assert config is not None  # it is among those with a trigger
        now, seen = found.refs[name], before.get(name, {})
        if now == seen:
            continue
        for push in triggers.pushes(_remote(world, told), seen, now):
            if triggers.starts(config, told["BranchName"], push):
                _start(world, found.name, action, {name: push.commit})


def _start(world: World, name: str, action: Mapping[str, Any], overrides: Mapping[str, str]) -> None:
    detail = action["configuration"].get("ConnectionArn", action["name"])
    trigger = _TRIGGERS[action["actionTypeId"]["provider"]]
    try:
        starts.start(world, name, trigger=trigger, detail=detail, overrides=overrides)
    except AwsError:
        return  # a run that cannot be started is not started, and nobody is told


def _triggered(definition: Definition) -> list[dict[str, Any]]:
    return [action for action in definition["stages"][0]["actions"] if triggers.of(definition, action["name"])]


def _refs(world: World, action: Mapping[str, Any]) -> dict[str, str]:
    try:
        return git_remote.refs(_remote(world, action["configuration"]))
    except AwsError:
        return {}  # what cannot be read now was not pushed to, as far as anybody knows


def _remote(world: World, told: Mapping[str, str]) -> str:
    from runbook_lib.sandbox.services import codeconnections

    return codeconnections.remote(world, told["ConnectionArn"], told["FullRepositoryId"])


def _polled(definition: Definition) -> list[dict[str, Any]]:
    sources = definition["stages"][0]["actions"]
    return [action for action in sources if _is_polled(definition, action)]


def _is_polled(definition: Definition, action: Mapping[str, Any]) -> bool:
    told, provider = action["configuration"], action["actionTypeId"]["provider"]
    if provider == "CodeStarSourceConnection":
        return told.get("DetectChanges", "true") != "false" and not definition.get("triggers")
    return provider in _HEADS and told.get("PollForSourceChanges", "true") != "false"


def _head(world: World, action: Mapping[str, Any]) -> str:
    try:
        return _HEADS[action["actionTypeId"]["provider"]](world, action["configuration"])
    except (AwsError, ClientError):
        return ""  # what is not there yet is found when it comes


def _branch(world: World, told: Mapping[str, str]) -> str:
    client = world.client("codecommit")
    found = client.get_branch(repositoryName=told["RepositoryName"], branchName=told["BranchName"])
    return str(found["branch"]["commitId"])


def _object(world: World, told: Mapping[str, str]) -> str:
    found = world.client("s3").head_object(Bucket=told["S3Bucket"], Key=told["S3ObjectKey"])
    return str(found.get("VersionId", found["ETag"]))


def _connected(world: World, told: Mapping[str, str]) -> str:
    from runbook_lib.sandbox.services import codeconnections

    return codeconnections.head(world, told["ConnectionArn"], told["FullRepositoryId"], told["BranchName"])


_HEADS: dict[str, Callable[[World, Mapping[str, str]], str]] = {
    "CodeCommit": _branch,
    "S3": _object,
    "CodeStarSourceConnection": _connected,
}
_TRIGGERS = {
    "CodeCommit": "PollForSourceChanges",
    "S3": "PollForSourceChanges",
    "CodeStarSourceConnection": "WebhookV2",
}
