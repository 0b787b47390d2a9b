"""A rollback: traffic goes back to blue at once, blue is primary again, green is drained and deleted.

Sources: CodeDeploy user guide, deployments-rollback-and-redeploy and deployment-steps-ecs. Hooks do not run, and the
events that a rollback has no use for are shown as Skipped; AWS documents neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook_lib.sandbox.services.codedeploy import ending, progress, routes, sets
from runbook_lib.sandbox.services.codedeploy.store import Deployment

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

USED = ("AllowTestTraffic", "AllowTraffic")


def reroute(world: World, deployment: Deployment) -> None:
    """All weights back in one step, whatever the configuration shifts by."""
    _mark(world, deployment, "InProgress")
    failure = routes.steer_back(world, deployment) or sets.promote(world, deployment, deployment.blue)
    if failure:
        ending.fail(world, deployment, failure)
    else:
        progress.wait(world, deployment, progress.TRAFFIC_SECONDS, "reroute.done")


def done(world: World, deployment: Deployment) -> None:
    """Step: blue serves again; green is kept a little longer."""
    _mark(world, deployment, "Succeeded")
    progress.wait(world, deployment, progress.SETTLE_SECONDS, "reroute.remove")


def remove_green(world: World, deployment: Deployment) -> None:
    """Step: the replacement is drained and deleted; from here on the rollback can no longer be stopped."""
    deployment.past_stopping = True
    sets.remove(world, deployment, deployment.green)
    progress.wait(world, deployment, progress.REMOVAL_SECONDS, "succeed")


def _mark(world: World, deployment: Deployment, status: str) -> None:
    for event in deployment.events:
        if event.name not in USED:
            event.status = "Skipped"
        elif status == "InProgress":
            event.status, event.started = status, world.now
        else:
            event.status, event.ended = status, world.now
