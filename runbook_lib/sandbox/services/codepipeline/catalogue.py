"""Pipelines as the API keeps them: made, read, changed with a new version, listed, deleted, tagged."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox import permissions
from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.codepipeline import flow, polling, starts, structure
from runbook_lib.sandbox.services.codepipeline.store import Pipeline, executions, pipeline, store

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

PRINCIPAL = "codepipeline.amazonaws.com"


def create(call: Call) -> dict[str, Any]:
    """CreatePipeline: the first run starts at once."""
    world, told = call.world, copy.deepcopy(call.params["pipeline"])
    structure.check(told, world.settings.region)
    if told["name"] in store(world).pipelines:
        text = f"A pipeline with the name '{told['name']}' already exists in account '{call.account}'"
        raise AwsError("PipelineNameInUseException", text)
    _check_role(world, told)
    tags = {tag["key"]: tag["value"] for tag in call.params.get("tags", ())}
    definition = _complete(told, version=1)
    arn = world.arn("codepipeline", told["name"])
    found = Pipeline(told["name"], arn, [definition], world.now, world.now, tags)
    store(world).pipelines[told["name"]] = found
    polling.watch(world, found)
    _start_first(world, found, call.caller)
    return {"pipeline": definition, "tags": call.params.get("tags", [])}


def _start_first(world: World, found: Pipeline, caller: str) -> None:
    """The first run; a pipeline whose variables have no defaults waits to be started with them."""
    if all("defaultValue" in one for one in found.definition.get("variables", ())):
        starts.start(world, found.name, trigger="CreatePipeline", detail=caller)


def get(call: Call) -> dict[str, Any]:
    """GetPipeline: the newest version, or the one asked for."""
    found = pipeline(call.world, call.params["name"])
    version = call.params.get("version", found.version)
    if not 1 <= version <= found.version:
        text = f"Account '{call.account}' does not have a pipeline '{found.name}' of version '{version}'"
        raise AwsError("PipelineVersionNotFoundException", text)
    metadata = {
        "pipelineArn": found.arn,
        "created": call.world.datetime(found.created),
        "updated": call.world.datetime(found.updated),
    }
    return {"pipeline": found.versions[version - 1], "metadata": metadata}


def update(call: Call) -> dict[str, Any]:
    """UpdatePipeline: a new version; its number in the request is ignored."""
    world, told = call.world, copy.deepcopy(call.params["pipeline"])
    found = store(world).pipelines.get(told["name"])
    if found is None:
        # The model of this operation has no PipelineNotFoundException.
        text = f"Account '{call.account}' does not have a pipeline with name '{told['name']}'"
        raise AwsError("InvalidStructureException", text)
    structure.check(told, world.settings.region)
    _check_role(world, told)
    found.versions.append(_complete(told, version=found.version + 1))
    found.updated = world.now
    flow.structure_changed(world, found)
    polling.watch(world, found)
    return {"pipeline": found.definition}


def delete(call: Call) -> dict[str, Any]:
    """DeletePipeline: its runs are gone with it; answers the same when there is none."""
    name, kept = call.params["name"], store(call.world)
    kept.pipelines.pop(name, None)
    for run in executions(call.world, name):
        del kept.executions[run.id]
    kept.requests = {request: run for request, run in kept.requests.items() if request[0] != name}
    return {}


def list_all(call: Call) -> dict[str, Any]:
    """ListPipelines by name."""
    shown = [
        {
            "name": found.name,
            "version": found.version,
            "pipelineType": found.definition["pipelineType"],
            "executionMode": found.definition["executionMode"],
            "created": call.world.datetime(found.created),
            "updated": call.world.datetime(found.updated),
        }
        for _, found in sorted(store(call.world).pipelines.items())
    ]
    return {"pipelines": shown}


def tag(call: Call) -> dict[str, Any]:
    """Tag a pipeline."""
    _by_arn(call).tags.update({one["key"]: one["value"] for one in call.params["tags"]})
    return {}


def untag(call: Call) -> dict[str, Any]:
    """Take tags from a pipeline."""
    for key in call.params["tagKeys"]:
        _by_arn(call).tags.pop(key, None)
    return {}


def tags(call: Call) -> dict[str, Any]:
    """The tags of a pipeline."""
    return {"tags": [{"key": key, "value": value} for key, value in sorted(_by_arn(call).tags.items())]}


def _complete(told: dict[str, Any], *, version: int) -> dict[str, Any]:
    """A definition as AWS answers it: with its defaults."""
    for stage in told["stages"]:
        for action in stage["actions"]:
            action.setdefault("runOrder", 1)
            action.setdefault("configuration", {})
            action.setdefault("inputArtifacts", [])
            action.setdefault("outputArtifacts", [])
    defaults = {"pipelineType": "V1", "executionMode": "SUPERSEDED"}
    return {**defaults, **told, "version": version}


def _check_role(world: World, told: dict[str, Any]) -> None:
    if permissions.assumable(world, told["roleArn"], PRINCIPAL):
        text = f"CodePipeline is not authorized to perform AssumeRole on role {told['roleArn']}"
        raise AwsError("InvalidStructureException", text)


def _by_arn(call: Call) -> Pipeline:
    wanted = call.params["resourceArn"]
    for found in store(call.world).pipelines.values():
        if found.arn == wanted:
            return found
    raise AwsError("ResourceNotFoundException", f"The resource {wanted} could not be found")
