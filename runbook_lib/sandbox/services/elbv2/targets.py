"""Targets: they register, pass or fail their checks, drain and go.

One event a target is planned, for its next change of state; what makes the plan void plans anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from runbook_lib.sandbox.services.elbv2 import health
from runbook_lib.sandbox.services.elbv2.health import Answer, Schedule, Verdict
from runbook_lib.sandbox.services.elbv2.store import Target, TargetGroup, store, target_group, usage

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

CHECKED = ("initial", "healthy", "unhealthy")
NOBODY = Answer(0.0, None, silent=True)  # no interface has the address: a check runs into its timeout


def register_target(world: World, tg_arn: str, *, ip: str, port: int, zone: str) -> None:
    """Put a target into a group; one that is registered already stays as it is."""
    group = target_group(world, tg_arn)
    known = store(world).targets.setdefault(group.arn, {})
    old = known.get((ip, port))
    if old and old.state != "draining":
        return
    _touch(world)
    known.pop((ip, port), None)  # a target that comes back stands last
    known[ip, port] = Target(ip, port, zone, "unused", world.now, world.now, old.version if old else 0)
    _restart(world, group, known[ip, port])


def deregister_target(world: World, tg_arn: str, *, ip: str, port: int) -> None:
    """Take a target out of a group: it drains for the group's delay, or goes at once when nothing uses the group."""
    group = target_group(world, tg_arn)
    known = store(world).targets.get(group.arn, {})
    target = known.get((ip, port))
    if target is None or target.state == "draining":
        return
    _touch(world)
    if target.state == "unused" or not group.deregistration_delay:
        del known[ip, port]
        return
    _enter(world, group, target, "draining")
    world.after(group.deregistration_delay, "elbv2.target_drained", group.arn, ip, port, target.version + 1)


def target_drained(world: World, tg_arn: str, ip: str, port: int, version: int) -> None:
    """Event: the deregistration delay of a target is over."""
    if _current(world, tg_arn, ip, port, version):
        del store(world).targets[tg_arn][ip, port]


def target_state(world: World, tg_arn: str, *, ip: str, port: int) -> str:
    """The state that describe_target_health shows, or "gone"."""
    target = store(world).targets.get(tg_arn, {}).get((ip, port))
    return target.state if target else "gone"


def targets_of(world: World, tg_arn: str) -> tuple[Target, ...]:
    """The targets of a group in the order of their registration, draining ones among them."""
    return tuple(store(world).targets.get(tg_arn, {}).values())


def shown(world: World, group: TargetGroup, target: Target) -> dict[str, str]:
    """A target's health as describe_target_health shows it; a healthy one has no reason."""
    reason, description = _reason(world, group, target)
    if reason is None:
        return {"State": target.state}
    return {"State": target.state, "Reason": reason, "Description": description or health.DESCRIPTIONS[reason]}


def why(world: World, tg_arn: str, *, ip: str, port: int) -> str:
    """What describe_target_health gives as the description of a target's state, empty while it is healthy."""
    target = store(world).targets.get(tg_arn, {}).get((ip, port))
    return shown(world, target_group(world, tg_arn), target).get("Description", "") if target else ""


def reconsider_address(world: World, ip: str) -> None:
    """What answers at an address has changed: plan its targets' next change anew."""
    for arn, known in store(world).targets.items():
        for target in [target for target in known.values() if target.id == ip and target.state in CHECKED]:
            _plan(world, target_group(world, arn), target)


def reconsider_group(world: World, group: TargetGroup) -> None:
    """The check settings of a group have changed: plan its targets' next change anew."""
    for target in targets_of(world, group.arn):
        if group.health.enabled is (target.state == "unavailable"):
            _restart(world, group, target)
        elif target.state in CHECKED:
            schedule = Schedule(target.first_check, group.health.interval)
            _plan(world, group, replace(target, first_check=schedule.next(world.now)))


@contextmanager
def routing_change(world: World) -> Iterator[None]:
    """Around every change of listeners and rules: traffic is counted first; groups that come into use are checked."""
    _touch(world)
    before = set(usage(world))
    yield
    for arn in sorted(before ^ set(usage(world))):
        if arn in store(world).target_groups:
            _use_changed(world, store(world).target_groups[arn])


