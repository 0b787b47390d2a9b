"""What CodeBuild refuses in the settings of a project, or of one build (CodeBuild API reference, CreateProject)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox import permissions
from runbook_lib.sandbox.clients import session
from runbook_lib.sandbox.services.codebuild import lookup
from runbook_lib.sandbox.services.codebuild.store import PIPELINE

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{1,149}")
SERVICE = "codebuild.amazonaws.com"
MINUTES = {"timeoutInMinutes": (5, 2160), "queuedTimeoutInMinutes": (5, 480)}
WITHOUT_LOCATION = (PIPELINE, "NO_SOURCE", "NO_ARTIFACTS")
LISTS = ("secondarySources", "secondaryArtifacts")
MOST_SECONDARY = 12  # CodeBuild user guide, limits


def check_name(name: str) -> None:
    """Refuses what is no name of a project."""
    if not NAME.fullmatch(name):
        raise lookup.invalid(f"Project name {name!r} is invalid: 2 to 150 letters, digits, hyphens and underscores")


def check_role(world: World, role: str) -> None:
    """Refuses a role that CodeBuild cannot assume, or not yet."""
    if permissions.assumable(world, role, SERVICE):
        raise lookup.invalid(f"CodeBuild is not authorized to perform: sts:AssumeRole on {role}")


def check(settings: Mapping[str, Any]) -> None:
    """Refuses settings that no build could have."""
    for where, value, known in _choices(settings):
        if value not in known:
            raise lookup.invalid(f"Invalid {where}: {value} is not one of {', '.join(known)}")
    _check_types(settings)
    _check_locations(settings)
    _check_secondary(settings)
    for key, (least, most) in MINUTES.items():
        if not least <= settings[key] <= most:
            raise lookup.invalid(f"Invalid {key}: {settings[key]} is not between {least} and {most}")
    reserved = [v["name"] for v in settings["environment"].get("environmentVariables", ()) if _reserved(v["name"])]
    if reserved:
        raise lookup.invalid(f"Environment variable names that begin with CODEBUILD_ are reserved: {reserved[0]}")


def _check_types(settings: Mapping[str, Any]) -> None:
    source, artifacts = settings["source"], settings["artifacts"]
    if (source["type"] == PIPELINE) != (artifacts["type"] == PIPELINE):
        raise lookup.invalid(
            "Invalid input: when using CodePipeline both sourceType, and artifactType must be set to: CODEPIPELINE"
        )
    if source["type"] == PIPELINE and settings.get("badgeEnabled"):
        raise lookup.invalid("Build badges are not supported for CodePipeline source")


def _check_locations(settings: Mapping[str, Any]) -> None:
    source, artifacts = settings["source"], settings["artifacts"]
    for what, each in (("source", source), ("artifacts", artifacts)):
        if each["type"] not in WITHOUT_LOCATION and not each.get("location"):
            raise lookup.invalid(f"Project {what} location is required")
    if source["type"] == "NO_SOURCE" and not source.get("buildspec"):
        raise lookup.invalid("Project source with type NO_SOURCE must have a buildspec")
    if artifacts["type"] == "NO_ARTIFACTS" and artifacts.get("name"):
        raise lookup.invalid("Invalid artifacts: artifact type NO_ARTIFACTS should have null output name")
    if artifacts["type"] == "S3" and "/" in artifacts["location"]:
        raise lookup.invalid("Invalid artifacts: location must be the name of a bucket")


def _check_secondary(settings: Mapping[str, Any]) -> None:
    for key, kind, identifier in zip(
        LISTS, ("sourceType", "artifactType"), ("sourceIdentifier", "artifactIdentifier"), strict=True
    ):
        every = settings.get(key, ())
        if any(each["type"] == PIPELINE for each in every):
            raise lookup.invalid(f"Invalid input: {kind} CODEPIPELINE is not allowed for {key}")
        names = [each.get(identifier) for each in every]
        if not all(names) or len(set(names)) < len(names):
            raise lookup.invalid(f"Invalid input: each of the {key} needs a {identifier} of its own")
        if len(every) > MOST_SECONDARY:
            raise lookup.invalid(f"Invalid input: at most {MOST_SECONDARY} {key} are allowed")


def _choices(settings: Mapping[str, Any]) -> Iterator[tuple[str, Any, list[str]]]:
    """Where something is chosen out of a few: (place, what was chosen, what there is)."""
    model = session()._session.get_service_model("codebuild")
    yield from _chosen("", settings, model.operation_model("CreateProject").input_shape)


def _chosen(where: str, value: Any, shape: Any) -> Iterator[tuple[str, Any, list[str]]]:
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            if name in value:
                yield from _chosen(f"{where}.{name}".lstrip("."), value[name], member)
    elif shape.type_name == "list":
        for each in value:
            yield from _chosen(where, each, shape.member)
    elif getattr(shape, "enum", None):
        yield where, value, shape.enum


def _reserved(name: str) -> bool:
    return name.startswith("CODEBUILD_")
