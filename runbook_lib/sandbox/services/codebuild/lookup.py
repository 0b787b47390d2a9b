"""Finds what a call names, or refuses it with CodeBuild's error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.codebuild.store import Build, CodeBuildStore, Project

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
