"""What EC2 shows and refuses because of the interfaces of tasks and load balancers; everything else of it is moto's.

Source: EC2 API reference, DeleteSubnet, DeleteSecurityGroup, DetachInternetGateway and DescribeNetworkInterfaces.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.ecs.store import Interface, store

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World


class Everything(frozenset[str]):
    """Every operation that is not named here."""

    def __contains__(self, operation: object) -> bool:
        return True


FILTERS: Mapping[str, Callable[[Interface], tuple[str, ...]]] = {
    "network-interface-id": lambda one: (one.id,),
    "subnet-id": lambda one: (one.subnet,),
    "vpc-id": lambda one: (one.vpc,),
    "availability-zone": lambda one: (one.zone,),
    "group-id": lambda one: one.groups,
    "description": lambda one: (one.description,),
    "status": lambda one: ("in-use",),
    "private-ip-address": lambda one: (one.ip,),
    "addresses.private-ip-address": lambda one: (one.ip,),
    "requester-managed": lambda one: ("true",),
}


def delete_subnet(call: Call) -> dict[str, Any]:
    """DeleteSubnet, once no interface is in it."""
    subnet = call.params["SubnetId"]
    if any(one.subnet == subnet for one in _interfaces(call.world)):
        raise _violation(f"The subnet '{subnet}' has dependencies and cannot be deleted.")
    store(call.world).addresses.pop(subnet, None)
    return call.moto()


def delete_security_group(call: Call) -> dict[str, Any]:
    """DeleteSecurityGroup, once no interface has it."""
    group = call.params.get("GroupId", "")
    if any(group in one.groups for one in _interfaces(call.world)):
        raise _violation(f"resource {group} has a dependent object")
    return call.moto()


def detach_internet_gateway(call: Call) -> dict[str, Any]:
    """DetachInternetGateway, once no interface of the network has a public address."""
    vpc = call.params["VpcId"]
    if any(one.vpc == vpc and one.public_ip for one in _interfaces(call.world)):
        raise _violation(
            f"Network {vpc} has some mapped public address(es). Please unmap those public address(es) "
            "before detaching the gateway."
        )
    return call.moto()


def describe_network_interfaces(call: Call) -> dict[str, Any]:
    """DescribeNetworkInterfaces: moto's own, and those of tasks and load balancers."""
    wanted = call.params.get("NetworkInterfaceIds", [])
    ours = [one for one in _interfaces(call.world) if not wanted or one.id in wanted]
    for condition in call.params.get("Filters", ()):
        values = condition["Values"]
        ours = [one for one in ours if set(_values(condition["Name"], one)) & set(values)]
    known = {one.id for one in _interfaces(call.world)}
    if wanted and set(wanted) <= known:
        return {"NetworkInterfaces": [_described(call.world, one) for one in ours]}
    answer = call.moto()
    return {
        **answer,
        "NetworkInterfaces": [*answer["NetworkInterfaces"], *(_described(call.world, one) for one in ours)],
    }


def _values(name: str, interface: Interface) -> tuple[str, ...]:
    read = FILTERS.get(name)
    if read is None:
        raise AwsError("InvalidParameterValue", f"The filter '{name}' is invalid")
    return read(interface)


def _interfaces(world: World) -> list[Interface]:
    return list(store(world).interfaces.values())


def _violation(message: str) -> AwsError:
    return AwsError("DependencyViolation", message)


def _described(world: World, one: Interface) -> dict[str, Any]:
    association = {"Association": {"IpOwnerId": "amazon", "PublicIp": one.public_ip}} if one.public_ip else {}
    return {
        "NetworkInterfaceId": one.id,
        "SubnetId": one.subnet,
        "VpcId": one.vpc,
        "AvailabilityZone": one.zone,
        "Description": one.description,
        "Groups": [{"GroupId": group, "GroupName": group} for group in one.groups],
        "InterfaceType": "interface",
        "MacAddress": one.mac,
        "OwnerId": world.settings.account,
        "PrivateIpAddress": one.ip,
        "PrivateIpAddresses": [{"Primary": True, "PrivateIpAddress": one.ip, **association}],
        "RequesterManaged": True,
        "SourceDestCheck": True,
        "Status": "in-use",
        "Attachment": {"AttachTime": world.datetime(one.made), "DeleteOnTermination": False, "Status": "attached"},
        "TagSet": [],
        **association,
    }


OPERATIONS = {
    "DeleteSubnet": delete_subnet,
    "DeleteSecurityGroup": delete_security_group,
    "DetachInternetGateway": detach_internet_gateway,
    "DescribeNetworkInterfaces": describe_network_interfaces,
}
MOTO = Everything()
