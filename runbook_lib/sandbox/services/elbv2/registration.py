"""Registering, deregistering and asking for targets by hand; ECS does the same for its tasks.

Sources: ELB API reference, RegisterTargets, DeregisterTargets and DescribeTargetHealth.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.elbv2 import targets
from runbook_lib.sandbox.services.elbv2.health import DESCRIPTIONS
from runbook_lib.sandbox.services.elbv2.store import Target, TargetGroup, store, target_group

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

MOST = 1000
NOT_REGISTERED = {
    "State": "unused",
    "Reason": "Target.NotRegistered",
    "Description": DESCRIPTIONS["Target.NotRegistered"],
}


def register(call: Call) -> dict[str, Any]:
    """RegisterTargets."""
    world, group = call.world, target_group(call.world, call.params["TargetGroupArn"])
    wanted = [_checked(world, group, target) for target in call.params["Targets"]]
    if len(targets.targets_of(world, group.arn)) + len(wanted) > MOST:
        raise AwsError("TooManyTargets", f"The maximum number of targets in a target group is {MOST}")
    for identity, port, zone in wanted:
        targets.register_target(world, group.arn, ip=identity, port=port, zone=zone)
    return {}


def _checked(world: World, group: TargetGroup, target: Mapping[str, Any]) -> tuple[str, int, str]:
    identity, port = target["Id"], target.get("Port", group.port)
    if not 1 <= port <= 65535:
        raise AwsError("ValidationError", f"The port '{port}' must be from 1 to 65535")
    if group.target_type != "ip":
        return identity, port, target.get("AvailabilityZone", "all")
    return identity, port, _zone_of(world, group, identity, target.get("AvailabilityZone"))


def _zone_of(world: World, group: TargetGroup, address: str, given: str | None) -> str:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError as bad:
        raise AwsError("ValidationError", f"The IP address '{address}' is not a valid IPv4 address") from bad
    where = [{"Name": "vpc-id", "Values": [group.vpc]}]
    for subnet in world.client("ec2").describe_subnets(Filters=where)["Subnets"]:
        if ip in ipaddress.ip_network(subnet["CidrBlock"]):
            return str(subnet["AvailabilityZone"])
    if given != "all":
        message = f"The IP address '{address}' is not within a range covered by VPC '{group.vpc}'"
        raise AwsError("InvalidTarget", message)
    return "all"


def deregister(call: Call) -> dict[str, Any]:
    """DeregisterTargets; a target without a port means the group's."""
    world, group = call.world, target_group(call.world, call.params["TargetGroupArn"])
    for target in call.params["Targets"]:
        port = target.get("Port", group.port)
        targets.deregister_target(world, group.arn, ip=target["Id"], port=port)
    return {}


def describe_health(call: Call) -> dict[str, Any]:
    """DescribeTargetHealth, of all targets or of those named; a draining target is shown until its delay is over."""
    world, group = call.world, target_group(call.world, call.params["TargetGroupArn"])
    found = targets.targets_of(world, group.arn)
    if "Targets" not in call.params:
        return {"TargetHealthDescriptions": [_described(world, group, target) for target in found]}
    return {"TargetHealthDescriptions": [_asked(world, group, wanted) for wanted in call.params["Targets"]]}


def _asked(world: World, group: TargetGroup, wanted: Mapping[str, Any]) -> dict[str, Any]:
    identity, port = wanted["Id"], wanted.get("Port", group.port)
    target = store(world).targets.get(group.arn, {}).get((identity, port))
    if target:
        return _described(world, group, target)
    return {"Target": {"Id": identity, "Port": port}, "TargetHealth": dict(NOT_REGISTERED)}


def _described(world: World, group: TargetGroup, target: Target) -> dict[str, Any]:
    port = str(target.port) if group.health.port == "traffic-port" else group.health.port
    return {
        "Target": {"Id": target.id, "Port": target.port, "AvailabilityZone": target.zone},
        "HealthCheckPort": port,
        "TargetHealth": targets.shown(world, group, target),
    }


OPERATIONS = {
    "RegisterTargets": register,
    "DeregisterTargets": deregister,
    "DescribeTargetHealth": describe_health,
}
