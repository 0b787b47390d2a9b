"""Build projects (CodeBuild API reference, CreateProject)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.codebuild import lookup, project_rules
from runbook_lib.sandbox.services.codebuild.store import Project

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World


NOT_LIMITED = -1  # CodeBuild API reference, UpdateProject: concurrentBuildLimit


def create(call: Call) -> dict[str, Any]:
    """CreateProject."""
    name = call.params["name"]
    project_rules.check_name(name)
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
    project_rules.check(settings)
    project_rules.check_role(world, settings["serviceRole"])


def update(call: Call) -> dict[str, Any]:
    """UpdateProject: what is given takes the place of what was there."""
    found = lookup.project(call.world, call.params["name"])
    settings = {**found.settings, **{key: value for key, value in call.params.items() if key != "name"}}
    if settings.get("concurrentBuildLimit") == NOT_LIMITED:
        del settings["concurrentBuildLimit"]
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
    asked = call.params.get("sortBy", "NAME")
    if asked not in keys:
        raise lookup.invalid(f"Invalid sortBy: {asked} is not one of {', '.join(keys)}")
    key = keys[asked]
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
        "artifacts": _artifacts(project),
        "secondarySources": settings.get("secondarySources", []),
        "secondaryArtifacts": settings.get("secondaryArtifacts", []),
        "tags": settings.get("tags", []),
        "environment": environment(settings["environment"]),
        "created": world.datetime(project.created),
        "lastModified": world.datetime(project.modified),
        "badge": {"badgeEnabled": bool(project.settings.get("badgeEnabled", False))},
        "projectVisibility": "PRIVATE",
    }


def _artifacts(project: Project) -> dict[str, Any]:
    given: dict[str, Any] = project.settings["artifacts"]
    if given["type"] == "NO_ARTIFACTS":
        return given
    return {"name": project.name, "packaging": "NONE", "namespaceType": "NONE", **given}


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
