"""Live traffic: tasks are processes, traefik is the load balancer, requests really flow.

What runs belongs to this process and hangs beside the world; the world keeps plain data only.  What really happened
comes in by reports (report.py): exits, checks, requests, lines.  A served world keeps them in its journal, so that it
can be had again without what ran.  While that is done nothing is started: afterwards the tasks that should run are
started anew, and traffic flows again when those that were healthy listen.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from runbook_lib.sandbox.clocks import Outside, ScaledClock
from runbook_lib.sandbox.traffic.live import door, report
from runbook_lib.sandbox.traffic.live.plane import LOOK, Plane
from runbook_lib.sandbox.traffic.live.store import LiveStore, store
from runbook_lib.sandbox.traffic.live.tasks import Given, Secrets
from runbook_lib.sandbox.visiting import NOBODY, Found

if TYPE_CHECKING:
    from runbook_lib.sandbox.services.ecs.store import Task
    from runbook_lib.sandbox.world import World

__all__ = ["HANDLERS", "STORE", "attach", "close", "is_live", "start_task", "stop_task", "told", "visit"]

_planes: WeakKeyDictionary[World, Plane] = WeakKeyDictionary()


def is_live(world: World) -> bool:
    """Whether the world's traffic is real."""
    return world.settings.traffic == "live"


def attach(world: World, clock: ScaledClock, *, tell: Callable[[str, Any], None], url: str = "") -> Plane:
    """Let the live side of a world run at the pace of a clock; tasks that the world shows as running are started.

    `tell` lets a handler happen in the world with what was seen; `url` is where the world is served, if it is.
    """
    plane = _planes.get(world)
    if plane is None:
        plane = _planes[world] = Plane(world, clock, tell=tell, url=url)
        plane.resume(world)
    plane.clock.watch(None)
    plane.clock = clock
    clock.watch(Outside(look=partial(plane.look, world), every=LOOK))
    return plane


def close(world: World) -> None:
    """End all that runs beside a world."""
    plane = _planes.pop(world, None)
    if plane is not None:
        plane.clock.watch(None)
        plane.close()


@atexit.register
def _end_all() -> None:
    for world in list(_planes):
        close(world)


def start_task(world: World, task: Task, secrets: Secrets) -> None:
    """Start the processes of a task: `ecs.processes_started` or `ecs.processes_refused` is called soon.

    The world knows from now on who calls with the credentials of the task's role.
    """
    store(world).asked[task.arn] = None
    given = door.credentials(world, task)
    plane = _planes.get(world)
    if plane is not None:
        plane.start_task(world, task, Given(secrets, given))


def stop_task(world: World, task: Task) -> None:
    """Let the processes of a task end: `ecs.processes_gone` is called when they have."""
    plane = _planes.get(world)
    if plane is not None:
        plane.stop_task(world, task.arn)


def told(world: World) -> dict[str, Any]:
    """What can be said of the live side at a glance: addresses, processes, and what came of the load."""
    plane = _planes.get(world)
    return {
        "addresses": plane.addresses(world) if plane else {},
        "entrances": plane.listeners(world) if plane else {},
        "processes": len(list(plane.tasks.processes())) if plane else 0,
        "load": store(world).load.told(),
    }


def visit(world: World, url: str) -> Found:
    """A GET at the address of a load balancer, over HTTP; nobody is there while its listener is not served."""
    plane = _planes.get(world)
    return plane.visit(world, url) if plane else NOBODY


STORE = LiveStore
HANDLERS: Mapping[str, Callable[..., None]] = {report.HANDLER: report.bring}
