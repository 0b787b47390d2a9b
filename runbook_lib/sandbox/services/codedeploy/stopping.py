"""StopDeployment: at once where nothing runs, otherwise a moment later, and then it may come too late.

Source: CodeDeploy user guide, deployments-stop and deployment-steps-ecs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.codedeploy import ending, lookup, progress
from runbook_lib.sandbox.services.codedeploy.failure import Failure
from runbook_lib.sandbox.services.codedeploy.store import Deployment

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

MANUAL = Failure("MANUAL_STOP", "The deployment was stopped by a user.")
SUCCEEDED = {"status": "Succeeded", "statusMessage": "The deployment was stopped."}
PENDING = {"status": "Pending", "statusMessage": "The deployment is being stopped; some events may still run."}


def stop(call: Call) -> dict[str, Any]:
    """StopDeployment; autoRollbackEnabled overrides the group's DEPLOYMENT_STOP_ON_REQUEST either way."""
    deployment = lookup.deployment(call.world, call.params)
    if deployment.stopped_by_request:
        return dict(SUCCEEDED)
    if deployment.over:
        raise AwsError(
            "DeploymentAlreadyCompletedException",
            f"The deployment {deployment.id} is already completed with status {deployment.status}.",
        )
    deployment.stop_with_rollback = call.params.get("autoRollbackEnabled")
    if _nothing_runs(deployment):
        stop_now(call.world, deployment.id)
        return dict(SUCCEEDED)
    call.world.after(progress.STOP_SECONDS, "codedeploy.stop", deployment.id)
    return dict(PENDING)


def _nothing_runs(deployment: Deployment) -> bool:
    return deployment.status in ("Created", "Queued") or bool(deployment.waiting)


def stop_now(world: World, deployment_id: str) -> None:
    """Handler codedeploy.stop: takes effect unless the deployment is over or already terminates blue."""
    deployment = lookup.store(world).deployments[deployment_id]
    if deployment.over or deployment.past_stopping:
        return
    deployment.stopped_by_request = True
    ending.stop_on_request(world, deployment, MANUAL, deployment.stop_with_rollback)


OPERATIONS = {"StopDeployment": stop}
