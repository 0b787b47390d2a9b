"""The CodeDeployToECS action: files of the artifacts become a revision, an AppSpec and a deployment.

Order of work: CodePipeline user guide, action-reference-ECSbluegreen; messages: troubleshooting.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.services.codepipeline import artifacts, flow, role
from runbook_lib.sandbox.services.codepipeline.failure import CONFIGURATION, JOB_FAILED, ActionFailed, asking
from runbook_lib.sandbox.services.codepipeline.store import ActionRun, Execution, Pipeline, pipeline

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

MOST_BYTES = 3 * 1024 * 1024
MOST_IMAGES = 4
IMAGE_FILE = "imageDetail.json"
# what it is called in messages -> its keys' beginning, and its usual path
TEMPLATES = {
    "task definition": ("TaskDefinitionTemplate", "taskdef.json"),
    "AppSpec": ("AppSpecTemplate", "appspec.yaml"),
}


def begin(world: World, found: Pipeline, run: Execution, made: ActionRun) -> None:
    """Begin a blue/green deployment."""
    world.after(world.settings.pipeline_action_latency, "codepipeline.deploy", run.id, made.id)


def deploy(world: World, run_id: str, action_id: str) -> None:
    """Register the task definition and start the deployment."""
    at_work = flow.under_way(world, run_id, action_id)
    if at_work is None:
        return
    run, made = at_work
    try:
        own = _role(world, run, made)
        role.check_store(world, own, "s3:GetObject", made.inputs.values())
        taskdef, appspec = (_template(world, run, made, what) for what in TEMPLATES)
        role.check(world, own, made.configuration, role.read(taskdef))
        role.check_tags(world, own, role.read(taskdef))
        revision = _register(world, made, taskdef)
        made.external = _create(world, run, made, appspec.replace("<TASK_DEFINITION>", revision))
    except ActionFailed as failed:
        flow.finish(world, run, made, status="Failed", error=(failed.code, failed.message))
        return
    made.summary, made.updated = f"Deployment {made.external} in progress", world.now


def _role(world: World, run: Execution, made: ActionRun) -> str:
    """The action's own role, or the pipeline's in the version of this run."""
    definition = pipeline(world, run.pipeline).versions[run.version - 1]
    return str(made.declared.get("roleArn") or definition["roleArn"])


def _create(world: World, run: Execution, made: ActionRun, appspec: str) -> str:
    from runbook_lib.sandbox.services import codedeploy

    with asking("AmazonCodeDeploy"):
        return codedeploy.create(
            world,
            application=made.configuration["ApplicationName"],
            group=made.configuration["DeploymentGroupName"],
            appspec=appspec,
            description=f"Pipeline {run.pipeline} execution {run.id}",
            on_done=("codepipeline.deployed", run.id, made.id),
        )


def deployed(world: World, run_id: str, action_id: str, deployment: str, status: str) -> None:
    """The deployment has ended; a rollback of it does not make it a success."""
    at_work = flow.under_way(world, run_id, action_id)
    if at_work is None:
        return
    text = f"Deployment {deployment} {status.lower()}"
    if status == "Succeeded":
        flow.finish(world, *at_work, summary=text)
    else:
        flow.finish(world, *at_work, status="Failed", error=(JOB_FAILED, text))


def _register(world: World, made: ActionRun, text: str) -> str:
    from runbook_lib.sandbox.services import ecs

    told = made.configuration
    for number in range(1, MOST_IMAGES + 1):
        artifact, placeholder = told.get(f"Image{number}ArtifactName"), told.get(f"Image{number}ContainerName")
        if artifact:
            uri = _image(world, made, artifact)
            text = text.replace(f"<{placeholder}>", uri) if placeholder else text
    with asking("AmazonECS"):
        return str(ecs.register_task_definition(world, _definition(text)))


def _definition(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        text = f"Invalid action configuration: the task definition file is not valid JSON: {error}"
        raise ActionFailed(CONFIGURATION, text) from None
    if not isinstance(found, dict):
        raise ActionFailed(CONFIGURATION, "Invalid action configuration: the task definition is not a JSON object")
    return found


def _template(world: World, run: Execution, made: ActionRun, what: str) -> str:
    """One of the two files; a large artifact is not read."""
    key, usual = TEMPLATES[what]
    artifact, path = made.configuration[f"{key}Artifact"], made.configuration.get(f"{key}Path", usual)
    refused = ActionFailed(CONFIGURATION, f"Exception while trying to read the {what} artifact file from: {artifact}")
    definition = pipeline(world, run.pipeline).versions[run.version - 1]
    if artifact not in made.inputs or artifacts.is_reference(definition, artifact):
        raise refused
    body = artifacts.get(world, made.inputs[artifact])
    found = artifacts.file(body, path) if len(body) <= MOST_BYTES else None
    if found is None:
        raise refused
    try:
        return found.decode("utf-8")
    except UnicodeDecodeError:
        raise refused from None


def _image(world: World, made: ActionRun, artifact: str) -> str:
    text = f"Exception while trying to read the image artifact file from the artifact: {artifact}"
    refused = ActionFailed(CONFIGURATION, f"Invalid action configuration: {text}")
    if artifact not in made.inputs:
        raise refused
    found = artifacts.file(artifacts.get(world, made.inputs[artifact]), IMAGE_FILE)
    try:
        return str(json.loads(found or b"")["ImageURI"])
    except (ValueError, TypeError, KeyError):
        raise refused from None
