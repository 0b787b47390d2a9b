"""How many tasks a service runs and wants, and what its controller says to scaling now.

Source: ECS developer guide, service-auto-scaling (the running count is the start value; while a deployment of the ECS
controller runs nothing is scaled in) and deployment-type-bluegreen (with CODE_DEPLOY scaling is not blocked).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runbook_lib.sandbox.errors import AwsError

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

GONE = frozenset({"ClusterNotFoundException", "ServiceNotFoundException", "ServiceNotActiveException"})


@dataclass(frozen=True)
class Capacity:
    """A service's tasks; `running` counts both colours of a blue/green deployment."""

    running: int
    desired: int
    controller: str
    may_shrink: bool


def read(world: World, resource: str) -> Capacity | None:
    """The capacity of service/CLUSTER/NAME; None when there is no such active service."""
    from runbook_lib.sandbox.services import ecs

    _, cluster, name = resource.split("/")
    try:
        found = ecs.service(world, cluster, name)
    except AwsError as error:
        if error.code not in GONE:
            raise
        return None
    if found is None or found.status != "ACTIVE":
        return None
    running = sum(ecs.running_count(world, one) for one in ecs.task_sets(world, cluster, name))
    rolling = found.controller == "ECS" and ecs.rolling_state(world, cluster, name) == "IN_PROGRESS"
    return Capacity(running, found.desired, found.controller, may_shrink=not rolling)


def write(world: World, resource: str, count: int) -> None:
    """Set the desired count of a service."""
    from runbook_lib.sandbox.services import ecs

    _, cluster, name = resource.split("/")
    ecs.set_desired_count(world, cluster, name, count)


def fulfilled(world: World, resource: str, count: int) -> bool | None:
    """Whether a service runs what was wanted; None when it is gone or wants something else by now."""
    from runbook_lib.sandbox.services import ecs

    found = read(world, resource)
    if found is None or found.desired != count:
        return None
    _, cluster, name = resource.split("/")
    staying = [one for one in ecs.task_sets(world, cluster, name) if one.status != "DRAINING"]
    return all(ecs.running_count(world, one) == ecs.computed_desired(world, one) for one in staying)
