"""The one mechanism by which a deployment moves: it always waits until a deadline to do a named step.

A minute tick runs beside it for as long as the deployment is not over. A deadline further away than the next tick is
put on the world's heap by that tick, so that a deployment which ends early leaves nothing behind for over a minute.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook_lib.sandbox.services.codedeploy.store import Deployment

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

TICK_SECONDS = 60.0
# How long AWS's own bookkeeping takes; read off the timestamps of a deployment in the ECS developer guide's tutorial.
START_SECONDS = 4.0
EVENT_SECONDS = 1.0
PAUSE_SECONDS = 1.0
TRAFFIC_SECONDS = 2.0
LOOK_SECONDS = 5.0
REMOVAL_SECONDS = 5.0
STOP_SECONDS = 2.0
SETTLE_SECONDS = 20.0


def watch(world: World, deployment: Deployment) -> None:
    """Starts the minute tick of a new deployment."""
    deployment.next_tick = world.now + TICK_SECONDS
    world.at(deployment.next_tick, "codedeploy.tick", deployment.id)


def tick_again(world: World, deployment: Deployment) -> None:
    """Sets the next tick, and the deadline where it comes before that."""
    watch(world, deployment)
    if deployment.deadline is not None and deployment.deadline > world.now:
        _arm(world, deployment)


def wait(world: World, deployment: Deployment, seconds: float, step: str) -> None:
    """Lets the deployment do that step so many seconds from now, in place of whatever it waited for."""
    deployment.step, deployment.deadline = step, world.now + seconds
    deployment.serial += 1
    deployment.touched = world.now
    _arm(world, deployment)


def rest(world: World, deployment: Deployment) -> None:
    """Ends all waiting, because the deployment is over."""
    deployment.step, deployment.deadline = "", None
    deployment.serial += 1
    deployment.touched = world.now


def _arm(world: World, deployment: Deployment) -> None:
    if deployment.deadline is not None and deployment.deadline <= deployment.next_tick:
        world.at(deployment.deadline, "codedeploy.step", deployment.id, deployment.serial)
