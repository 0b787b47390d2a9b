"""Target groups: made, changed, described and deleted.

Sources: ELB API reference, CreateTargetGroup; ELB guide, target-group-health-checks. Two pages of AWS disagree on the
default of the check's time-out (5 s in the guide, 6 s in the API reference for HTTP): the API reference is followed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.elbv2 import tags
from runbook_lib.sandbox.services.elbv2.attributes import TARGET_GROUP, defaults
from runbook_lib.sandbox.services.elbv2.pages import page
from runbook_lib.sandbox.services.elbv2.store import HealthCheck, TargetGroup, arn, store, target_group, usage
from runbook_lib.sandbox.services.elbv2.targets import reconsider_group

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,30}[A-Za-z0-9])?")
CODES = re.compile(r"\d{3}(-\d{3})?(,\d{3}(-\d{3})?)*")
RANGES = {
    "HealthCheckIntervalSeconds": (5, 300),
    "HealthCheckTimeoutSeconds": (2, 120),
    "HealthyThresholdCount": (2, 10),
    "UnhealthyThresholdCount": (2, 10),
}
DEFAULTS = {
    "HealthCheckProtocol": "HTTP",
    "HealthCheckPort": "traffic-port",
    "HealthCheckPath": "/",
    "HealthCheckIntervalSeconds": 30,
    "HealthyThresholdCount": 5,
    "UnhealthyThresholdCount": 2,
    "HealthCheckEnabled": True,
}
SETTINGS = (*DEFAULTS, "HealthCheckTimeoutSeconds")
TIMEOUTS = {"HTTP": 6, "HTTPS": 10, "TCP": 10, "TLS": 10}
PROTOCOLS = ("HTTP", "HTTPS", "TCP", "TLS", "UDP", "TCP_UDP", "GENEVE", "QUIC", "TCP_QUIC")


def create(call: Call) -> dict[str, Any]:
    """CreateTargetGroup; the same call again answers with what exists."""
    world, params = call.world, call.params
    made = _made(world, params)
    existing = next((group for group in store(world).target_groups.values() if group.name == made.name), None)
    if existing and replace(made, arn=existing.arn, attributes=existing.attributes) != existing:
        message = f"A target group with the same name '{made.name}' exists, but with different settings"
        raise AwsError("DuplicateTargetGroupName", message)
    if not existing:
        identity = world.ids.hex("target-group", 16)
        existing = replace(made, arn=arn(world, f"targetgroup/{made.name}/{identity}"))
        store(world).target_groups[existing.arn] = existing
        tags.keep(world, existing.arn, tags.read(params.get("Tags", ())))
    return {"TargetGroups": [_described(world, existing)]}


def _made(world: World, params: Mapping[str, Any]) -> TargetGroup:
    kind, protocol = params.get("TargetType", "instance"), params.get("Protocol", "")
    if not NAME.fullmatch(params["Name"]):
        raise AwsError(
            "ValidationError",
            f"Target group name '{params['Name']}' must have at most 32 letters, digits or hyphens, and must not begin "
            "or end with a hyphen",
        )
    if kind != "lambda":
        _check_traffic(world, protocol, params)
    return TargetGroup(
        arn="",
        name=params["Name"],
        protocol=protocol,
        protocol_version=params.get("ProtocolVersion", "HTTP1" if protocol in ("HTTP", "HTTPS") else ""),
        port=params.get("Port", 0),
        vpc=params.get("VpcId", ""),
        target_type=kind,
        ip_address_type=params.get("IpAddressType", "ipv4"),
        health=_health(params),
        attributes=defaults(TARGET_GROUP),
    )


def _check_traffic(world: World, protocol: str, params: Mapping[str, Any]) -> None:
    if protocol not in PROTOCOLS:
        raise AwsError("ValidationError", "A protocol must be specified" if not protocol else f"{protocol} is unknown")
    if not 1 <= params.get("Port", 0) <= 65535:
        raise AwsError("ValidationError", "A port must be specified")
    if not params.get("VpcId"):
        raise AwsError("ValidationError", "A VPC ID must be specified")
    vpcs = {vpc["VpcId"] for vpc in world.client("ec2").describe_vpcs()["Vpcs"]}
    if params["VpcId"] not in vpcs:
        raise AwsError("ValidationError", f"The VPC ID '{params['VpcId']}' is not found")


def _health(params: Mapping[str, Any], old: HealthCheck | None = None) -> HealthCheck:
    given = {**(_given(old) if old else DEFAULTS), **{key: params[key] for key in SETTINGS if key in params}}
    given.setdefault("HealthCheckTimeoutSeconds", TIMEOUTS[given["HealthCheckProtocol"]])
    codes = params.get("Matcher", {}).get("HttpCode") or (old.codes if old else "200")
    _check_health(given, codes)
    return HealthCheck(
        protocol=given["HealthCheckProtocol"],
        port=given["HealthCheckPort"],
        path=given["HealthCheckPath"],
        interval=given["HealthCheckIntervalSeconds"],
        timeout=given["HealthCheckTimeoutSeconds"],
        healthy=given["HealthyThresholdCount"],
        unhealthy=given["UnhealthyThresholdCount"],
        codes=codes,
        enabled=given["HealthCheckEnabled"],
    )


def _given(check: HealthCheck) -> dict[str, Any]:
    return {key: value for key, value in _described_health(check).items() if key != "Matcher"}


def _check_health(given: Mapping[str, Any], codes: str) -> None:
    for key, (low, high) in RANGES.items():
        if not low <= given[key] <= high:
            message = f"{key} '{given[key]}' must be between {low} and {high}"
            raise AwsError("ValidationError", message)
    if given["HealthCheckTimeoutSeconds"] >= given["HealthCheckIntervalSeconds"]:
        raise AwsError("ValidationError", "Health check timeout must be smaller than the interval")
    path, port = given["HealthCheckPath"], given["HealthCheckPort"]
    if not path.startswith("/") or len(path) > 1024:
        raise AwsError(
            "ValidationError", f"Health check path '{path}' must begin with '/' and have at most 1024 characters"
        )
    if port != "traffic-port" and not (port.isdigit() and 1 <= int(port) <= 65535):
        raise AwsError("ValidationError", f"Health check port '{port}' must be 'traffic-port' or from 1 to 65535")
    numbers = [int(code) for code in re.findall(r"\d+", codes)]
    if not CODES.fullmatch(codes) or not all(200 <= number <= 499 for number in numbers):
        raise AwsError("ValidationError", f"Health check matcher HTTP code '{codes}' must be within 200-499")


def describe(call: Call) -> dict[str, Any]:
    """DescribeTargetGroups, by ARN, by name, by load balancer or all."""
    world, params = call.world, call.params
    names, arns, balancer = params.get("Names", ()), params.get("TargetGroupArns", ()), params.get("LoadBalancerArn")
    kept = store(world).target_groups
    if not set(names) <= {group.name for group in kept.values()} or not set(arns) <= set(kept):
        raise AwsError("TargetGroupNotFound", "One or more target groups not found")
    if balancer and balancer not in store(world).load_balancers:
        raise AwsError("LoadBalancerNotFound", f"Load balancer '{balancer}' not found")
    found = [group for group in kept.values() if not (names or arns) or group.name in names or group.arn in arns]
    used = usage(world)
    found = [group for group in found if balancer is None or balancer in used.get(group.arn, ())]
    return page(found, params, "TargetGroups", lambda group: _described(world, group))


def _described(world: World, group: TargetGroup) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "TargetGroupArn": group.arn,
        "TargetGroupName": group.name,
        "TargetType": group.target_type,
        "LoadBalancerArns": usage(world).get(group.arn, []),
        "IpAddressType": group.ip_address_type,
        **_described_health(group.health),
    }
    if group.target_type != "lambda":
        answer |= {"Protocol": group.protocol, "Port": group.port, "VpcId": group.vpc}
    return answer | ({"ProtocolVersion": group.protocol_version} if group.protocol_version else {})


def _described_health(check: HealthCheck) -> dict[str, Any]:
    return {
        "HealthCheckProtocol": check.protocol,
        "HealthCheckPort": check.port,
        "HealthCheckEnabled": check.enabled,
        "HealthCheckIntervalSeconds": check.interval,
        "HealthCheckTimeoutSeconds": check.timeout,
        "HealthyThresholdCount": check.healthy,
        "UnhealthyThresholdCount": check.unhealthy,
        "HealthCheckPath": check.path,
        "Matcher": {"HttpCode": check.codes},
    }


def modify(call: Call) -> dict[str, Any]:
    """ModifyTargetGroup: the check settings, from the next check on."""
    world = call.world
    group = target_group(world, call.params["TargetGroupArn"])
    changed = replace(group, health=_health(call.params, group.health))
    store(world).target_groups[group.arn] = changed
    reconsider_group(world, changed)
    return {"TargetGroups": [_described(world, changed)]}


def delete(call: Call) -> dict[str, Any]:
    """DeleteTargetGroup, unless a listener or rule uses it; one that does not exist is no error."""
    arn, kept = call.params["TargetGroupArn"], store(call.world)
    if arn in usage(call.world):
        raise AwsError("ResourceInUse", f"Target group '{arn}' is currently in use by a listener or a rule")
    for known in (kept.target_groups, kept.targets, kept.tags):
        known.pop(arn, None)
    return {}


OPERATIONS = {
    "CreateTargetGroup": create,
    "DescribeTargetGroups": describe,
    "ModifyTargetGroup": modify,
    "DeleteTargetGroup": delete,
}
