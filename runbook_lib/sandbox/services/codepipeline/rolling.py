"""The ECS deploy action: imagedefinitions.json becomes a new revision of what the service runs now.

CodePipeline user guide, action-reference-ECS.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from runbook_lib.sandbox.services.codepipeline import artifacts, flow
from runbook_lib.sandbox.services.codepipeline.failure import CONFIGURATION, JOB_FAILED, ActionFailed, asking
from runbook_lib.sandbox.services.codepipeline.store import ActionRun, Execution, Pipeline, pipeline

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

LOOK = 10.0  # seconds between two looks at the service
MINUTES = 60  # the default and the most
MOST_BYTES = 100 * 1024  # of imagedefinitions.json


def begin(world: World, found: Pipeline, run: Execution, made: ActionRun) -> None:
    """Begin a rolling deployment."""
    world.after(world.settings.pipeline_action_latency, "codepipeline.roll", run.id, made.id)


def roll(world: World, run_id: str, action_id: str) -> None:
    """Read the images, update the service, and look at it until it is done."""
    from runbook_lib.sandbox.services import ecs

    at_work = flow.under_way(world, run_id, action_id)
    if at_work is None:
        return
    run, made = at_work
    try:
        images = _images(world, run, made)
        cluster, service = made.configuration["ClusterName"], made.configuration["ServiceName"]
        limit = world.now + 60 * _minutes(made)
        with asking("AmazonECS"):
            ecs.update_service_image(world, cluster=cluster, service=service, images=images)
    except ActionFailed as failed:
        flow.finish(world, run, made, status="Failed", error=(failed.code, failed.message))
        return
    world.after(LOOK, "codepipeline.rolling", run_id, action_id, limit)


def rolling(world: World, run_id: str, action_id: str, limit: float) -> None:
    """Look whether the service has settled."""
    at_work = flow.under_way(world, run_id, action_id)
    if at_work is None:
        return
    run, made = at_work
    try:
        settled = _settled(world, made, limit)
    except ActionFailed as failed:
        flow.finish(world, run, made, status="Failed", error=(failed.code, failed.message))
        return
    if settled:
        flow.finish(world, run, made)
    else:
        world.after(LOOK, "codepipeline.rolling", run_id, action_id, limit)


def _settled(world: World, made: ActionRun, limit: float) -> bool:
    from runbook_lib.sandbox.services import ecs

    with asking("AmazonECS"):
        state = ecs.rolling_state(world, made.configuration["ClusterName"], made.configuration["ServiceName"])
    if state == "FAILED":
        raise ActionFailed(JOB_FAILED, "Deployment failed: the Amazon ECS deployment failed and was rolled back.")
    if state != "COMPLETED" and world.now >= limit:
        text = "The Amazon ECS service did not become stable within the deployment timeout."
        raise ActionFailed(JOB_FAILED, text)
    return state == "COMPLETED"


def _minutes(made: ActionRun) -> float:
    text = made.configuration.get("DeploymentTimeout", str(MINUTES))
    if not text.isdigit() or not 1 <= int(text) <= MINUTES:
        raise ActionFailed(CONFIGURATION, f"DeploymentTimeout {text!r} is not a number of minutes from 1 to {MINUTES}")
    return int(text)


def _images(world: World, run: Execution, made: ActionRun) -> dict[str, str]:
    """The image of each container by its name."""
    name = made.configuration.get("FileName", "imagedefinitions.json")
    artifact = made.declared["inputArtifacts"][0]["name"]
    definition = pipeline(world, run.pipeline).versions[run.version - 1]
    readable = artifact in made.inputs and not artifacts.is_reference(definition, artifact)
    body = artifacts.file(artifacts.get(world, made.inputs[artifact]), name) if readable else None
    if body is None:
        text = f"Did not find the image definition file {name} in the input artifacts ZIP file. Verify the file is "
        raise ActionFailed(CONFIGURATION, f"{text}stored in your pipeline's Amazon S3 artifact bucket.")
    try:
        found = {str(one["name"]): str(one["imageUri"]) for one in json.loads(body)}
    except (ValueError, TypeError, KeyError):
        text = f"The image definition file {name} contains invalid JSON format"
        raise ActionFailed(CONFIGURATION, text) from None
    if len(body) > MOST_BYTES:
        raise ActionFailed(CONFIGURATION, f"The image definition file {name} is larger than {MOST_BYTES} bytes")
    return found
