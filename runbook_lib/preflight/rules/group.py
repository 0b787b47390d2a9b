"""C: the service, the deployment group, and the load balancer between them, as AWS has them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from runbook_lib.preflight.live import TargetGroup
from runbook_lib.preflight.picture import Picture
from runbook_lib.preflight.rule import Answer, Rule, judge, ok, unknown
from runbook_lib.preflight.rules.parts import group_of, live_of, service_of

STYLE = "GetDeploymentGroup: deploymentStyle"
BALANCER = "GetDeploymentGroup: loadBalancerInfo"
WAITS = "GetDeploymentGroup: blueGreenDeploymentConfiguration"


def controller(picture: Picture) -> Iterator[Answer]:
    """C1."""
    service = service_of(picture)
    remedy = "make a second service under CODE_DEPLOY: 15_move_service"
    where = "DescribeServices: deploymentController.type"
    yield judge(
        service.controller == "CODE_DEPLOY", where, seen=service.controller, wanted="CODE_DEPLOY", remedy=remedy
    )


def style(picture: Picture) -> Iterator[Answer]:
    """C2."""
    group = group_of(picture)
    seen, wanted = f"{group.kind}, {group.option}", "BLUE_GREEN, WITH_TRAFFIC_CONTROL"
    yield judge(seen == wanted, STYLE, seen=seen, wanted=wanted, remedy="update the group's deploymentStyle")


def balancer_form(picture: Picture) -> Iterator[Answer]:
    """C3."""
    group = group_of(picture)
    seen = f"{len(group.pair)} target groups, {len(group.production)} production listeners"
    wanted = "targetGroupPairInfoList with target groups and a production listener"
    good = bool(group.pair and group.production)
    yield judge(good, BALANCER, seen=seen, wanted=wanted, remedy="give the group a targetGroupPairInfoList")


def platform(picture: Picture) -> Iterator[Answer]:
    """C4."""
    group = group_of(picture)
    where, remedy = "GetApplication: computePlatform", "make a new application for ECS: the platform cannot be changed"
    yield judge(group.platform == "ECS", where, seen=group.platform, wanted="ECS", remedy=remedy)


def pair(picture: Picture) -> Iterator[Answer]:
    """C5."""
    group = group_of(picture)
    good = len(set(group.pair)) == 2
    yield judge(good, BALANCER, seen=", ".join(group.pair) or "none", wanted="two target groups", remedy="name both")


def gradual(picture: Picture) -> Iterator[Answer]:
    """C6."""
    live, group = live_of(picture), group_of(picture)
    for arn, kind in live.balancers.items():
        seen = f"{kind} load balancer, {group.config}"
        good = kind == "application" or group.config.endswith("AllAtOnce")
        wanted = "an application load balancer, or all at once"
        remedy = "use CodeDeployDefault.ECSAllAtOnce, or an application load balancer"
        yield judge(good, f"DescribeLoadBalancers: {_tail(arn)}", seen=seen, wanted=wanted, remedy=remedy)


def ready_wait(picture: Picture) -> Iterator[Answer]:
    """C7."""
    group = group_of(picture)
    good = group.ready_action == "STOP_DEPLOYMENT" or not group.ready_wait
    seen = f"{group.ready_action}, {group.ready_wait} minutes"
    yield judge(good, WAITS, seen=seen, wanted="a wait only with STOP_DEPLOYMENT", remedy="leave the wait out")


def termination(picture: Picture) -> Iterator[Answer]:
    """C8."""
    group = group_of(picture)
    good = group.ending == "TERMINATE"
    seen = f"{group.ending or 'nothing'} after {group.termination_wait} minutes"
    yield judge(good, WAITS, seen=seen, wanted="TERMINATE after a wait", remedy="use TERMINATE with a wait")


def behind_listener(picture: Picture) -> Iterator[Answer]:
    """C10."""
    live = live_of(picture)
    named = {arn for route in live.routes or () for arn in route.weights}
    for group in _pair(picture):
        seen = "behind a listener or rule" if group.arn in named else "behind none"
        remedy = "put it into the production rule with weight 0"
        yield judge(group.arn in named, _where(group), seen=seen, wanted="behind a listener or rule", remedy=remedy)


def target_type(picture: Picture) -> Iterator[Answer]:
    """C11."""
    for group in _pair(picture):
        yield judge(
            group.kind == "ip", _where(group), seen=group.kind, wanted="ip", remedy="make a target group of type ip"
        )


def one_group(picture: Picture) -> Iterator[Answer]:
    """C12."""
    service = service_of(picture)
    count, where = len(service.target_groups), "DescribeServices: loadBalancers"
    yield judge(
        count == 1, where, seen=f"{count} target groups", wanted="one", remedy="make the service with the live one"
    )


def one_balancer(picture: Picture) -> Iterator[Answer]:
    """C13."""
    live, group = live_of(picture), group_of(picture)
    listeners = {route.balancer for route in live.routes or () if route.listener in (*group.production, *group.test)}
    used = listeners | {arn for one in _pair(picture) for arn in one.balancers}
    seen, wanted = ", ".join(map(_tail, sorted(used))) or "none", "one load balancer"
    yield judge(
        len(used) == 1, BALANCER, seen=seen, wanted=wanted, remedy="use listeners and groups of one load balancer"
    )


def supported(picture: Picture) -> Iterator[Answer]:
    """C15."""
    service = service_of(picture)
    seen = f"{service.scheduling}, Service Connect {'on' if service.connects else 'off'}"
    good = service.scheduling == "REPLICA" and not service.connects
    wanted = "REPLICA, Service Connect off"
    yield judge(
        good, "DescribeServices", seen=seen, wanted=wanted, remedy="leave out what CODE_DEPLOY does not support"
    )


def grace(picture: Picture) -> Iterator[Answer]:
    """C16: by the figures; how long the application takes to answer, only its owner knows."""
    service = service_of(picture)
    where = "DescribeServices: healthCheckGracePeriodSeconds"
    wanted = "more than the application takes until it answers"
    if not service.target_groups:
        yield judge(
            not service.grace, where, seen=f"{service.grace} s without a load balancer", wanted="none", remedy="0"
        )
    elif not service.grace:
        yield unknown(where, "0 s", wanted, "set it above the application's start time")
    else:
        yield ok(where, f"{service.grace} s", wanted)


def _pair(picture: Picture) -> list[TargetGroup]:
    live = live_of(picture)
    return [one for name in group_of(picture).pair if (one := live.group_named(name))]


def _where(group: TargetGroup) -> str:
    return f"DescribeTargetGroups: {group.name}"


def _tail(arn: str) -> str:
    return arn.rpartition("loadbalancer/")[2].split("/")[1] if "loadbalancer/" in arn else arn


SERVICE, GROUP, GROUPS = "live.service", "live.group", "live.target_groups"
ASKED: dict[str, tuple[tuple[str, ...], Callable[[Picture], Iterator[Answer]]]] = {
    "C1": ((SERVICE,), controller),
    "C2": ((GROUP,), style),
    "C3": ((GROUP,), balancer_form),
    "C4": ((GROUP,), platform),
    "C5": ((GROUP,), pair),
    "C6": ((GROUP,), gradual),
    "C7": ((GROUP,), ready_wait),
    "C8": ((GROUP,), termination),
    "C10": ((GROUP, GROUPS, "live.routes"), behind_listener),
    "C11": ((GROUP, GROUPS), target_type),
    "C12": ((SERVICE,), one_group),
    "C13": ((GROUP, GROUPS, "live.routes"), one_balancer),
    "C15": ((SERVICE,), supported),
    "C16": ((SERVICE,), grace),
}
RULES = tuple(Rule(id, needs, answer) for id, (needs, answer) in ASKED.items())
