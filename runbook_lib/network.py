"""The network: a VPC with public subnets in several zones, the way out, and who may talk to whom."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from runbook_lib.account import Account
from runbook_lib.errors import BadInput
from runbook_lib.inventory import Item
from runbook_lib.planning import GONE_BY_TEARDOWN, change, make
from runbook_lib.step import Made, Ref, Step, Until
from runbook_lib.system import WORLD_TAG, System, tag_list


@dataclass(frozen=True)
class Network:
    """What is there of the network; a field is None while the resource does not exist."""

    vpc: str | None
    dns_hostnames: bool
    gateway: str | None
    gateway_attached: bool
    subnets: dict[str, str]  # short name -> id
    routes: dict[str, str]  # short name of the route table -> id
    default_routes: frozenset[str]  # route tables with a way out
    associated: frozenset[str]  # subnets with a route table of ours
    groups: dict[str, str]  # short name -> id of the security group
    ingress: frozenset[tuple[str, int, str]]  # (security group id, port, cidr or group id)
    address: str | None  # allocation of the NAT gateway's address
    nat: str | None
    zones: tuple[str, ...]  # zone names that offer themselves, in order


def read_network(account: Account, system: System) -> Network:
    """What is there of the system's network, found by its tags."""
    ec2 = account.client("ec2")
    found = {kind: _tagged(ec2, system, kind) for kind in ("vpcs", "internet_gateways", "subnets", "route_tables")}
    groups = _tagged(ec2, system, "security_groups")
    vpc = next((vpc["VpcId"] for vpc in found["vpcs"].values()), None)
    gateway = next(iter(found["internet_gateways"].values()), None)
    tables = found["route_tables"]
    return Network(
        vpc=vpc,
        dns_hostnames=bool(vpc) and _dns_hostnames(ec2, str(vpc)),
        gateway=gateway["InternetGatewayId"] if gateway else None,
        gateway_attached=bool(gateway and gateway["Attachments"]),
        subnets={name: subnet["SubnetId"] for name, subnet in found["subnets"].items()},
        routes={name: table["RouteTableId"] for name, table in tables.items()},
        default_routes=frozenset(name for name, table in tables.items() if _has_way_out(table)),
        associated=frozenset(
            link["SubnetId"] for table in tables.values() for link in table["Associations"] if link.get("SubnetId")
        ),
        groups={name: group["GroupId"] for name, group in groups.items()},
        ingress=frozenset(rule for group in groups.values() for rule in _ingress(group)),
        address=next((a["AllocationId"] for a in _tagged(ec2, system, "addresses").values()), None),
        nat=next((n["NatGatewayId"] for n in _nat_gateways(ec2, system)), None),
        zones=_zones(ec2),
    )


def plan_network(system: System, network: Network, items: Iterable[Item]) -> tuple[Step, ...]:
    """The steps that make the network: VPC, way out, subnets, routes and security groups."""
    items = tuple(items)
    _check_room(system, network)
    steps = [*_vpc_steps(system, network, items)]
    for number in range(system.params.network.zones):
        steps += _subnet_steps(system, network, items, number)
    if system.params.network.egress == "nat":
        steps += _nat_steps(system, network, items)
    return (*steps, *_group_steps(system, network, items))


def known(system: System, network: Network) -> dict[str, dict[str, Any]]:
    """What later plans refer to, as the answers of the steps that made it."""
    names = {f"network.subnet.{number}": f"{system.name}-{number}" for number in range(system.params.network.zones)}
    names |= {f"network.private.{n}": f"{system.name}-private-{n}" for n in range(system.params.network.zones)}
    vpc = system.params.existing.vpc or network.vpc
    groups = {f"network.group.{purpose}": f"{system.name}-{purpose}" for purpose in ("balancer", "tasks")}
    return {
        "network.vpc": {"Vpc": {"VpcId": vpc}},
        **{
            step: {"Subnet": {"SubnetId": network.subnets[name]}}
            for step, name in names.items()
            if name in network.subnets
        },
        **{step: {"GroupId": network.groups[name]} for step, name in groups.items() if name in network.groups},
    }


def subnet_refs(system: System) -> list[Ref]:
    """The subnets of the load balancer (and of the tasks, unless they go out through a NAT gateway)."""
    return [Ref(f"network.subnet.{number}", "Subnet.SubnetId") for number in range(system.params.network.zones)]


