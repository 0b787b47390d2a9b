"""The CodeDeployToECS action: files of the artifacts become a revision, an AppSpec and a deployment.

Order of work: CodePipeline user guide, action-reference-ECSbluegreen; messages: troubleshooting.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.codepipeline import artifacts, flow
from runbook_lib.sandbox.services.codepipeline.store import ActionRun, Execution, Pipeline

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

MOST_BYTES = 3 * 1024 * 1024
IMAGE_FILE = "imageDetail.json"


def begin(world: World, found: Pipeline, run: Execution, made: ActionRun, action: dict[str, Any]) -> None:
    """Begin a blue/green deployment."""
    world.after(world.settings.pipeline_action_latency, "codepipeline.deploy", run.id, made.id)


def deploy(world: World, run_id: str, action_id: str) -> None:
    """Register the task definition and start the deployment."""
    from runbook_lib.sandbox.services import codedeploy

    run, made = flow.action_run(world, run_id, action_id)
    told = made.configuration
    try:
        revision = _register(world, made)
        appspec = _file(world, made, told["AppSpecTemplateArtifact"], _appspec_path(made), "AppSpec")
        deployment = codedeploy.create(
            world,
            application=told["ApplicationName"],
            group=told["DeploymentGroupName"],
            appspec=appspec.replace("<TASK_DEFINITION>", revision),
            description=f"Pipeline {run.pipeline} execution {run.id}",
            on_done=("codepipeline.deployed", run_id, action_id),
        )
    except AwsError as refused:
        flow.finish(world, run_id, action_id, status="Failed", error=(refused.code, refused.message))
        return
    made.external, made.summary = deployment, f"Deployment {deployment} in progress"


def deployed(world: World, run_id: str, action_id: str, deployment: str, status: str) -> None:
    """The deployment has ended; a rollback of it does not make it a success."""
    if status == "Succeeded":
        flow.finish(world, run_id, action_id, summary=f"Deployment {deployment} succeeded")
        return
    text = f"Deployment {deployment} {status.lower()}"
    flow.finish(world, run_id, action_id, status="Failed", summary=text, error=("JobFailed", text))


def _register(world: World, made: ActionRun) -> str:
    from runbook_lib.sandbox.services import ecs

    told = made.configuration
    path = told.get("TaskDefinitionTemplatePath", "taskdef.json")
    text = _file(world, made, told["TaskDefinitionTemplateArtifact"], path, "task definition")
    for number in range(1, 5):
        if f"Image{number}ArtifactName" in told:
            uri = _image(world, made, told[f"Image{number}ArtifactName"])
            text = text.replace(f"<{told.get(f'Image{number}ContainerName', '')}>", uri)
    return str(ecs.register_task_definition(world, _definition(text)))


def _definition(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        text = f"Invalid action configuration: the task definition file is not valid JSON: {error}"
        raise AwsError("ConfigurationError", text) from None
    if not isinstance(found, dict):
        raise AwsError("ConfigurationError", "Invalid action configuration: the task definition is not a JSON object")
    return found


def _file(world: World, made: ActionRun, artifact: str, path: str, what: str) -> str:
    text = f"Exception while trying to read the {what} artifact file from: {artifact}"
    if artifact not in made.inputs:
        raise AwsError("ConfigurationError", text)
    body = artifacts.get(world, made.inputs[artifact])
    found = artifacts.file(body, path) if len(body) <= MOST_BYTES else None
    if found is None:
        raise AwsError("ConfigurationError", text)
    return found.decode("utf-8")


def _image(world: World, made: ActionRun, artifact: str) -> str:
    text = f"Exception while trying to read the image artifact file from the artifact: {artifact}"
    refused = AwsError("ConfigurationError", f"Invalid action configuration: {text}")
    if artifact not in made.inputs:
        raise refused
    found = artifacts.file(artifacts.get(world, made.inputs[artifact]), IMAGE_FILE)
    if found is None:
        raise refused
    try:
        return str(json.loads(found)["ImageURI"])
    except (ValueError, TypeError, KeyError):
        raise refused from None


def _appspec_path(made: ActionRun) -> str:
    return made.configuration.get("AppSpecTemplatePath", "appspec.yaml")
