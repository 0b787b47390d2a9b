"""What the world wants of its live traffic at a moment: routes, targets to ask, and where users come in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from runbook_lib.sandbox.services.elbv2 import store as elbv2
from runbook_lib.sandbox.services.elbv2.store import Listener, Target
from runbook_lib.sandbox.traffic.live.checks import Order, Where
from runbook_lib.sandbox.traffic.live.ports import LOOPBACK
from runbook_lib.sandbox.traffic.live.routing import NOTHING, Plan, Route, Serving

if TYPE_CHECKING:
    from runbook_lib.sandbox.services.ecs.store import Task
    from runbook_lib.sandbox.world import World

Find = Callable[[str, int], int | None]  # an address of the world -> a port of loopback
CHECKED = ("initial", "healthy", "unhealthy")
SERVED = ("HTTP", "HTTPS")


def listeners(world: World) -> list[Listener]:
    """The listeners of active load balancers that speak HTTP, by load balancer and port."""
    known = elbv2.store(world)
    found = [one for one in known.listeners.values() if one.protocol in SERVED]
    active = [one for one in found if known.load_balancers[one.load_balancer].active_at <= world.now]
    return sorted(active, key=lambda one: (one.load_balancer, one.port))


def production(world: World) -> Listener | None:
    """Where users come in: the lowest port that forwards, of the load balancer that was made first."""
    order = list(elbv2.store(world).load_balancers)
    found = [one for one in listeners(world) if elbv2.groups_in(one.actions)]
    return min(found, key=lambda one: (order.index(one.load_balancer), one.port), default=None)


def roles(world: World) -> dict[str, str]:
    """What each listener is called, by ARN: production :80, test :9001; where there are more, with its balancer."""
    found = listeners(world)
    several = len({one.load_balancer for one in found}) > 1
    named: dict[str, str] = {}
    for one in found:
        first = not any(other in named for other in _arns(found, one.load_balancer))
        name = f"{elbv2.load_balancer(world, one.load_balancer).name} " if several else ""
        named[one.arn] = f"{name}{'production' if first else 'test'} :{one.port}"
    return named


def _arns(found: Iterable[Listener], balancer: str) -> list[str]:
    return [one.arn for one in found if one.load_balancer == balancer]


def plan(world: World, entrances: Mapping[str, str], find: Find) -> Plan:
    """Routes and targets, for the listeners that have an entrance."""
    routes = [
        route
        for listener in listeners(world)
        if listener.arn in entrances
        for route in _routes(world, listener, entrances[listener.arn])
    ]
    groups = sorted({group for route in routes for group in elbv2.groups_in([route.action])})
    return Plan(tuple(routes), {group: _serving(world, group, find) for group in groups})


def _routes(world: World, listener: Listener, entrance: str) -> list[Route]:
    rules = [
        Route(listener.arn, rule.priority, entrance, rule.conditions, rule.actions[-1])
        for rule in elbv2.rules_of(world, listener.arn)
    ]
    return [*rules, Route(listener.arn, 0, entrance, (), listener.actions[-1])]


def _serving(world: World, group: str, find: Find) -> Serving:
    known = [
        one for one in elbv2.store(world).targets.get(group, {}).values() if one.state not in ("draining", "unused")
    ]
    # With no healthy target a group sends to all (ELB guide, target-group-health-checks: fail open).
    chosen = [one for one in known if one.state in ("healthy", "unavailable")] or known
    return Serving(group, tuple((f"{one.id}:{one.port}", _url(one, find)) for one in chosen))


def _url(target: Target, find: Find) -> str:
    port = find(target.id, target.port)
    return NOTHING if port is None else f"http://{LOOPBACK}:{port}"


def checks(world: World, find: Find, scale: float) -> dict[Where, Order]:
    """The targets whose checks have begun, and how they are asked."""
    known = elbv2.store(world)
    return {
        Where(arn, target.id, target.port): _order(known.target_groups[arn], target, find, scale)
        for arn, targets in known.targets.items()
        for target in targets.values()
        if target.state in CHECKED and target.first_check <= world.now
    }


def _order(group: elbv2.TargetGroup, target: Target, find: Find, scale: float) -> Order:
    settings = group.health
    port = target.port if settings.port == "traffic-port" else int(settings.port)
    return Order(
        address=find(target.id, port),
        path=settings.path,
        interval=settings.interval / scale,
        timeout=float(settings.timeout),
        version=int(target.first_check),
    )


def tasks_by_ip(world: World) -> dict[str, Task]:
    """The tasks that have an address now."""
    from runbook_lib.sandbox.services.ecs.store import store

    return {task.ip: task for task in store(world).tasks.values() if task.ip and task.status != "STOPPED"}
