"""Attributes of load balancers, target groups and listeners: what there is, its default and what is allowed.

Sources: ELB API reference, LoadBalancerAttribute, TargetGroupAttribute and ListenerAttribute.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.elbv2.store import listener, load_balancer, store, target_group
from runbook_lib.sandbox.services.elbv2.targets import routing_change

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call

TRUTH = r"true|false"
ANY = r".*"
ACCESS_LOG = ("access_logs.s3.enabled", "access_logs.s3.bucket", "access_logs.s3.prefix")


@dataclass(frozen=True)
class Attribute:
    """An attribute: its default, the values that it may have, and the range of numbers where it is one."""

    default: str
    values: str = ANY
    low: int | None = None
    high: int | None = None

    def allows(self, value: str) -> bool:
        if self.low is not None and self.high is not None:
            return value.isdigit() and self.low <= int(value) <= self.high
        return re.fullmatch(self.values, value) is not None


def _logs(kind: str) -> dict[str, Attribute]:
    return {
        f"{kind}.s3.enabled": Attribute("false", TRUTH),
        f"{kind}.s3.bucket": Attribute(""),
        f"{kind}.s3.prefix": Attribute(""),
    }


LOAD_BALANCER = {
    **_logs("access_logs"),
    **_logs("connection_logs"),
    **_logs("health_check_logs"),
    "idle_timeout.timeout_seconds": Attribute("60", low=1, high=4000),
    "client_keep_alive.seconds": Attribute("3600", low=60, high=604800),
    "deletion_protection.enabled": Attribute("false", TRUTH),
    "routing.http2.enabled": Attribute("true", TRUTH),
    "routing.http.drop_invalid_header_fields.enabled": Attribute("false", TRUTH),
    "routing.http.xff_client_port.enabled": Attribute("false", TRUTH),
    "routing.http.preserve_host_header.enabled": Attribute("false", TRUTH),
    "routing.http.xff_header_processing.mode": Attribute("append", "append|preserve|remove"),
    "routing.http.desync_mitigation_mode": Attribute("defensive", "monitor|defensive|strictest"),
    "routing.http.x_amzn_tls_version_and_cipher_suite.enabled": Attribute("false", TRUTH),
    "waf.fail_open.enabled": Attribute("false", TRUTH),
    "load_balancing.cross_zone.enabled": Attribute("true", TRUTH),
    "zonal_shift.config.enabled": Attribute("false", TRUTH),
}
COUNT = "off|[1-9][0-9]*"
TARGET_GROUP = {
    "deregistration_delay.timeout_seconds": Attribute("300", low=0, high=3600),
    "stickiness.enabled": Attribute("false", TRUTH),
    "stickiness.type": Attribute("lb_cookie", "lb_cookie|app_cookie"),
    "stickiness.lb_cookie.duration_seconds": Attribute("86400", low=1, high=604800),
    "stickiness.app_cookie.cookie_name": Attribute(""),
    "stickiness.app_cookie.duration_seconds": Attribute("86400", low=1, high=604800),
    "slow_start.duration_seconds": Attribute("0", "0|3[0-9]|[4-9][0-9]|[1-8][0-9][0-9]|900"),
    "load_balancing.algorithm.type": Attribute("round_robin", "round_robin|least_outstanding_requests|weighted_random"),
    "load_balancing.algorithm.anomaly_mitigation": Attribute("off", "on|off"),
    "load_balancing.cross_zone.enabled": Attribute("use_load_balancer_configuration", f"{TRUTH}|use_load.*"),
    "target_group_health.dns_failover.minimum_healthy_targets.count": Attribute("1", COUNT),
    "target_group_health.dns_failover.minimum_healthy_targets.percentage": Attribute("off", COUNT),
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count": Attribute("1", COUNT),
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage": Attribute("off", COUNT),
}
HEADERS = (
    "strict_transport_security",
    "access_control_allow_origin",
    "access_control_allow_methods",
    "access_control_allow_headers",
    "access_control_allow_credentials",
    "access_control_expose_headers",
    "access_control_max_age",
    "content_security_policy",
    "x_content_type_options",
    "x_frame_options",
)
LISTENER = {
    "routing.http.response.server.enabled": Attribute("true", TRUTH),
    **{f"routing.http.response.{header}.header_value": Attribute("") for header in HEADERS},
}


def defaults(known: Mapping[str, Attribute]) -> dict[str, str]:
    """Every attribute with its default."""
    return {key: attribute.default for key, attribute in known.items()}


def changed(
    known: Mapping[str, Attribute], values: Mapping[str, str], wanted: Sequence[Mapping[str, str]]
) -> dict[str, str]:
    """The values with what a call wants to change; raises AwsError on an unknown key or a value out of range."""
    new = dict(values)
    for item in wanted:
        key, value = item["Key"], item.get("Value", "")
        if key not in known:
            raise AwsError("ValidationError", f"Load balancer attribute key '{key}' is not recognized")
        if not known[key].allows(value):
            raise AwsError("ValidationError", f"'{value}' is not a valid value for the attribute '{key}'")
        new[key] = value
    return new


def shown(values: Mapping[str, str]) -> dict[str, Any]:
    """The attributes as the API lists them."""
    return {"Attributes": [{"Key": key, "Value": value} for key, value in values.items()]}


def describe_load_balancer(call: Call) -> dict[str, Any]:
    """DescribeLoadBalancerAttributes."""
    return shown(load_balancer(call.world, call.params["LoadBalancerArn"]).attributes)


def modify_load_balancer(call: Call) -> dict[str, Any]:
    """ModifyLoadBalancerAttributes; a bucket for logs must exist."""
    found = load_balancer(call.world, call.params["LoadBalancerArn"])
    values = changed(LOAD_BALANCER, found.attributes, call.params["Attributes"])
    for kind in ("access_logs", "connection_logs", "health_check_logs"):
        if values[f"{kind}.s3.enabled"] == "true":
            _bucket_must_exist(call, values[f"{kind}.s3.bucket"])
    if any(values[key] != found.attributes[key] for key in ACCESS_LOG):
        _start_access_log(call, found.arn, values)
    store(call.world).load_balancers[found.arn] = replace(found, attributes=values)
    return shown(values)


def _start_access_log(call: Call, balancer: str, values: Mapping[str, str]) -> None:
    from runbook_lib.sandbox import traffic

    enabled, bucket, prefix = (values[key] for key in ACCESS_LOG)
    if "AWSLogs" in prefix:
        raise AwsError("ValidationError", "The value of 'access_logs.s3.prefix' cannot contain 'AWSLogs'")
    if enabled == "true":
        traffic.start_access_log(call.world, balancer, into=bucket, prefix=prefix)


def _bucket_must_exist(call: Call, bucket: str) -> None:
    from botocore.exceptions import ClientError

    if not bucket:
        raise AwsError("ValidationError", "The value of 'access_logs.s3.bucket' cannot be empty")
    try:
        call.world.client("s3").head_bucket(Bucket=bucket)
    except ClientError as missing:
        message = f"S3Bucket: {bucket} is not located in the same region with the ELB or does not exist"
        raise AwsError("InvalidConfigurationRequest", message) from missing


def describe_target_group(call: Call) -> dict[str, Any]:
    """DescribeTargetGroupAttributes."""
    return shown(target_group(call.world, call.params["TargetGroupArn"]).attributes)


def modify_target_group(call: Call) -> dict[str, Any]:
    """ModifyTargetGroupAttributes."""
    group = target_group(call.world, call.params["TargetGroupArn"])
    values = changed(TARGET_GROUP, group.attributes, call.params["Attributes"])
    _check_together(values)
    with routing_change(call.world):
        store(call.world).target_groups[group.arn] = replace(group, attributes=values)
    return shown(values)


def _check_together(values: Mapping[str, str]) -> None:
    if values["slow_start.duration_seconds"] != "0" and values["load_balancing.algorithm.type"] != "round_robin":
        raise AwsError(
            "InvalidConfigurationRequest", "Slow start can only be used with the round_robin load balancing algorithm"
        )


def describe_listener(call: Call) -> dict[str, Any]:
    """DescribeListenerAttributes."""
    return shown(listener(call.world, call.params["ListenerArn"]).attributes)


def modify_listener(call: Call) -> dict[str, Any]:
    """ModifyListenerAttributes."""
    found = listener(call.world, call.params["ListenerArn"])
    values = changed(LISTENER, found.attributes, call.params["Attributes"])
    store(call.world).listeners[found.arn] = replace(found, attributes=values)
    return shown(values)


OPERATIONS = {
    "DescribeLoadBalancerAttributes": describe_load_balancer,
    "ModifyLoadBalancerAttributes": modify_load_balancer,
    "DescribeTargetGroupAttributes": describe_target_group,
    "ModifyTargetGroupAttributes": modify_target_group,
    "DescribeListenerAttributes": describe_listener,
    "ModifyListenerAttributes": modify_listener,
}