def task_subnet_refs(system: System) -> list[Ref] | list[str]:
    """The subnets of the tasks: private ones when the way out is a NAT gateway; those that were there, by their ids."""
    if system.params.existing.subnets:
        return list(system.params.existing.subnets)
    if system.params.network.egress != "nat":
        return subnet_refs(system)
    return [Ref(f"network.private.{number}", "Subnet.SubnetId") for number in range(system.params.network.zones)]


VPC = Ref("network.vpc", "Vpc.VpcId")
BALANCER_GROUP = Ref("network.group.balancer", "GroupId")
TASK_GROUP = Ref("network.group.tasks", "GroupId")


def task_groups(system: System) -> list[Ref] | list[str]:
    """The security groups of the tasks: those that were there, by their ids, else the one that the runbooks make."""
    return list(system.params.existing.security_groups) or [TASK_GROUP]


def _vpc_steps(system: System, network: Network, items: tuple[Item, ...]) -> list[Step]:
    gateway = Ref("network.gateway", "InternetGateway.InternetGatewayId")
    return [
        make(
            "network.vpc",
            "Make the network",
            "ec2:create_vpc",
            {"CidrBlock": system.params.network.cidr, "TagSpecifications": _tags(system, "vpc", system.name)},
            made=Made("ec2:vpc", system.name, "Vpc.VpcId"),
            found={"Vpc": {"VpcId": network.vpc}} if network.vpc else None,
            items=items,
        ),
        change(
            "network.dns",
            "Give the network's interfaces DNS names",
            "ec2:modify_vpc_attribute",
            {"VpcId": VPC, "EnableDnsHostnames": {"Value": True}},
            touches=system.name,
            needed=None if network.dns_hostnames else "endpoints and the tasks' interfaces need them",
            undo=GONE_BY_TEARDOWN,
        ),
        make(
            "network.gateway",
            "Make the internet gateway",
            "ec2:create_internet_gateway",
            {"TagSpecifications": _tags(system, "internet-gateway", system.name)},
            made=Made("ec2:internet-gateway", system.name, "InternetGateway.InternetGatewayId"),
            found={"InternetGateway": {"InternetGatewayId": network.gateway}} if network.gateway else None,
            items=items,
        ),
        change(
            "network.attach",
            "Attach the gateway",
            "ec2:attach_internet_gateway",
            {"InternetGatewayId": gateway, "VpcId": VPC},
            touches=system.name,
            needed=None if network.gateway_attached else "the load balancer is reached through it",
            undo=GONE_BY_TEARDOWN,
        ),
        *_route_table(system, network, items, "public", {"GatewayId": gateway}),
    ]


def _subnet_steps(system: System, network: Network, items: tuple[Item, ...], number: int) -> list[Step]:
    return [
        _subnet(system, network, items, f"network.subnet.{number}", f"{system.name}-{number}", number),
        _association(system, network, f"network.subnet.{number}", f"{system.name}-{number}", "public"),
    ]


def _subnet(system: System, network: Network, items: tuple[Item, ...], step: str, name: str, number: int) -> Step:
    zone = network.zones[number % system.params.network.zones]
    return make(
        step,
        f"Make the subnet in {zone}",
        "ec2:create_subnet",
        {
            "VpcId": VPC,
            "CidrBlock": _block(system, number),
            "AvailabilityZone": zone,
            "TagSpecifications": _tags(system, "subnet", name),
        },
        made=Made("ec2:subnet", name, "Subnet.SubnetId"),
        found={"Subnet": {"SubnetId": network.subnets[name]}} if name in network.subnets else None,
        items=items,
    )


def _association(system: System, network: Network, subnet: str, name: str, table: str) -> Step:
    return change(
        f"{subnet}.route",
        f"Route the subnet {name}",
        "ec2:associate_route_table",
        {
            "RouteTableId": Ref(f"network.routes.{table}", "RouteTable.RouteTableId"),
            "SubnetId": Ref(subnet, "Subnet.SubnetId"),
        },
        touches=name,
        needed=None if network.subnets.get(name) in network.associated else "images and logs need a way out",
        undo=GONE_BY_TEARDOWN,
    )


