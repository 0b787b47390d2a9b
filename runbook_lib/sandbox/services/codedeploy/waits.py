"""The two waits of a blue/green deployment: before production traffic moves, and before blue is terminated.

Sources: CodeDeploy API reference (DeploymentReadyOption, BlueInstanceTerminationOption, ContinueDeployment);
user guide, troubleshooting-ecs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.codedeploy import ending, lookup, notices, progress, sets
from runbook_lib.sandbox.services.codedeploy.failure import Failure
from runbook_lib.sandbox.services.codedeploy.store import Deployment

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

READY, TERMINATION = "READY_WAIT", "TERMINATION_WAIT"


def before_traffic(world: World, deployment: Deployment) -> None:
    """Holds the deployment in Ready where the group says so, otherwise goes on."""
    option = deployment.plan.blue_green["deploymentReadyOption"]
    if option["actionOnTimeout"] != "STOP_DEPLOYMENT":
        progress.wait(world, deployment, progress.PAUSE_SECONDS, "begin")
        return
    deployment.status, deployment.waiting = "Ready", READY
    notices.announce(world, deployment, "READY")
    progress.wait(world, deployment, option["waitTimeInMinutes"] * 60.0, "ready.expired")


def ready_expired(world: World, deployment: Deployment) -> None:
    """Step: nobody continued the deployment in time; it is stopped, not failed."""
    minutes = deployment.plan.blue_green["deploymentReadyOption"]["waitTimeInMinutes"]
    text = "The deployment timed out while waiting for a notification to continue. This time out period is {} minutes."
    ending.stop_on_request(world, deployment, Failure("TIMEOUT", text.format(minutes)), None)


def before_termination(world: World, deployment: Deployment) -> None:
    """Keeps blue for the group's termination wait: so long going back is instant."""
    option = deployment.plan.blue_green["terminateBlueInstancesOnDeploymentSuccess"]
    deployment.waiting = TERMINATION
    progress.wait(world, deployment, option["terminationWaitTimeInMinutes"] * 60.0, "terminate")


def terminate_blue(world: World, deployment: Deployment) -> None:
    """Step: blue is drained and deleted; from here on the deployment can no longer be stopped."""
    deployment.waiting, deployment.past_stopping = "", True
    sets.remove(world, deployment, deployment.blue)
    progress.wait(world, deployment, progress.REMOVAL_SECONDS, "succeed")


def continue_(call: Call) -> dict[str, Any]:
    """ContinueDeployment: ends the ready wait or the termination wait."""
    deployment = lookup.deployment(call.world, call.params)
    kind = call.params.get("deploymentWaitType", READY)
    if kind not in (READY, TERMINATION):
        raise AwsError("InvalidDeploymentWaitTypeException", f"The wait type {kind} is invalid.")
    return _go_on(call.world, deployment, kind)


def skip(call: Call) -> dict[str, Any]:
    """SkipWaitTimeForInstanceTermination: the older name of continuing the termination wait."""
    deployment = lookup.deployment(call.world, call.params)
    if deployment.started is None:
        raise AwsError("DeploymentNotStartedException", f"Deployment {deployment.id} has not started.")
    if not deployment.over and deployment.waiting != TERMINATION:
        raise AwsError(
            "UnsupportedActionForDeploymentTypeException",
            f"Deployment {deployment.id} is not waiting for the termination of the original task set.",
        )
    return _go_on(call.world, deployment, TERMINATION)


def _go_on(world: World, deployment: Deployment, kind: str) -> dict[str, Any]:
    if deployment.over:
        raise AwsError(
            "DeploymentAlreadyCompletedException",
            f"The deployment {deployment.id} is already completed with status {deployment.status}.",
        )
    if deployment.waiting != kind:
        raise AwsError(
            "DeploymentIsNotInReadyStateException",
            f"The deployment {deployment.id} does not have a status of Ready and can't continue yet.",
        )
    deployment.waiting = ""
    if kind == READY:
        deployment.status = "InProgress"
        progress.wait(world, deployment, progress.PAUSE_SECONDS, "begin")
    else:
        progress.wait(world, deployment, progress.PAUSE_SECONDS, "terminate")
    return {}


OPERATIONS = {"ContinueDeployment": continue_, "SkipWaitTimeForInstanceTermination": skip}
