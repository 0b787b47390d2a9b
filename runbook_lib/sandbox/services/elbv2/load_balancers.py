"""Load balancers: they provision, are active, and are deleted with their listeners.

Sources: ELB API reference, CreateLoadBalancer and DeleteLoadBalancer; ELB guide, application-load-balancers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.elbv2 import linked_role, placement, tags
from runbook_lib.sandbox.services.elbv2.attributes import LOAD_BALANCER, defaults
from runbook_lib.sandbox.services.elbv2.pages import page
from runbook_lib.sandbox.services.elbv2.store import LoadBalancer, arn, listeners_of, load_balancer, store
from runbook_lib.sandbox.services.elbv2.targets import routing_change

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

NAME = re.compile(r"(?!internal-)[A-Za-z0-9](?:[A-Za-z0-9-]{0,30}[A-Za-z0-9])?")
HOSTED_ZONE = "Z35SXDOTRQ7X7K"  # of application load balancers in us-east-1
ROLE_TOO_NEW = AwsError(
    "OperationNotPermitted",
    "Unable to assume the service linked role AWSServiceRoleForElasticLoadBalancing. Please try again.",
)
KINDS = {"application": "app", "network": "net"}


def create(call: Call) -> dict[str, Any]:
    """CreateLoadBalancer; the same call again answers with what exists."""
    world, params = call.world, call.params
    _check_name(params["Name"])
    existing = next((lb for lb in store(world).load_balancers.values() if lb.name == params["Name"]), None)
    if existing:
        return {"LoadBalancers": [_described(world, _same(existing, params))]}
    linked_role.require(world, "elasticloadbalancing.amazonaws.com", ROLE_TOO_NEW)
    made = _made(world, params)
    store(world).load_balancers[made.arn] = made
    tags.keep(world, made.arn, tags.read(params.get("Tags", ())))
    # Without an event nobody could wait for it.
    world.at(made.active_at, "elbv2.load_balancer_active", made.arn)
    return {"LoadBalancers": [_described(world, made)]}


def load_balancer_active(world: World, arn: str) -> None:
    """Event: a load balancer has been provisioned; its state is read from the time."""


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise AwsError(
            "ValidationError",
            f"The load balancer name '{name}' must have at most 32 letters, digits or hyphens, begin and end with a "
            "letter or digit, and not begin with 'internal-'",
        )


def _same(existing: LoadBalancer, params: Mapping[str, Any]) -> LoadBalancer:
    given = (params.get("Scheme", "internet-facing"), params.get("Type", "application"), set(_subnets(params)))
    known = (existing.scheme, existing.kind, set(existing.zones.values()))
    if given != known or set(params.get("SecurityGroups", existing.security_groups)) != set(existing.security_groups):
        message = f"A load balancer with the same name '{existing.name}' exists, but with different settings"
        raise AwsError("DuplicateLoadBalancerName", message)
    return existing


def _made(world: World, params: Mapping[str, Any]) -> LoadBalancer:
    name, kind = params["Name"], params.get("Type", "application")
    if kind not in KINDS:
        raise AwsError("ValidationError", f"A load balancer of type '{kind}' is not supported")
    scheme = params.get("Scheme", "internet-facing")
    place = placement.checked(world, _subnets(params), kind=kind, scheme=scheme)
    groups = placement.security_groups(world, params.get("SecurityGroups"), place.vpc, kind=kind)
    identity = world.ids.hex("load-balancer", 16)
    made = LoadBalancer(
        arn=arn(world, f"loadbalancer/{KINDS[kind]}/{name}/{identity}"),
        name=name,
        kind=kind,
        scheme=scheme,
        ip_address_type=params.get("IpAddressType", "ipv4"),
        vpc=place.vpc,
        zones=place.zones,
        security_groups=groups,
        interfaces=(),
        dns_name=_dns_name(world, name, scheme),
        created=world.now,
        active_at=world.now + world.settings.load_balancer_provisioning,
        attributes=defaults(LOAD_BALANCER),
    )
    return replace(made, interfaces=placement.interfaces(world, made))


def _subnets(params: Mapping[str, Any]) -> list[str]:
    mapped = [mapping["SubnetId"] for mapping in params.get("SubnetMappings", ())]
    return [*params.get("Subnets", ()), *mapped]


def _dns_name(world: World, name: str, scheme: str) -> str:
    prefix = "internal-" if scheme == "internal" else ""
    return f"{prefix}{name}-{world.ids.digits('load-balancer-dns', 10)}.{world.settings.region}.elb.amazonaws.com"


def describe(call: Call) -> dict[str, Any]:
    """DescribeLoadBalancers, by ARN, by name or all."""
    world, kept = call.world, store(call.world).load_balancers
    arns, names = call.params.get("LoadBalancerArns", ()), call.params.get("Names", ())
    known = {lb.name for lb in kept.values()}
    missing = [name for name in names if name not in known]
    if missing:
        raise AwsError("LoadBalancerNotFound", f"Load balancers '[{', '.join(missing)}]' not found")
    for wanted in arns:
        load_balancer(world, wanted)
    found = [lb for lb in kept.values() if lb.arn in arns or lb.name in names or not (arns or names)]
    return page(found, call.params, "LoadBalancers", lambda lb: _described(world, lb))


def _described(world: World, found: LoadBalancer) -> dict[str, Any]:
    answer = {
        "LoadBalancerArn": found.arn,
        "DNSName": found.dns_name,
        "CanonicalHostedZoneId": HOSTED_ZONE,
        "CreatedTime": world.datetime(found.created),
        "LoadBalancerName": found.name,
        "Scheme": found.scheme,
        "VpcId": found.vpc,
        "State": {"Code": "active" if world.now >= found.active_at else "provisioning"},
        "Type": found.kind,
        "AvailabilityZones": [
            {"ZoneName": zone, "SubnetId": subnet, "LoadBalancerAddresses": []} for zone, subnet in found.zones.items()
        ],
        "IpAddressType": found.ip_address_type,
    }
    return {**answer, "SecurityGroups": list(found.security_groups)} if found.kind == "application" else answer


def delete(call: Call) -> dict[str, Any]:
    """DeleteLoadBalancer with its listeners and rules; one that does not exist is no error."""
    world, kept = call.world, store(call.world)
    found = kept.load_balancers.get(call.params["LoadBalancerArn"])
    if found is None:
        return {}
    if found.attributes["deletion_protection.enabled"] == "true":
        message = f"Load balancer '{found.arn}' cannot be deleted because deletion protection is enabled"
        raise AwsError("OperationNotPermitted", message)
    with routing_change(world):
        for listener in listeners_of(world, found.arn):
            forget_listener(world, listener.arn)
        del kept.load_balancers[found.arn]
    kept.tags.pop(found.arn, None)
    placement.release(world, found.interfaces)
    return {}


def forget_listener(world: World, listener: str) -> None:
    """Take a listener and its rules out of the store; the caller wraps it in a routing change."""
    kept = store(world)
    gone = kept.listeners.pop(listener)
    rules = [rule.arn for rule in kept.rules.values() if rule.listener == listener]
    for rule in rules:
        del kept.rules[rule]
    for forgotten in (listener, gone.default_rule, *rules):
        kept.tags.pop(forgotten, None)


def set_security_groups(call: Call) -> dict[str, Any]:
    """SetSecurityGroups."""
    world = call.world
    found = load_balancer(world, call.params["LoadBalancerArn"])
    groups = placement.security_groups(world, call.params["SecurityGroups"], found.vpc, kind=found.kind)
    placement.regroup(world, found.interfaces, groups)
    store(world).load_balancers[found.arn] = replace(found, security_groups=groups)
    return {"SecurityGroupIds": list(groups)}


def set_subnets(call: Call) -> dict[str, Any]:
    """SetSubnets: the zones that the load balancer serves."""
    world = call.world
    found = load_balancer(world, call.params["LoadBalancerArn"])
    place = placement.checked(world, _subnets(call.params), kind=found.kind, scheme=found.scheme)
    placement.release(world, found.interfaces)
    moved = replace(found, zones=place.zones)
    store(world).load_balancers[found.arn] = replace(moved, interfaces=placement.interfaces(world, moved))
    zones = _described(world, moved)["AvailabilityZones"]
    return {"AvailabilityZones": zones, "IpAddressType": found.ip_address_type}


def set_ip_address_type(call: Call) -> dict[str, Any]:
    """SetIpAddressType."""
    found = load_balancer(call.world, call.params["LoadBalancerArn"])
    kind = call.params["IpAddressType"]
    store(call.world).load_balancers[found.arn] = replace(found, ip_address_type=kind)
    return {"IpAddressType": kind}


LIMITS: Sequence[tuple[str, str]] = (
    ("application-load-balancers", "50"),
    ("target-groups", "3000"),
    ("targets-per-application-load-balancer", "1000"),
    ("listeners-per-application-load-balancer", "50"),
    ("rules-per-application-load-balancer", "100"),
    ("target-groups-per-application-load-balancer", "100"),
    ("targets-per-target-group", "1000"),
    ("target-groups-per-action-on-application-load-balancer", "5"),
)


def describe_account_limits(call: Call) -> dict[str, Any]:
    """DescribeAccountLimits (ELB guide, load-balancer-limits)."""
    return page(LIMITS, call.params, "Limits", lambda limit: {"Name": limit[0], "Max": limit[1]})


OPERATIONS = {
    "CreateLoadBalancer": create,
    "DescribeLoadBalancers": describe,
    "DeleteLoadBalancer": delete,
    "SetSecurityGroups": set_security_groups,
    "SetSubnets": set_subnets,
    "SetIpAddressType": set_ip_address_type,
    "DescribeAccountLimits": describe_account_limits,
}
