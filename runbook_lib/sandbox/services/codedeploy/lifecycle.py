"""The lifecycle events of a deployment in their order, and the steps by which it walks through them.

Sources: CodeDeploy user guide, deployment-steps-ecs and reference-appspec-file-structure-hooks; ECS developer guide,
create-blue-green (without a test listener the two events of test traffic are absent).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from runbook_lib.sandbox.services.codedeploy import (
    ending,
    hooks,
    install,
    lookup,
    progress,
    rerouting,
    shift,
    starting,
    waits,
    watching,
)
from runbook_lib.sandbox.services.codedeploy.store import Deployment, LifecycleEvent, Plan

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

Step = Callable[["World", Deployment], None]
RUNNERS: dict[str, Step] = {
    "BeforeInstall": hooks.run,
    "Install": install.run,
    "AfterInstall": hooks.run,
    "AllowTestTraffic": shift.test_traffic,
    "AfterAllowTestTraffic": hooks.run,
    "BeforeAllowTraffic": hooks.run,
    "AllowTraffic": shift.production_traffic,
    "AfterAllowTraffic": hooks.run,
}
TEST_EVENTS = ("AllowTestTraffic", "AfterAllowTestTraffic")


def events_of(plan: Plan) -> list[LifecycleEvent]:
    """Eight events, or six for a group without a test listener."""
    return [LifecycleEvent(name) for name in RUNNERS if plan.test or name not in TEST_EVENTS]


def step(world: World, deployment_id: str, serial: int) -> None:
    """Handler codedeploy.step: does what the deployment waited for, unless it waits for something else by now."""
    deployment = lookup.store(world).deployments[deployment_id]
    if deployment.over or deployment.serial != serial:
        return
    STEPS[deployment.step](world, deployment)


def begin(world: World, deployment: Deployment) -> None:
    """Step: the next lifecycle event starts, unless an alarm is red."""
    if watching.stopped_by_alarm(world, deployment):
        return
    event = deployment.event
    event.status, event.started = "InProgress", world.now
    RUNNERS[event.name](world, deployment)


def end(world: World, deployment: Deployment) -> None:
    """Step: the running lifecycle event succeeded."""
    event = deployment.event
    event.status, event.ended = "Succeeded", world.now
    deployment.cursor += 1
    if deployment.cursor == len(deployment.events):
        waits.before_termination(world, deployment)
    elif deployment.event.name == "BeforeAllowTraffic":
        waits.before_traffic(world, deployment)
    else:
        progress.wait(world, deployment, progress.PAUSE_SECONDS, "begin")


STEPS: dict[str, Step] = {
    "start": starting.start,
    "begin": begin,
    "end": end,
    "install.look": install.look,
    "shift.next": shift.next_increment,
    "shift.done": shift.done,
    "hook.silent": hooks.silent,
    "ready.expired": waits.ready_expired,
    "terminate": waits.terminate_blue,
    "reroute.done": rerouting.done,
    "reroute.remove": rerouting.remove_green,
    "succeed": ending.succeed,
}
