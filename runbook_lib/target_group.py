"""Target groups: the targets of a service with their health, and the name under which they are measured."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from runbook_lib.account import Account
from runbook_lib.check import Check, ask
from runbook_lib.inventory import Item
from runbook_lib.network import VPC
from runbook_lib.planning import GONE_BY_TEARDOWN, change, make
from runbook_lib.step import Made, Ref, Step
from runbook_lib.system import System, tag_list


@dataclass(frozen=True)
class Target:
    """One target as the load balancer sees it; `reason` is None while it is healthy."""

    ip: str
    port: int
    state: str
    reason: str | None


@dataclass(frozen=True)
class TargetGroup:
    """A target group with its targets; `drain_seconds` is how long a leaving target keeps its open requests."""

    name: str
    arn: str
    drain_seconds: int
    targets: tuple[Target, ...]

    @property
    def healthy(self) -> int:
        return sum(target.state == "healthy" for target in self.targets)

    @property
    def counted(self) -> int:
        """The targets that are not on their way out."""
        return sum(target.state not in ("draining", "unused") for target in self.targets)


def dimension(arn: str) -> str:
    """How metrics name a target group: targetgroup/<name>/<id>."""
    return f"targetgroup/{arn.partition('targetgroup/')[2]}"


def read_groups(account: Account, names: Iterable[str]) -> dict[str, TargetGroup]:
    """The target groups of these names that exist, with their targets."""
    elb = account.client("elbv2")
    found = {}
    for name in names:
        try:
            arn = elb.describe_target_groups(Names=[name])["TargetGroups"][0]["TargetGroupArn"]
        except elb.exceptions.TargetGroupNotFoundException:
            continue
        found[name] = TargetGroup(name, arn, _drain_seconds(elb, arn), _targets(elb, arn))
    return found


def plan_group(system: System, name: str, existing: TargetGroup | None, items: Iterable[Item]) -> tuple[Step, ...]:
    """The steps that make a target group, with its health checks and how long its targets drain."""
    health = system.params.balancer.health
    found = {"TargetGroups": [{"TargetGroupArn": existing.arn}]} if existing else None
    delay = str(system.params.balancer.deregistration_delay_seconds)
    return (
        make(
            f"balancer.group.{name}",
            f"Make the target group {name}",
            "elbv2:create_target_group",
            {
                "Name": name,
                "Protocol": "HTTP",
                "Port": system.port,
                "VpcId": VPC,
                "TargetType": "ip",
                "HealthCheckPath": system.health_path,
                "HealthCheckIntervalSeconds": health.interval_seconds,
                # Two pages of AWS disagree on the default: always said.
                "HealthCheckTimeoutSeconds": health.timeout_seconds,
                "HealthyThresholdCount": health.healthy_threshold,
                "UnhealthyThresholdCount": health.unhealthy_threshold,
                "Matcher": {"HttpCode": health.codes},
                "Tags": tag_list(system.tags),
            },
            made=Made("elbv2:target-group", name, "TargetGroups[0].TargetGroupArn"),
            found=found,
            items=items,
        ),
        change(
            f"balancer.group.{name}.delay",
            f"Let {name} drain {delay} seconds",
            "elbv2:modify_target_group_attributes",
            {
                "TargetGroupArn": group_ref(name),
                "Attributes": [{"Key": "deregistration_delay.timeout_seconds", "Value": delay}],
            },
            touches=name,
            needed=None
            if existing and str(existing.drain_seconds) == delay
            else "300 seconds is the default and holds every release up",
            undo=GONE_BY_TEARDOWN,
        ),
    )


def group_ref(name: str) -> Ref:
    """The ARN of a target group that the same plan makes or finds."""
    return Ref(f"balancer.group.{name}", "TargetGroups[0].TargetGroupArn")


def check_targets(group: TargetGroup, *, wanted: int) -> Check:
    """Does every target of the group pass its health check, and are there as many as wanted?"""
    told = ", ".join(f"{target.state}" + (f" ({target.reason})" if target.reason else "") for target in group.targets)
    seen = f"{group.healthy} healthy of {group.counted}: {told or 'no targets'}"
    return ask(
        f"Does every target of {group.name} pass its health check?",
        group.healthy >= wanted and group.healthy == group.counted,
        seen=seen if group.arn else "no such target group",
        wanted=f"{wanted} healthy, none else",
        remedy="read the service's events and the stopped tasks' reasons",
    )


def _drain_seconds(elb: Any, arn: str) -> int:
    attributes = elb.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"]
    return int(next(a["Value"] for a in attributes if a["Key"] == "deregistration_delay.timeout_seconds"))


def _targets(elb: Any, arn: str) -> tuple[Target, ...]:
    health = elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
    return tuple(
        Target(h["Target"]["Id"], h["Target"]["Port"], h["TargetHealth"]["State"], h["TargetHealth"].get("Reason"))
        for h in health
    )
