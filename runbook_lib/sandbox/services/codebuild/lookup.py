"""Finds what a call names, or refuses it with CodeBuild's error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.codebuild.store import Build, CodeBuildStore, Place, Project

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

PAGE = 100


def store(world: World) -> CodeBuildStore:
    """The service's state."""
    found: CodeBuildStore = world.store("codebuild")
    return found


def project_arn(world: World, name: str) -> str:
    """The ARN of a project."""
    return world.arn("codebuild", f"project/{name}")


def object_arn(world: World, place: Place) -> str:
    """The ARN of an object in S3."""
    return f"arn:{world.settings.partition}:s3:::{place.bucket}/{place.key}"


def project(world: World, name: str) -> Project:
    """A project by its name or ARN."""
    short = name.rpartition("project/")[2]
    found = store(world).projects.get(short)
    if found is None:
        raise AwsError("ResourceNotFoundException", f"Project cannot be found: {project_arn(world, short)}")
    return found


def build(world: World, wanted: str) -> Build:
    """A build by its id or ARN."""
    found = store(world).builds.get(wanted.rpartition("build/")[2])
    if found is None:
        raise AwsError("ResourceNotFoundException", f"Build cannot be found: {wanted}")
    return found


def source_version(world: World, build: Build) -> str | None:
    """The version that was asked for; of a build for a pipeline the object that is its source."""
    order = build.plan.order
    if order is None:
        return build.plan.source_version
    return next((object_arn(world, place) for place in order.sources.values()), None)


def invalid(message: str) -> AwsError:
    """CodeBuild's refusal of an input."""
    return AwsError("InvalidInputException", message)


def page(items: Sequence[Any], params: dict[str, Any], key: str) -> dict[str, Any]:
    """One page of a list under the answer's key, with nextToken where there is more."""
    token = params.get("nextToken") or "0"
    if not token.isdigit() or int(token) > len(items):
        raise invalid("Invalid token: the next token is not one that was given out")
    start = int(token)
    # The model wants at least one entry, so the gateway lets no empty list pass.
    answer: dict[str, Any] = {key: list(items[start : start + PAGE]) or None}
    if start + PAGE < len(items):
        answer["nextToken"] = str(start + PAGE)
    return answer
