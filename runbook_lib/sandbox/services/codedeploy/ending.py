"""How a deployment ends: it succeeds, fails or is stopped, and what follows from that.

Sources: CodeDeploy user guide, deployment-steps-ecs, deployments-rollback-and-redeploy, deployments-stop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook_lib.sandbox.services.codedeploy import lookup, notices, progress, targets
from runbook_lib.sandbox.services.codedeploy.failure import Failure
from runbook_lib.sandbox.services.codedeploy.store import Deployment, LifecycleEvent

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

STATES = {"Succeeded": "SUCCESS", "Failed": "FAILURE", "Stopped": "STOP"}
NO_ROLLBACK_OF_ROLLBACK = "Deployment {id} cannot be rolled back because it is itself a rollback"
NOTHING_TO_ROLL_BACK = "Deployment {id} cannot be rolled back because it installed nothing"


def succeed(world: World, deployment: Deployment) -> None:
    """Step: the deployment ended well; its revision is the group's target revision from now on."""
    _complete(world, deployment, "Succeeded")
    application = lookup.store(world).applications.get(deployment.plan.application)
    group = application.groups.get(deployment.plan.group) if application else None
    if group is not None:
        group.last_successful = deployment.id
        if not deployment.rolls_back or deployment.previous_revision:
            group.target_revision = deployment.revision


def fail(world: World, deployment: Deployment, failure: Failure, diagnostics: dict[str, str] | None = None) -> None:
    """The deployment failed; diagnostics go to the lifecycle event in which it did."""
    _leave_events(world, deployment, "Failed", diagnostics or _diagnostics(failure))
    _end(world, deployment, "Failed", failure, rollback=_configured(deployment, "DEPLOYMENT_FAILURE"))


def _diagnostics(failure: Failure) -> dict[str, str]:
    return {"errorCode": "UnknownError", "scriptName": "", "message": failure.message, "logTail": ""}


def stop_on_alarm(world: World, deployment: Deployment, failure: Failure) -> None:
    """An alarm stopped the deployment, or nobody could tell the alarm's state."""
    _leave_events(world, deployment, "Skipped", None)
    _end(world, deployment, "Stopped", failure, rollback=_configured(deployment, "DEPLOYMENT_STOP_ON_ALARM"))


def stop_on_request(world: World, deployment: Deployment, failure: Failure, rollback: bool | None) -> None:
    """Somebody stopped the deployment, or a wait ran out; rollback None follows the group's configuration."""
    if rollback is None:
        rollback = _configured(deployment, "DEPLOYMENT_STOP_ON_REQUEST")
    _leave_events(world, deployment, "Skipped", None)
    _end(world, deployment, "Stopped", failure, rollback=rollback)


def _configured(deployment: Deployment, event: str) -> bool:
    config = deployment.plan.auto_rollback
    return bool(config.get("enabled")) and event in config.get("events", [])


def _leave_events(world: World, deployment: Deployment, running: str, diagnostics: dict[str, str] | None) -> None:
    for event in deployment.events:
        if event.status == "InProgress":
            event.status, event.ended, event.diagnostics = running, world.now, diagnostics
        elif event.status == "Pending":
            event.status = "Skipped"


def _end(world: World, deployment: Deployment, status: str, failure: Failure, *, rollback: bool) -> None:
    deployment.error = failure
    undo = rollback and _can_roll_back(deployment)
    if undo:
        deployment.rolled_back_by = world.ids.deployment()
        deployment.rollback_message = (
            f"Deployment {deployment.id} is rolled back by deployment {deployment.rolled_back_by}"
        )
    _complete(world, deployment, status)
    if undo:
        _roll_back(world, deployment)


def _can_roll_back(deployment: Deployment) -> bool:
    """Before Install there is nothing to undo (CodeDeploy user guide, reference-appspec-file-structure-hooks)."""
    if deployment.rolls_back:
        deployment.rollback_message = NO_ROLLBACK_OF_ROLLBACK.format(id=deployment.id)
    elif next(event for event in deployment.events if event.name == "Install").started is None:
        deployment.rollback_message = NOTHING_TO_ROLL_BACK.format(id=deployment.id)
    return not deployment.rollback_message


def _complete(world: World, deployment: Deployment, status: str) -> None:
    deployment.final_task_sets = targets.task_sets(world, deployment)
    deployment.status, deployment.completed, deployment.waiting, deployment.hook = status, world.now, "", None
    progress.rest(world, deployment)
    notices.announce(world, deployment, STATES[status])
    if deployment.on_done:
        handler, *args = deployment.on_done
        world.after(0.0, handler, *args, deployment.id, status)


def _roll_back(world: World, failed: Deployment) -> None:
    """Makes the deployment that routes the traffic back; it begins a second later."""
    application = lookup.store(world).applications.get(failed.plan.application)
    known = application is not None and failed.previous_revision in application.revisions
    identity = failed.rolled_back_by or ""
    made = Deployment(
        id=identity,
        plan=failed.plan,
        revision=failed.previous_revision if known and failed.previous_revision else failed.revision,
        previous_revision=failed.previous_revision,
        creator="codeDeployRollback",
        description=f"Deployment {identity} rolls back {failed.id}",
        created=world.now,
        touched=world.now,
        events=[LifecycleEvent(event.name) for event in failed.events],
        rolls_back=failed.id,
        rollback_message=f"Rolling back deployment {failed.id}",
        blue=failed.blue,
        green=failed.green,
        changed_routes=list(failed.changed_routes),
    )
    add(world, made, progress.PAUSE_SECONDS)


def add(world: World, deployment: Deployment, seconds: float) -> None:
    """Puts a new deployment into the store and lets it start so many seconds from now."""
    store = lookup.store(world)
    store.deployments[deployment.id] = deployment
    application = store.applications.get(deployment.plan.application)
    if application is not None and deployment.plan.group in application.groups:
        application.groups[deployment.plan.group].last_attempted = deployment.id
    progress.watch(world, deployment)
    progress.wait(world, deployment, seconds, "start")
