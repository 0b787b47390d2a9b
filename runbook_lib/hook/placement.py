"""Where the hook asks from: can it reach the test listener, and AWS to report what it found?

An interface of Lambda's in a VPC never has a public address (Lambda developer guide, configuration-vpc-internet): out
of the VPC it comes by a NAT gateway or not at all, and AWS's own endpoints lie outside unless the VPC has interface
endpoints of its own. The name of an internet-facing load balancer leads to public addresses inside its VPC too (ELB
user guide, application-load-balancers): what it sees then is the NAT gateway's address, and groups of the VPC do not
count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

from runbook_lib.account import Account
from runbook_lib.balancer import Balancer
from runbook_lib.check import Check, ask, skip
from runbook_lib.errors import BadInput
from runbook_lib.system import System

CALLED = ("codedeploy", "ecs", "elasticloadbalancing")  # services that the hook calls
REACH = "Can the hook reach the test listener?"
REPORT = "Can the hook report from its subnets?"


@dataclass(frozen=True)
class Way:
    """A subnet's way out: the NAT gateway's public addresses, or the first word of what its default route leads to."""

    subnet: str
    vpc: str
    cidr: str
    out: str | None  # nat, igw, tgw ...; None without a default route
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True)
class Placement:
    """What was read of where the hook is and of the listener that it asks: `admits` are CIDRs and group ids."""

    ways: tuple[Way, ...]
    groups: dict[str, str]  # security group of the hook -> its VPC
    endpoints: dict[str, frozenset[str]]  # VPC -> services of CALLED with an interface endpoint
    public: bool  # whether the load balancer is internet-facing
    admits: frozenset[str]


def read_placement(account: Account, system: System, balancer: Balancer) -> Placement:
    """The hook's subnets with their ways out, and whom the test listener admits; refused where one is not there."""
    from botocore.exceptions import ClientError

    release, ec2 = system.params.release, account.client("ec2")
    try:
        subnets = _all(ec2.describe_subnets, "Subnets", SubnetIds=release.hook_subnets)
        own = _all(ec2.describe_security_groups, "SecurityGroups", GroupIds=release.hook_security_groups)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("InvalidSubnetID.NotFound", "InvalidGroup.NotFound"):
            raise
        raise BadInput(
            where="release.hook_subnets, hook_security_groups",
            seen=error.response["Error"]["Message"],
            wanted="subnets and security groups of this account and region",
            next_step="correct them; nothing was changed",
        ) from error
    found = account.client("elbv2").describe_load_balancers(LoadBalancerArns=[balancer.arn])["LoadBalancers"][0]
    guards = _all(ec2.describe_security_groups, "SecurityGroups", GroupIds=found.get("SecurityGroups", ()))
    port = system.params.balancer.test_port
    return Placement(
        ways=tuple(_way(ec2, subnet) for subnet in subnets),
        groups={group["GroupId"]: group["VpcId"] for group in own},
        endpoints={vpc: _endpoints(ec2, vpc) for vpc in sorted({subnet["VpcId"] for subnet in subnets})},
        public=found["Scheme"] == "internet-facing",
        admits=frozenset(source for group in guards for source in _sources(group, port)),
    )


def check_placement(placed: Placement, port: int) -> tuple[Check, ...]:
    """Can it reach the test listener, can it report, and do its groups belong to its VPC?"""
    if not placed.ways:
        return (_check_outside(placed, port),)
    vpcs = sorted({way.vpc for way in placed.ways})
    return (
        _check_reach(placed, port),
        _check_report(placed),
        ask(
            "Are the hook's subnets and security groups of one VPC?",
            set(placed.groups.values()) | set(vpcs) == set(vpcs) and len(vpcs) == 1,
            seen=f"subnets of {', '.join(vpcs)}, groups of {', '.join(sorted(set(placed.groups.values())))}",
            wanted="one VPC",
            remedy="correct release.hook_subnets or release.hook_security_groups",
        ),
    )


def _check_outside(placed: Placement, port: int) -> Check:
    """Without subnets: it comes from any of AWS's public addresses."""
    if placed.public and placed.admits & {"0.0.0.0/0", "::/0"}:
        return ask(REACH, True, seen=f"port {port} is open to everybody", wanted="a way to it")
    why = f"port {port} admits {_told(placed.admits)}" if placed.public else "the load balancer is internal"
    return skip(
        REACH,
        f"on AWS not: it asks from outside the VPC, and {why}; name release.hook_subnets, or use release.probe instead",
    )


