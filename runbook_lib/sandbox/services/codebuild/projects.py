"""Build projects (CodeBuild API reference, CreateProject)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox import permissions
from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.codebuild import lookup
from runbook_lib.sandbox.services.codebuild.store import PIPELINE, Project

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{1,149}")
SERVICE = "codebuild.amazonaws.com"
MINUTES = {"timeoutInMinutes": (5, 2160), "queuedTimeoutInMinutes": (5, 480)}
WITHOUT_LOCATION = (PIPELINE, "NO_SOURCE", "NO_ARTIFACTS")


def create(call: Call) -> dict[str, Any]:
    """CreateProject."""
    name = call.params["name"]
    if not NAME.fullmatch(name):
        raise lookup.invalid(f"Project name {name!r} is invalid: 2 to 150 letters, digits, hyphens and underscores")
    projects = lookup.store(call.world).projects
    if name in projects:
        raise AwsError(
            "ResourceAlreadyExistsException", f"Project already exists: {lookup.project_arn(call.world, name)}"
        )
    settings = {**_defaults(call.world), **{key: value for key, value in call.params.items() if key != "name"}}
    _check(call.world, settings)
    projects[name] = Project(name, call.world.now, call.world.now, settings)
    return {"project": _shown(call.world, projects[name])}


def _defaults(world: World) -> dict[str, Any]:
    return {
        "timeoutInMinutes": 60,
        "queuedTimeoutInMinutes": 480,
        "encryptionKey": world.arn("kms", "alias/aws/s3"),
        "cache": {"type": "NO_CACHE"},
    }


def _check(world: World, settings: dict[str, Any]) -> None:
    source, artifacts = settings["source"], settings["artifacts"]
    if (source["type"] == PIPELINE) != (artifacts["type"] == PIPELINE):
        raise lookup.invalid(
            "If the type of the source or of the artifacts is CODEPIPELINE, then both types must be CODEPIPELINE"
        )
    for what, each in (("source", source), ("artifacts", artifacts)):
        if each["type"] not in WITHOUT_LOCATION and not each.get("location"):
            raise lookup.invalid(f"Project {what} location is required")
    if source["type"] == "NO_SOURCE" and not source.get("buildspec"):
        raise lookup.invalid("Project source with type NO_SOURCE must have a buildspec")
    for key, (least, most) in MINUTES.items():
        if not least <= settings[key] <= most:
            raise lookup.invalid(f"Invalid {key}: {settings[key]} is not between {least} and {most}")
    reserved = [v["name"] for v in settings["environment"].get("environmentVariables", ()) if _reserved(v["name"])]
    if reserved:
        raise lookup.invalid(f"Environment variable names that begin with CODEBUILD_ are reserved: {reserved[0]}")
    if permissions.assumable(world, settings["serviceRole"], SERVICE):
        raise lookup.invalid(f"CodeBuild is not authorized to perform: sts:AssumeRole on {settings['serviceRole']}")


def _reserved(name: str) -> bool:
    return name.startswith("CODEBUILD_")


def update(call: Call) -> dict[str, Any]:
    """UpdateProject: what is given takes the place of what was there."""
    found = lookup.project(call.world, call.params["name"])
    settings = {**found.settings, **{key: value for key, value in call.params.items() if key != "name"}}
    _check(call.world, settings)
    found.settings, found.modified = settings, call.world.now
    return {"project": _shown(call.world, found)}


def delete(call: Call) -> dict[str, Any]:
    """DeleteProject: its builds stay in the history; an unknown project is no error."""
    lookup.store(call.world).projects.pop(call.params["name"], None)
    return {}


def batch_get(call: Call) -> dict[str, Any]:
    """BatchGetProjects by name or ARN."""
    known = lookup.store(call.world).projects
    names = {wanted: wanted.rpartition("project/")[2] for wanted in call.params["names"]}
    return {
        "projects": [_shown(call.world, known[name]) for name in names.values() if name in known],
        # The model wants at least one name here, so the gateway lets no empty list pass.
        "projectsNotFound": [wanted for wanted, name in names.items() if name not in known] or None,
    }


def list_(call: Call) -> dict[str, Any]:
    """ListProjects, by name unless another order is asked for."""
    keys = {"NAME": "name", "CREATED_TIME": "created", "LAST_MODIFIED_TIME": "modified"}
    key = keys[call.params.get("sortBy", "NAME")]
    known = sorted(lookup.store(call.world).projects.values(), key=lambda each: (getattr(each, key), each.name))
    if call.params.get("sortOrder") == "DESCENDING":
        known.reverse()
    return lookup.page([each.name for each in known], call.params, "projects")


def invalidate_cache(call: Call) -> dict[str, Any]:
    """InvalidateProjectCache: there is none in the sandbox."""
    lookup.project(call.world, call.params["projectName"])
    return {}


def _shown(world: World, project: Project) -> dict[str, Any]:
    settings = {key: value for key, value in project.settings.items() if key != "badgeEnabled"}
    return {
        **settings,
        "name": project.name,
        "arn": lookup.project_arn(world, project.name),
        "environment": environment(settings["environment"]),
        "created": world.datetime(project.created),
        "lastModified": world.datetime(project.modified),
        "badge": {"badgeEnabled": bool(project.settings.get("badgeEnabled", False))},
        "projectVisibility": "PRIVATE",
    }


def environment(given: dict[str, Any]) -> dict[str, Any]:
    """An environment with CodeBuild's defaults; variables have a type."""
    variables = [{"type": "PLAINTEXT", **each} for each in given.get("environmentVariables", ())]
    return {
        "privilegedMode": False,
        "imagePullCredentialsType": "CODEBUILD",
        **given,
        "environmentVariables": variables,
    }


OPERATIONS = {
    "CreateProject": create,
    "UpdateProject": update,
    "DeleteProject": delete,
    "BatchGetProjects": batch_get,
    "ListProjects": list_,
    "InvalidateProjectCache": invalidate_cache,
}
