"""The ECS deploy action: imagedefinitions.json becomes a new revision of what the service runs now.

CodePipeline user guide, action-reference-ECS.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.codepipeline import artifacts, flow
from runbook_lib.sandbox.services.codepipeline.store import ActionRun, Execution, Pipeline

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

LOOK = 10.0  # seconds between two looks at the service
MINUTES = 60  # the default and the most


def begin(world: World, found: Pipeline, run: Execution, made: ActionRun, action: dict[str, Any]) -> None:
    """Begin a rolling deployment."""
    world.after(world.settings.pipeline_action_latency, "codepipeline.roll", run.id, made.id)


def roll(world: World, run_id: str, action_id: str) -> None:
    """Read the images, update the service, and look at it until it is done."""
    from runbook_lib.sandbox.services import ecs

    _, made = flow.action_run(world, run_id, action_id)
    where, name = next(iter(made.inputs.values())), made.configuration.get("FileName", "imagedefinitions.json")
    try:
        images = _images(artifacts.file(artifacts.get(world, where), name), name)
        cluster, service = made.configuration["ClusterName"], made.configuration["ServiceName"]
        ecs.update_service_image(world, cluster=cluster, service=service, images=images)
    except AwsError as refused:
        flow.finish(world, run_id, action_id, status="Failed", error=(refused.code, refused.message))
        return
    limit = world.now + 60 * float(made.configuration.get("DeploymentTimeout", MINUTES))
    world.after(LOOK, "codepipeline.rolling", run_id, action_id, limit)


def rolling(world: World, run_id: str, action_id: str, limit: float) -> None:
    """Look whether the service has settled."""
    from runbook_lib.sandbox.services import ecs

    _, made = flow.action_run(world, run_id, action_id)
    if made.status != "InProgress":
        return
    state = ecs.rolling_state(world, made.configuration["ClusterName"], made.configuration["ServiceName"])
    if state == "COMPLETED":
        flow.finish(world, run_id, action_id)
    elif state == "FAILED":
        text = "Deployment failed: the Amazon ECS deployment failed and was rolled back."
        flow.finish(world, run_id, action_id, status="Failed", error=("JobFailed", text))
    elif world.now >= limit:
        text = "The Amazon ECS service did not become stable within the deployment timeout."
        flow.finish(world, run_id, action_id, status="Failed", error=("JobFailed", text))
    else:
        world.after(LOOK, "codepipeline.rolling", run_id, action_id, limit)


def _images(body: bytes | None, name: str) -> dict[str, str]:
    if body is None:
        raise AwsError(
            "ConfigurationError", f"Did not find the image definition file {name} in the input artifacts ZIP file"
        )
    try:
        found = {one["name"]: one["imageUri"] for one in json.loads(body)}
    except (ValueError, TypeError, KeyError):
        text = f"The image definition file {name} contains invalid JSON format"
        raise AwsError("ConfigurationError", text) from None
    return found