def _route_table(
    system: System, network: Network, items: tuple[Item, ...], table: str, way: dict[str, Any]
) -> list[Step]:
    name = f"{system.name}-{table}"
    return [
        make(
            f"network.routes.{table}",
            f"Make the {table} routes",
            "ec2:create_route_table",
            {"VpcId": VPC, "TagSpecifications": _tags(system, "route-table", name)},
            made=Made("ec2:route-table", name, "RouteTable.RouteTableId"),
            found={"RouteTable": {"RouteTableId": network.routes[name]}} if name in network.routes else None,
            items=items,
        ),
        change(
            f"network.routes.{table}.default",
            f"Let the {table} routes lead out",
            "ec2:create_route",
            {
                "RouteTableId": Ref(f"network.routes.{table}", "RouteTable.RouteTableId"),
                "DestinationCidrBlock": "0.0.0.0/0",
                **way,
            },
            touches=name,
            needed=None if name in network.default_routes else "nothing leads out of it yet",
            undo=GONE_BY_TEARDOWN,
        ),
    ]


def _nat_steps(system: System, network: Network, items: tuple[Item, ...]) -> list[Step]:
    nat = Ref("network.nat", "NatGateway.NatGatewayId")
    steps = [
        make(
            "network.address",
            "Take an address for the NAT gateway",
            "ec2:allocate_address",
            {"Domain": "vpc", "TagSpecifications": _tags(system, "elastic-ip", system.name)},
            made=Made("ec2:address", system.name, "AllocationId"),
            found={"AllocationId": network.address} if network.address else None,
            items=items,
        ),
        make(
            "network.nat",
            "Make the NAT gateway",
            "ec2:create_nat_gateway",
            {
                "SubnetId": Ref("network.subnet.0", "Subnet.SubnetId"),
                "AllocationId": Ref("network.address", "AllocationId"),
                "TagSpecifications": _tags(system, "natgateway", system.name),
            },
            made=Made("ec2:nat-gateway", system.name, "NatGateway.NatGatewayId"),
            found={"NatGateway": {"NatGatewayId": network.nat}} if network.nat else None,
            items=items,
            until=Until("the NAT gateway is available", _nat_missing),
        ),
        *_route_table(system, network, items, "private", {"NatGatewayId": nat}),
    ]
    zones = system.params.network.zones
    for number in range(zones):
        step, name = f"network.private.{number}", f"{system.name}-private-{number}"
        steps.append(_subnet(system, network, items, step, name, number + zones))
        steps.append(_association(system, network, step, name, "private"))
    return steps


def _group_steps(system: System, network: Network, items: tuple[Item, ...]) -> list[Step]:
    balancer = system.params.balancer
    return [
        _group(system, network, items, "balancer", "What may reach the load balancer"),
        _group(system, network, items, "tasks", "What may reach the tasks"),
        _open(
            system, network, "balancer", balancer.production_port, system.params.network.production_from, "everybody"
        ),
        _open(system, network, "balancer", balancer.test_port, system.params.network.test_from, "the test network"),
        _open(system, network, "tasks", system.port, BALANCER_GROUP, "the load balancer"),
    ]


def _group(system: System, network: Network, items: tuple[Item, ...], purpose: str, description: str) -> Step:
    name = f"{system.name}-{purpose}"
    return make(
        f"network.group.{purpose}",
        f"Make the security group of the {purpose}",
        "ec2:create_security_group",
        {
            "GroupName": name,
            "Description": description,
            "VpcId": VPC,
            "TagSpecifications": _tags(system, "security-group", name),
        },
        made=Made("ec2:security-group", name, "GroupId"),
        found={"GroupId": network.groups[name]} if name in network.groups else None,
        items=items,
    )


def _open(system: System, network: Network, purpose: str, port: int, source: str | Ref, who: str) -> Step:
    name = f"{system.name}-{purpose}"
    known = source if isinstance(source, str) else network.groups.get(f"{system.name}-balancer")
    permission: dict[str, Any] = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port}
    if isinstance(source, str):
        permission["IpRanges"] = [{"CidrIp": source, "Description": who}]
    else:
        permission["UserIdGroupPairs"] = [{"GroupId": source, "Description": who}]
    return change(
        f"network.open.{purpose}.{port}",
        f"Let {who} reach port {port} of the {purpose}",
        "ec2:authorize_security_group_ingress",
        {"GroupId": Ref(f"network.group.{purpose}", "GroupId"), "IpPermissions": [permission]},
        touches=name,
        needed=None if (network.groups.get(name), port, known) in network.ingress else f"{who} cannot reach it yet",
        undo=GONE_BY_TEARDOWN,
        accept=("InvalidPermission.Duplicate",),
    )