def _check_reach(placed: Placement, port: int) -> Check:
    sources = {way.subnet: way.addresses if placed.public else (way.cidr,) for way in placed.ways}
    by_group = not placed.public and bool(placed.admits & set(placed.groups))
    lost = [] if by_group else [name for name, seen in sources.items() if not _admitted(seen, placed.admits)]
    told = "; ".join(f"{name} comes as {', '.join(seen) or 'nobody: no NAT gateway'}" for name, seen in sources.items())
    kind = "internet-facing" if placed.public else "internal"
    return ask(
        REACH,
        not lost,
        seen=f"{kind}; {told}; port {port} admits {_told(placed.admits)}",
        wanted="every subnet admitted",
        remedy="open the listener's security group to these addresses alone (network.test_from), or use release.probe",
    )


def _check_report(placed: Placement) -> Check:
    lost = {way.subnet: missing for way in placed.ways if (missing := _out_of_reach(way, placed.endpoints[way.vpc]))}
    return ask(
        REPORT,
        not lost,
        seen="; ".join(f"{name}: {why}" for name, why in lost.items()) or "a way to AWS from each",
        wanted=f"a NAT gateway, or interface endpoints of {', '.join(CALLED)}: CodeDeploy waits an hour for a report",
        remedy="choose subnets behind a NAT gateway, or make the endpoints",
    )


def _out_of_reach(way: Way, endpoints: frozenset[str]) -> str:
    """Why AWS cannot be called from a subnet; "" where it can."""
    missing = [service for service in CALLED if service not in endpoints]
    if not missing or way.out not in (None, "igw"):
        return ""
    out = "its way out is an internet gateway, of no use without a public address" if way.out else "it has no way out"
    return f"{out}, and no endpoint of {', '.join(missing)}"


def _admitted(sources: Iterable[str], admits: frozenset[str]) -> bool:
    """Whether each of these addresses or blocks lies in one that is admitted; nobody is not."""
    open_to = [ip_network(one) for one in admits if not one.startswith(("sg-", "pl-")) and ":" not in one]
    asked = [ip_network(one) for one in sources]
    return bool(asked) and all(any(one.subnet_of(each) for each in open_to) for one in asked)  # type: ignore[arg-type]


def _told(admits: frozenset[str]) -> str:
    return ", ".join(sorted(admits)) or "nobody"


def _way(ec2: Any, subnet: dict[str, Any]) -> Way:
    own = [{"Name": "association.subnet-id", "Values": [subnet["SubnetId"]]}]
    main = [{"Name": "vpc-id", "Values": [subnet["VpcId"]]}, {"Name": "association.main", "Values": ["true"]}]
    tables = (
        ec2.describe_route_tables(Filters=own)["RouteTables"] or ec2.describe_route_tables(Filters=main)["RouteTables"]
    )
    routes = [
        route for table in tables for route in table["Routes"] if route.get("DestinationCidrBlock") == "0.0.0.0/0"
    ]
    first = routes[0] if routes else {}
    nat = first.get("NatGatewayId")
    kinds = ("NatGatewayId", "GatewayId", "TransitGatewayId", "NetworkInterfaceId", "VpcPeeringConnectionId")
    target = next((first[kind] for kind in kinds if first.get(kind)), None)
    addresses: tuple[str, ...] = ()
    if nat:
        gateways = ec2.describe_nat_gateways(NatGatewayIds=[nat])["NatGateways"]
        known = (one.get("PublicIp") for gateway in gateways for one in gateway["NatGatewayAddresses"])
        addresses = tuple(sorted(f"{address}/32" for address in known if address))
    out = None if target is None else str(target).partition("-")[0]
    return Way(subnet["SubnetId"], subnet["VpcId"], subnet["CidrBlock"], out, addresses)


def _endpoints(ec2: Any, vpc: str) -> frozenset[str]:
    found = ec2.describe_vpc_endpoints(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["VpcEndpoints"]
    names = (one["ServiceName"].rpartition(".")[2] for one in found if one["VpcEndpointType"] == "Interface")
    return frozenset(names) & frozenset(CALLED)


def _sources(group: dict[str, Any], port: int) -> Iterable[str]:
    """The CIDRs, groups and prefix lists that a security group admits to a port."""
    for rule in group["IpPermissions"]:
        if rule["IpProtocol"] == "-1" or rule.get("FromPort", 0) <= port <= rule.get("ToPort", 65535):
            yield from (one["CidrIp"] for one in rule.get("IpRanges", ()))
            yield from (one["CidrIpv6"] for one in rule.get("Ipv6Ranges", ()))
            yield from (one["GroupId"] for one in rule.get("UserIdGroupPairs", ()))
            yield from (one["PrefixListId"] for one in rule.get("PrefixListIds", ()))


def _all(describe: Callable[..., Any], key: str, **ids: Iterable[str]) -> list[dict[str, Any]]:
    """What is described by these ids; nothing for none of them, where AWS would describe everything."""
    asked = {name: list(values) for name, values in ids.items()}
    return list(describe(**asked)[key]) if all(asked.values()) else []
