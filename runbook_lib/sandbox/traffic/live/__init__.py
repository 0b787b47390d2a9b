"""Live traffic: tasks are processes, traefik is the load balancer, requests really flow.

What runs belongs to this process and hangs beside the world; the world keeps plain data only.  A look at what really
happened is an event of the world like any other, so that exits, checks and requests come in at a time of the world.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from runbook_lib.sandbox.clocks import ScaledClock
from runbook_lib.sandbox.traffic.live.image import CannotStart
from runbook_lib.sandbox.traffic.live.plane import LOOK, Plane
from runbook_lib.sandbox.traffic.live.store import LiveStore, store

if TYPE_CHECKING:
    from runbook_lib.sandbox.services.ecs.store import Task
    from runbook_lib.sandbox.world import World

__all__ = ["HANDLERS", "STORE", "CannotStart", "attach", "close", "is_live", "start_task", "stop_task", "told"]

_planes: WeakKeyDictionary[World, Plane] = WeakKeyDictionary()


def is_live(world: World) -> bool:
    """Whether the world's traffic is real."""
    return world.settings.traffic == "live"


def attach(world: World, clock: ScaledClock) -> Plane:
    """Let the live side of a world run at the pace of a clock; tasks that the world shows as running are started."""
    plane = _planes.get(world)
    if plane is not None:
        plane.clock = clock
        return plane
    plane = _planes[world] = Plane(world, clock)
    plane.resume(world)
    if not store(world).ticking:
        store(world).ticking = True
        _plan_next(world)
    return plane


def close(world: World) -> None:
    """End all that runs beside a world."""
    plane = _planes.pop(world, None)
    if plane is not None:
        plane.close()


@atexit.register
def _end_all() -> None:
    for world in list(_planes):
        close(world)


def look(world: World) -> None:
    """Event: bring what really happened into the world."""
    plane = _planes.get(world)
    if plane is not None:
        plane.look(world)
    _plan_next(world)


def _plan_next(world: World) -> None:
    world.after(LOOK * world.settings.scale, "live.look", background=True)


def start_task(world: World, task: Task) -> None:
    """Start the processes of a task; raises CannotStart."""
    _planes[world].start_task(world, task)


def stop_task(world: World, task: Task) -> None:
    """Let the processes of a task end: `ecs.processes_gone` is called when they have."""
    from runbook_lib.sandbox.services import ecs

    plane = _planes.get(world)
    if plane is None or task.arn not in plane.tasks:
        ecs.processes_gone(world, task.arn)
    else:
        plane.stop_task(world, task.arn)


def told(world: World) -> dict[str, Any]:
    """What can be said of the live side at a glance: addresses, processes, and what came of the load."""
    plane = _planes.get(world)
    return {
        "addresses": plane.addresses(world) if plane else {},
        "processes": len(list(plane.tasks.processes())) if plane else 0,
        "load": store(world).load.told(),
    }


STORE = LiveStore
HANDLERS: Mapping[str, Callable[..., None]] = {"live.look": look}
