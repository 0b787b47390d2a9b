"""Moves traffic: first the test listener, then production in the increments of the configuration.

Sources: CodeDeploy user guide, deployment-steps-ecs and deployment-configurations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook_lib.sandbox.services.codedeploy import ending, progress, routes, sets, watching
from runbook_lib.sandbox.services.codedeploy.store import Deployment

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World


def test_traffic(world: World, deployment: Deployment) -> None:
    """The event AllowTestTraffic: the test listener points at green."""
    failure = routes.steer(world, deployment, deployment.plan.test or "", 100)
    if failure:
        ending.fail(world, deployment, failure)
    else:
        progress.wait(world, deployment, progress.TRAFFIC_SECONDS, "end")


def production_traffic(world: World, deployment: Deployment) -> None:
    """The event AllowTraffic begins with the first increment."""
    deployment.increment = 0
    deployment.desired = sets.desired(world, deployment)
    _increment(world, deployment)


def next_increment(world: World, deployment: Deployment) -> None:
    """Step: the hold of an increment is over; the next one follows unless an alarm is red or scaling did not settle."""
    if watching.stopped_by_alarm(world, deployment) or watching.failed_by_scaling(world, deployment):
        return
    deployment.increment += 1
    _increment(world, deployment)


def _increment(world: World, deployment: Deployment) -> None:
    increment = deployment.plan.increments[deployment.increment]
    failure = routes.steer(world, deployment, deployment.plan.production, increment.percent)
    if failure:
        ending.fail(world, deployment, failure)
    elif increment.percent < 100:
        progress.wait(world, deployment, increment.hold_minutes * 60.0, "shift.next")
    else:
        progress.wait(world, deployment, progress.TRAFFIC_SECONDS, "shift.done")


def done(world: World, deployment: Deployment) -> None:
    """Step: all production traffic reaches green, which becomes the primary task set."""
    failure = sets.promote(world, deployment, deployment.green)
    if failure:
        ending.fail(world, deployment, failure)
    else:
        progress.wait(world, deployment, 0.0, "end")
