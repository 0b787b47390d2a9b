"""What the load balancer says: the target groups of service and deployment group, and where requests are sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from runbook_lib.preflight.live import Group, Route, Service, TargetGroup

if TYPE_CHECKING:
    from runbook_lib.account import Account


def read_target_groups(account: Account, service: Service | None, group: Group | None) -> tuple[TargetGroup, ...]:
    """The pair of the deployment group, then those that only the service names."""
    elb = account.client("elbv2")
    found = elb.describe_target_groups(Names=list(group.pair))["TargetGroups"] if group and group.pair else []
    known = {one["TargetGroupArn"] for one in found}
    wanted = {arn for arn in (service.target_groups if service else ()) if arn not in known}
    found += elb.describe_target_groups(TargetGroupArns=sorted(wanted))["TargetGroups"] if wanted else []
    return tuple(_target_group(elb, one) for one in found)


def _target_group(elb: Any, one: Mapping[str, Any]) -> TargetGroup:
    health = elb.describe_target_health(TargetGroupArn=one["TargetGroupArn"])["TargetHealthDescriptions"]
    return TargetGroup(
        name=one["TargetGroupName"],
        arn=one["TargetGroupArn"],
        kind=one.get("TargetType", "instance"),
        balancers=tuple(one.get("LoadBalancerArns", ())),
        interval=one.get("HealthCheckIntervalSeconds", 30),
        healthy_threshold=one.get("HealthyThresholdCount", 5),
        states=tuple(target["TargetHealth"]["State"] for target in health),
    )


def read_balancers(account: Account, arns: Iterable[str]) -> dict[str, str]:
    """The types of load balancers, by ARN."""
    wanted = sorted(arns)
    found = account.client("elbv2").describe_load_balancers(LoadBalancerArns=wanted)["LoadBalancers"] if wanted else ()
    return {one["LoadBalancerArn"]: one["Type"] for one in found}


def read_routes(account: Account, balancers: Iterable[str]) -> tuple[Route, ...]:
    """Every listener and rule of load balancers, given by ARN."""
    elb, routes = account.client("elbv2"), []
    for balancer in sorted(balancers):
        for listener in elb.describe_listeners(LoadBalancerArn=balancer)["Listeners"]:
            arn, port = listener["ListenerArn"], listener["Port"]
            for rule in elb.describe_rules(ListenerArn=arn)["Rules"]:
                own = None if rule["IsDefault"] else rule["RuleArn"]
                routes.append(Route(arn, own, port, balancer, _weights(rule["Actions"])))
    return tuple(routes)


def _weights(actions: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Of the first action that forwards; nothing where none does."""
    for action in actions:
        if action["Type"] == "forward":
            groups = action.get("ForwardConfig", {}).get("TargetGroups") or [
                {"TargetGroupArn": action["TargetGroupArn"]}
            ]
            return {group["TargetGroupArn"]: group.get("Weight", 1) for group in groups}
    return {}