def _cidrs(subnet: Mapping[str, Any]) -> Iterator[str]:
    """The addresses of a subnet, of either kind; one that has IPv6 alone has no other."""
    if subnet.get("CidrBlock"):
        yield subnet["CidrBlock"]
    for block in subnet.get("Ipv6CidrBlockAssociationSet", ()):
        if block["Ipv6CidrBlockState"]["State"] == "associated":
            yield block["Ipv6CidrBlock"]


def _check_room(system: System, network: Network) -> None:
    wanted = system.params.network.zones
    if len(network.zones) < wanted:
        raise BadInput(
            where="network.zones",
            seen=f"{len(network.zones)} zones in {system.region}",
            wanted=f"{wanted} zones",
            next_step="lower network.zones or choose another region",
        )


def _block(system: System, number: int) -> str:
    blocks = list(ipaddress.ip_network(system.params.network.cidr).subnets(new_prefix=24))
    return str(blocks[number])


def _tags(system: System, kind: str, name: str) -> list[dict[str, Any]]:
    return [{"ResourceType": kind, "Tags": tag_list({**system.tags, "Name": name})}]


def _tagged(ec2: Any, system: System, kind: str) -> dict[str, dict[str, Any]]:
    answer = getattr(ec2, f"describe_{kind}")(Filters=[{"Name": f"tag:{WORLD_TAG}", "Values": [system.name]}])
    key = next(key for key in answer if key != "ResponseMetadata" and isinstance(answer[key], list))
    return {_name(resource): resource for resource in answer[key]}


def _name(resource: dict[str, Any]) -> str:
    return next((tag["Value"] for tag in resource.get("Tags", []) if tag["Key"] == "Name"), "")


def _dns_hostnames(ec2: Any, vpc: str) -> bool:
    answer = ec2.describe_vpc_attribute(VpcId=vpc, Attribute="enableDnsHostnames")
    return bool(answer["EnableDnsHostnames"]["Value"])


def _has_way_out(table: dict[str, Any]) -> bool:
    return any(route.get("DestinationCidrBlock") == "0.0.0.0/0" for route in table["Routes"])


def _ingress(group: dict[str, Any]) -> Iterable[tuple[str, int, str]]:
    for permission in group["IpPermissions"]:
        sources = [r["CidrIp"] for r in permission["IpRanges"]] + [p["GroupId"] for p in permission["UserIdGroupPairs"]]
        yield from ((group["GroupId"], permission.get("FromPort", 0), source) for source in sources)


def _nat_gateways(ec2: Any, system: System) -> list[dict[str, Any]]:
    answer = ec2.describe_nat_gateways(Filters=[{"Name": f"tag:{WORLD_TAG}", "Values": [system.name]}])
    return [nat for nat in answer["NatGateways"] if nat["State"] in ("pending", "available")]


def _nat_missing(account: Account, answer: Any) -> str | None:
    nat = answer["NatGateway"]["NatGatewayId"]
    state = account.client("ec2").describe_nat_gateways(NatGatewayIds=[nat])["NatGateways"][0]["State"]
    return None if state == "available" else f"it is {state}"


def _zones(ec2: Any) -> tuple[str, ...]:
    answer = ec2.describe_availability_zones(Filters=[{"Name": "state", "Values": ["available"]}])
    ordinary = [
        zone for zone in answer["AvailabilityZones"] if zone.get("ZoneType", "availability-zone") == "availability-zone"
    ]
    return tuple(sorted(zone["ZoneName"] for zone in ordinary))


def read_zones(account: Account, load_balancer: str) -> dict[str, str]:
    """The zone of every subnet in a load balancer's VPC, for tasks live in others than it does: CIDR -> zone."""
    found = account.client("elbv2").describe_load_balancers(LoadBalancerArns=[load_balancer])["LoadBalancers"][0]
    asked = [{"Name": "vpc-id", "Values": [found["VpcId"]]}]
    pages = account.client("ec2").get_paginator("describe_subnets").paginate(Filters=asked)
    subnets = [subnet for page in pages for subnet in page["Subnets"]]
    return {cidr: subnet["AvailabilityZone"] for subnet in subnets for cidr in _cidrs(subnet)}


def read_free_addresses(account: Account, subnets: Iterable[str]) -> dict[str, int]:
    """How many addresses are free in each of these subnets, by its id: a task of Fargate takes one."""
    wanted = list(subnets)
    found = account.client("ec2").describe_subnets(SubnetIds=wanted)["Subnets"] if wanted else []
    return {subnet["SubnetId"]: subnet["AvailableIpAddressCount"] for subnet in found}
