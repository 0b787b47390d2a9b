"""The event Install: the replacement task set is made and has an hour to become healthy.

Sources: CodeDeploy user guide, deployment-steps-ecs and troubleshooting-ecs. With a gradual configuration green's group
is put behind the production listener at weight 0, so that it is checked before the shift; all-at-once leaves the
listener alone, so a group behind no listener cannot be checked and a broken image passes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.codedeploy import ending, progress, routes, sets
from runbook_lib.sandbox.services.codedeploy.failure import Failure
from runbook_lib.sandbox.services.codedeploy.store import Deployment, Side

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

LIMIT_SECONDS = 3600.0
NEVER_HEALTHY = Failure(
    "TIMEOUT",
    "The deployment timed out while waiting for the replacement task set to become healthy. "
    "This time out period is 60 minutes.",
)


def run(world: World, deployment: Deployment) -> None:
    """Makes green on the target group that the primary does not use."""
    failure = _make_green(world, deployment)
    if failure:
        ending.fail(world, deployment, failure)
    else:
        progress.wait(world, deployment, progress.LOOK_SECONDS, "install.look")


def _make_green(world: World, deployment: Deployment) -> Failure | None:
    blue = sets.primary(world, deployment)
    if blue is None:
        return Failure("INVALID_ECS_SERVICE", "The Amazon ECS service has no primary task set.")
    groups = routes.pair(world, deployment)
    if blue.target_group not in groups:
        return Failure(routes.INVALID, routes.REFUSED.format(reason=routes.NOT_BEHIND))
    deployment.blue = blue
    deployment.green = Side("", groups[1] if blue.target_group == groups[0] else groups[0])
    return (
        routes.misplaced(world, deployment, blue)
        or sets.denied(world, deployment)
        or _put_behind_listener(world, deployment)
        or _create(world, deployment, deployment.green.target_group)
    )


def _put_behind_listener(world: World, deployment: Deployment) -> Failure | None:
    """Green's group gets weight 0; one that already is there may hold a share left over by a stopped deployment."""
    if len(deployment.plan.increments) > 1 or routes.uses_green(world, deployment):
        return routes.steer(world, deployment, deployment.plan.production, 0)
    return None


def _create(world: World, deployment: Deployment, target_group: str) -> Failure | None:
    sets.remove_leftovers(world, deployment)
    try:
        task_set = sets.create(world, deployment, target_group)
    except AwsError as refused:
        return Failure("ECS_UPDATE_ERROR", sets.REFUSED.format(reason=refused.message))
    deployment.green = Side(task_set, target_group)
    return None


def look(world: World, deployment: Deployment) -> None:
    """Step: goes on when green is steady and healthy, and fails when its hour is over."""
    if sets.ready(world, deployment):
        progress.wait(world, deployment, 0.0, "end")
    elif world.now - (deployment.event.started or world.now) >= LIMIT_SECONDS:
        ending.fail(world, deployment, NEVER_HEALTHY)
    else:
        progress.wait(world, deployment, progress.LOOK_SECONDS, "install.look")