def target_turns(world: World, tg_arn: str, ip: str, port: int, version: int, state: str) -> None:
    """Event: a target's checks have passed or failed often enough."""
    target = _current(world, tg_arn, ip, port, version)
    if target is not None:
        turn(world, target_group(world, tg_arn), target, state)


def turn(world: World, group: TargetGroup, target: Target, state: str) -> None:
    """Let a target enter a state that its checks have brought it to."""
    from runbook_lib.sandbox.services import ecs

    _touch(world)
    _plan(world, group, _enter(world, group, target, state))
    ecs.target_changed(world, group.arn, ip=target.id, port=target.port, state=state)


def _use_changed(world: World, group: TargetGroup) -> None:
    for target in targets_of(world, group.arn):
        if target.state != "draining":
            _restart(world, group, target)


def _restart(world: World, group: TargetGroup, target: Target) -> None:
    """Begin with the initial checks, or rest while no load balancer uses the group or the target's zone."""
    balancers = usage(world).get(group.arn, [])
    if not group.health.enabled and balancers:
        _enter(world, group, target, "unavailable")
    elif not _reachable(world, target, balancers):
        _enter(world, group, target, "unused")
    else:
        begin = max(world.now, _active_at(world, balancers)) + world.settings.target_registration
        _plan(world, group, _enter(world, group, replace(target, first_check=begin), "initial"))


def _reachable(world: World, target: Target, balancers: list[str]) -> bool:
    zones = [store(world).load_balancers[arn].zones for arn in balancers]
    return any(target.zone in known or target.zone == "all" for known in zones)


def _active_at(world: World, balancers: list[str]) -> float:
    return max((store(world).load_balancers[arn].active_at for arn in balancers), default=world.now)


def _enter(world: World, group: TargetGroup, target: Target, state: str) -> Target:
    entered = replace(target, state=state, since=world.now, version=target.version + 1)
    store(world).targets[group.arn][target.id, target.port] = entered
    return entered


def _plan(world: World, group: TargetGroup, target: Target) -> None:
    """Put the target's next change of state into the heap; what was planned before is void."""
    target = replace(target, version=target.version + 1)
    store(world).targets[group.arn][target.id, target.port] = target
    if world.settings.traffic == "live":
        return  # its checks are really made, and nobody knows what they will find
    schedule = Schedule(target.first_check, group.health.interval)
    change = health.next_change(target.state, target.since, group.health, schedule, _verdicts(world, group, target))
    if change:
        where = (group.arn, target.id, target.port, target.version)
        world.at(max(change.at, world.now), "elbv2.target_turns", *where, change.state)


def _verdicts(world: World, group: TargetGroup, target: Target) -> tuple[Verdict, ...]:
    from runbook_lib.sandbox.services import ecs

    port = target.port if group.health.port == "traffic-port" else int(group.health.port)
    return health.verdicts(group.health, ecs.answers(world, ip=target.id, port=port) or (NOBODY,))


def _reason(world: World, group: TargetGroup, target: Target) -> tuple[str | None, str]:
    fixed = {
        "healthy": None,
        "unused": "Target.NotInUse",
        "draining": "Target.DeregistrationInProgress",
        "unavailable": "Target.HealthCheckDisabled",
    }
    if target.state in fixed:
        return fixed[target.state], ""
    if target.state == "initial":
        return ("Elb.RegistrationInProgress" if world.now < target.first_check else "Elb.InitialHealthChecking"), ""
    last = _last_verdict(world, group, target)
    # A target on its way back shows what it last failed with.
    failing = last if last and not last.passes else Verdict(0.0, "Target.FailedHealthChecks")
    return failing.reason, failing.description


def _last_verdict(world: World, group: TargetGroup, target: Target) -> Verdict | None:
    from runbook_lib.sandbox.services.elbv2 import observing

    if world.settings.traffic == "live":
        return observing.last_failure(world, group.arn, target)
    schedule = Schedule(target.first_check, group.health.interval)
    return health.verdict_at(schedule, _verdicts(world, group, target), world.now)


def _current(world: World, tg_arn: str, ip: str, port: int, version: int) -> Target | None:
    target = store(world).targets.get(tg_arn, {}).get((ip, port))
    return target if target and target.version == version else None


def _touch(world: World) -> None:
    from runbook_lib.sandbox import traffic

    traffic.touch(world)
