"""Listeners: the ports of a load balancer and what they do by default.

Sources: ELB API reference, CreateListener and ModifyListener; ELB guide, load-balancer-listeners.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.elbv2 import actions, certificates, tags
from runbook_lib.sandbox.services.elbv2.attributes import LISTENER, defaults
from runbook_lib.sandbox.services.elbv2.load_balancers import forget_listener
from runbook_lib.sandbox.services.elbv2.pages import page
from runbook_lib.sandbox.services.elbv2.store import (
    Listener,
    arn,
    dimension,
    listener,
    listeners_of,
    load_balancer,
    store,
)
from runbook_lib.sandbox.services.elbv2.targets import routing_change

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

MOST = 50
PROTOCOLS = {"application": ("HTTP", "HTTPS"), "network": ("TCP", "TLS", "UDP", "TCP_UDP")}


def create(call: Call) -> dict[str, Any]:
    """CreateListener."""
    world, params = call.world, call.params
    balancer = load_balancer(world, params["LoadBalancerArn"])
    port, protocol = _entrance(params, balancer.kind)
    _port_must_be_free(world, balancer.arn, port)
    if len(listeners_of(world, balancer.arn)) >= MOST:
        raise AwsError("TooManyListeners", f"The maximum number of listeners on a load balancer is {MOST}")
    certified, policy = certificates.checked(protocol, params) if balancer.kind == "application" else ((), None)
    where = f"{dimension(balancer.arn)}/{world.ids.hex('listener', 16)}"
    made = Listener(
        arn=arn(world, f"listener/{where}"),
        load_balancer=balancer.arn,
        port=port,
        protocol=protocol,
        certificates=certified,
        ssl_policy=policy,
        actions=actions.normalised(world, balancer.arn, params["DefaultActions"]),
        default_rule=arn(world, f"listener-rule/{where}/{world.ids.hex('rule', 16)}"),
        attributes=defaults(LISTENER),
    )
    with routing_change(world):
        store(world).listeners[made.arn] = made
    tags.keep(world, made.arn, tags.read(params.get("Tags", ())))
    tags.keep(world, made.default_rule, {})
    return {"Listeners": [_described(made)]}


def _entrance(params: dict[str, Any], kind: str) -> tuple[int, str]:
    port, protocol = params.get("Port"), params.get("Protocol")
    if port is None or not 1 <= port <= 65535:
        raise AwsError("ValidationError", "A port from 1 to 65535 must be specified")
    if protocol not in PROTOCOLS[kind]:
        raise AwsError("UnsupportedProtocol", f"Protocol '{protocol}' is not supported by {kind} load balancers")
    return port, protocol


def _port_must_be_free(world: World, balancer: str, port: int, *, but: str = "") -> None:
    if any(known.port == port and known.arn != but for known in listeners_of(world, balancer)):
        message = f"A listener already exists on this port for this load balancer '{balancer}'"
        raise AwsError("DuplicateListener", message)


def describe(call: Call) -> dict[str, Any]:
    """DescribeListeners, of a load balancer or by ARN."""
    world, params = call.world, call.params
    if "LoadBalancerArn" in params:
        found = listeners_of(world, load_balancer(world, params["LoadBalancerArn"]).arn)
    elif "ListenerArns" in params:
        found = tuple(listener(world, wanted) for wanted in params["ListenerArns"])
    else:
        raise AwsError("ValidationError", "You must specify either listener ARNs or a load balancer ARN")
    return page(found, params, "Listeners", _described)


def _described(found: Listener) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "ListenerArn": found.arn,
        "LoadBalancerArn": found.load_balancer,
        "Port": found.port,
        "Protocol": found.protocol,
        "DefaultActions": [dict(action) for action in found.actions],
    }
    if found.ssl_policy:
        answer |= {"Certificates": [{"CertificateArn": found.certificates[0]}], "SslPolicy": found.ssl_policy}
    return answer


def modify(call: Call) -> dict[str, Any]:
    """ModifyListener: what is not given stays; given actions replace all of the old ones."""
    world, params = call.world, call.params
    old = listener(world, params["ListenerArn"])
    kind = load_balancer(world, old.load_balancer).kind
    port, protocol = _entrance({"Port": old.port, "Protocol": old.protocol, **params}, kind)
    _port_must_be_free(world, old.load_balancer, port, but=old.arn)
    changed = replace(_secured(old, protocol, params), port=port)
    if "DefaultActions" in params:
        changed = replace(changed, actions=actions.normalised(world, old.load_balancer, params["DefaultActions"]))
    with routing_change(world):
        store(world).listeners[old.arn] = changed
    return {"Listeners": [_described(changed)]}


def _secured(old: Listener, protocol: str, params: dict[str, Any]) -> Listener:
    if protocol not in PROTOCOLS["application"]:
        return replace(old, protocol=protocol)
    known: dict[str, Any] = {}
    if protocol == old.protocol == "HTTPS":
        known = {"Certificates": [{"CertificateArn": old.certificates[0]}], "SslPolicy": old.ssl_policy}
    certified, policy = certificates.checked(protocol, {**known, **params})
    others = old.certificates[1:] if protocol == "HTTPS" else ()
    return replace(old, protocol=protocol, certificates=(*certified, *others), ssl_policy=policy)


def delete(call: Call) -> dict[str, Any]:
    """DeleteListener with its rules."""
    found = listener(call.world, call.params["ListenerArn"])
    with routing_change(call.world):
        forget_listener(call.world, found.arn)
    return {}


def describe_ssl_policies(call: Call) -> dict[str, Any]:
    """DescribeSSLPolicies: their names; protocols and ciphers are not modelled."""
    names = call.params.get("Names", certificates.POLICIES)
    unknown = [name for name in names if name not in certificates.POLICIES]
    if unknown:
        raise AwsError("SSLPolicyNotFound", f"SSL policy '{unknown[0]}' not found")
    return page(names, call.params, "SslPolicies", lambda name: {"Name": name})


OPERATIONS = {
    "CreateListener": create,
    "DescribeListeners": describe,
    "ModifyListener": modify,
    "DeleteListener": delete,
    "DescribeSSLPolicies": describe_ssl_policies,
}
