"""Where a load balancer stands: its subnets, zones, security groups and interfaces, checked against the network.

Source: ELB API reference, CreateLoadBalancer; ELB guide, application-load-balancers (two zones at least).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.elbv2.store import LoadBalancer, dimension

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

LEAST_ZONES = {"application": 2, "network": 1}


@dataclass(frozen=True)
class Place:
    """The network of a load balancer, with a subnet for each zone."""

    vpc: str
    zones: dict[str, str]


def checked(world: World, subnets: Sequence[str], *, kind: str, scheme: str) -> Place:
    """The place that these subnets make; raises AwsError where they do not suit a load balancer."""
    found = _subnets(world, subnets)
    zones = {subnet["AvailabilityZone"]: subnet["SubnetId"] for subnet in found}
    vpcs = {subnet["VpcId"] for subnet in found}
    if len(zones) != len(found):
        message = "A load balancer cannot be attached to multiple subnets in the same Availability Zone"
        raise AwsError("InvalidConfigurationRequest", message)
    if len(zones) < LEAST_ZONES[kind]:
        raise AwsError("ValidationError", "At least two subnets in two different Availability Zones must be specified")
    if len(vpcs) != 1:
        raise AwsError("InvalidConfigurationRequest", "All subnets must belong to the same VPC")
    vpc = vpcs.pop()
    if scheme == "internet-facing" and not _has_gateway(world, vpc):
        raise AwsError("InvalidSubnet", f"VPC {vpc} has no internet gateway")
    return Place(vpc, zones)


def _subnets(world: World, wanted: Sequence[str]) -> list[dict[str, Any]]:
    known = {subnet["SubnetId"]: subnet for subnet in world.client("ec2").describe_subnets()["Subnets"]}
    missing = [subnet for subnet in wanted if subnet not in known]
    if missing:
        raise AwsError("SubnetNotFound", f"The subnet ID '{missing[0]}' does not exist")
    return [known[subnet] for subnet in wanted]


def _has_gateway(world: World, vpc: str) -> bool:
    gateways = world.client("ec2").describe_internet_gateways()["InternetGateways"]
    return any(attached["VpcId"] == vpc for gateway in gateways for attached in gateway["Attachments"])


def security_groups(world: World, wanted: Sequence[str] | None, vpc: str, *, kind: str) -> tuple[str, ...]:
    """The security groups of a load balancer, the default one of its network when none are named."""
    found = world.client("ec2").describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc]}])
    known = {group["GroupId"]: group["GroupName"] for group in found["SecurityGroups"]}
    if not wanted and kind == "application":
        wanted = [identity for identity, name in known.items() if name == "default"]
    for group in wanted or ():
        if group not in known:
            message = f"One or more security groups are invalid: security group '{group}' does not exist in {vpc}"
            raise AwsError("InvalidSecurityGroup", message)
    return tuple(wanted or ())


def interfaces(world: World, balancer: LoadBalancer) -> tuple[str, ...]:
    """Make an interface in each zone: they hold subnets and security groups until the load balancer is gone."""
    from runbook_lib.sandbox.services import ecs

    description, public = f"ELB {dimension(balancer.arn)}", balancer.scheme == "internet-facing"
    return tuple(
        ecs.interfaces.make(world, subnet, balancer.security_groups, description, public=public).id
        for subnet in balancer.zones.values()
    )


def release(world: World, made: Sequence[str]) -> None:
    """Let the interfaces of a load balancer go; they linger for a while."""
    from runbook_lib.sandbox.services import ecs

    for interface in made:
        ecs.interfaces.release(world, interface)


def regroup(world: World, made: Sequence[str], groups: Sequence[str]) -> None:
    """Give the interfaces other security groups."""
    from runbook_lib.sandbox.services import ecs

    for interface in made:
        ecs.interfaces.regroup(world, interface, groups)
