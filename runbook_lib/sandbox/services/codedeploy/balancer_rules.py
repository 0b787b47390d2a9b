"""The load balancer of an Amazon ECS deployment group: one pair of target groups, one or two listeners of one balancer.

Sources: CodeDeploy API reference, TargetGroupPairInfo and TrafficRoute; user guide, troubleshooting-ecs;
ECS developer guide, deployment-type-bluegreen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from runbook_lib.sandbox.errors import AwsError

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

NO_PAIR = (
    "A deployment group associated with an application that uses the ECS compute platform must contain "
    "a valid pair of target groups that identify a load balancer."
)
ONLY_ALB = (
    "Only ALB supports gradual traffic routing, use AllAtOnce Traffic routing instead "
    "when you create/update Deployment group."
)


def check(world: World, info: dict[str, Any] | None, routing: dict[str, Any]) -> None:
    """Refuses a load balancer that CodeDeploy cannot shift between two task sets."""
    if info is None:
        _refuse("For ECS deployment group, loadBalancerInfo must be specified")
    if info.get("elbInfoList"):
        _refuse("For ECS deployment group, loadBalancerInfo must not contain elbInfo list")
    if info.get("targetGroupInfoList"):
        _refuse("For ECS deployment group, loadBalancerInfo must not contain targetGroupInfo list")
    pairs = info.get("targetGroupPairInfoList") or []
    if len(pairs) != 1:
        raise AwsError("InvalidTargetGroupPairException", f"{NO_PAIR} Pairs given: {len(pairs)}.")
    balancer, kind = _listeners(world, pairs[0])
    if kind == "network" and routing.get("type") != "AllAtOnce":
        raise AwsError("InvalidTrafficRoutingConfigurationException", ONLY_ALB)
    _target_groups(world, pairs[0], balancer)


def _refuse(message: str) -> NoReturn:
    raise AwsError("InvalidLoadBalancerInfoException", message)


def _listeners(world: World, pair: dict[str, Any]) -> tuple[str, str]:
    """The load balancer of the listeners, and its kind."""
    from runbook_lib.sandbox.services import elbv2

    production = (pair.get("prodTrafficRoute") or {}).get("listenerArns") or []
    test = (pair.get("testTrafficRoute") or {}).get("listenerArns") or []
    if len(production) != 1 or len(test) > 1:
        _refuse("A target group pair must have exactly one production listener and at most one test listener.")
    if production == test:
        _refuse("The production listener and the test listener must not be the same.")
    try:
        balancers = {elbv2.listener(world, arn).load_balancer for arn in (*production, *test)}
    except AwsError as unknown:
        _refuse(f"The listeners {', '.join((*production, *test))} could not be described: {unknown.message}")
    if len(balancers) > 1:
        _refuse("The production listener and the test listener must belong to the same load balancer.")
    balancer = balancers.pop()
    return balancer, elbv2.load_balancer(world, balancer).kind


def _target_groups(world: World, pair: dict[str, Any], balancer: str) -> None:
    from runbook_lib.sandbox.services import elbv2

    names = [group.get("name") for group in pair.get("targetGroups") or []]
    if len(names) != 2 or len(set(names)) != 2:
        raise AwsError("InvalidTargetGroupPairException", f"{NO_PAIR} Target groups given: {names}.")
    for name in names:
        try:
            group = elbv2.target_group(world, name or "")
        except AwsError as unknown:
            raise AwsError("InvalidTargetGroupPairException", f"{NO_PAIR} {name}: {unknown.message}") from unknown
        others = [arn for arn in elbv2.usage(world).get(group.arn, []) if arn != balancer]
        if others:
            raise AwsError(
                "InvalidTargetGroupPairException", f"{NO_PAIR} {name} is used by another load balancer: {others[0]}."
            )
