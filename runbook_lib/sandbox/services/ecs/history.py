"""What is remembered of the rolling deployments of a service: its revisions, and how each deployment of one went.

Source: ECS API reference, ServiceDeployment and ServiceRevision. A rollback belongs to the deployment that it undoes.
"""

from __future__ import annotations

import string
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from runbook_lib.sandbox.services.ecs.store import Revision, Rollout, Service, TaskSet, store

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

OPEN = ("IN_PROGRESS", "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS")
ENDS = {
    "IN_PROGRESS": "SUCCESSFUL",
    "ROLLBACK_REQUESTED": "ROLLBACK_SUCCESSFUL",
    "ROLLBACK_IN_PROGRESS": "ROLLBACK_SUCCESSFUL",
}
OVERTAKEN = "The service deployment was stopped because a newer one was started."


def opened(world: World, service: Service, old: Iterable[TaskSet], new: TaskSet) -> None:
    """A deployment of a new revision begins; one that was under way is over."""
    if service.controller != "ECS":
        return
    running = current(world, service.arn)
    if running is not None and running.status in OPEN:
        _end(world, running, "STOPPED", OVERTAKEN)
    sources = tuple(store(world).revision_of[one.id] for one in old)
    identity = world.ids.letters("service-deployment", 21, string.ascii_letters + string.digits)
    arn = _arn(world, "service-deployment", service, identity)
    target = _remember(world, service, new)
    store(world).rollouts[arn] = Rollout(arn, service.arn, sources, target, world.now, world.now)


def _remember(world: World, service: Service, new: TaskSet) -> str:
    arn = _arn(world, "service-revision", service, world.ids.digits("service-revision", 19))
    store(world).service_revisions[arn] = Revision(arn, new, service.launch_type)
    store(world).revision_of[new.id] = arn
    return arn


def _arn(world: World, kind: str, service: Service, identity: str) -> str:
    return world.arn("ecs", f"{kind}/{service.cluster.rpartition('/')[2]}/{service.name}/{identity}")


def rolling_back(world: World, service: Service, good: TaskSet, again: TaskSet, reason: str) -> None:
    """The last good revision comes back, under the id of another task set if its own is gone."""
    known, running = store(world), current(world, service.arn)
    known.revision_of[again.id] = known.revision_of[good.id]
    if running is not None:
        undo = (reason, world.now, known.revision_of[again.id])
        changed = replace(running, status="ROLLBACK_IN_PROGRESS", rollback=undo, reason=reason, updated=world.now)
        known.rollouts[running.arn] = changed


def completed(world: World, service: Service) -> None:
    """The newest deployment has arrived, at its revision or back at the former one."""
    running = current(world, service.arn)
    if running is not None and running.status in OPEN:
        _end(world, running, ENDS[running.status], running.reason)


def failed(world: World, service: Service, reason: str) -> None:
    """The newest deployment is over and nothing is rolled back."""
    running = current(world, service.arn)
    if running is not None and running.status in OPEN:
        _end(world, running, "STOPPED", reason)


def _end(world: World, rollout: Rollout, status: str, reason: str) -> None:
    ended = replace(rollout, status=status, reason=reason, updated=world.now, finished=world.now)
    store(world).rollouts[rollout.arn] = ended


def current(world: World, service_arn: str) -> Rollout | None:
    """The newest deployment of a service; None under CodeDeploy."""
    return next((one for one in reversed(store(world).rollouts.values()) if one.service == service_arn), None)
