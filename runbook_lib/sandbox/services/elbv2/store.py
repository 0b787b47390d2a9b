"""What Elastic Load Balancing knows: load balancers, target groups with their targets, listeners and rules.

Everything is a frozen value in a dictionary by ARN; a change replaces the value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

Action = Mapping[str, Any]  # an action or a condition as AWS answers it


@dataclass(frozen=True)
class LoadBalancer:
    """A load balancer; it provisions until `active_at`."""

    arn: str
    name: str
    kind: str  # application or network
    scheme: str
    ip_address_type: str
    vpc: str
    zones: Mapping[str, str]  # zone name -> subnet id
    security_groups: tuple[str, ...]
    interfaces: tuple[str, ...]  # ids of its network interfaces
    dns_name: str
    created: float
    active_at: float
    attributes: Mapping[str, str]


@dataclass(frozen=True)
class HealthCheck:
    """How a target group asks its targets whether they are well."""

    protocol: str
    port: str  # "traffic-port" or a number
    path: str
    interval: int
    timeout: int
    healthy: int  # threshold
    unhealthy: int  # threshold
    codes: str
    enabled: bool


@dataclass(frozen=True)
class TargetGroup:
    """A target group; `attributes` hold the deregistration delay among others."""

    arn: str
    name: str
    protocol: str
    protocol_version: str
    port: int
    vpc: str
    target_type: str
    ip_address_type: str
    health: HealthCheck
    attributes: Mapping[str, str]

    @property
    def deregistration_delay(self) -> int:
        """Seconds that a leaving target is shown as draining."""
        return int(self.attributes["deregistration_delay.timeout_seconds"])


@dataclass(frozen=True)
class Target:
    """A registered target; checks run at `first_check` and every interval after it.

    `version` grows with every change, so that an event planned before the change is void.
    """

    id: str
    port: int
    zone: str
    state: str
    since: float  # when it entered the state
    first_check: float
    version: int = 0


@dataclass(frozen=True)
class Listener:
    """A listener with its default actions, normalised as AWS answers them."""

    arn: str
    load_balancer: str
    port: int
    protocol: str
    certificates: tuple[str, ...]  # the first is the default one
    ssl_policy: str | None  # None on HTTP
    actions: tuple[Action, ...]
    default_rule: str  # ARN of the rule that stands for the default actions
    attributes: Mapping[str, str]


@dataclass(frozen=True)
class Rule:
    """A rule of a listener beside its default one."""

    arn: str
    listener: str
    priority: int
    conditions: tuple[Action, ...]
    actions: tuple[Action, ...]


@dataclass
class Elbv2Store:
    """All of it, by ARN; targets by group and (id, port) in the order of their registration."""

    load_balancers: dict[str, LoadBalancer] = field(default_factory=dict)
    target_groups: dict[str, TargetGroup] = field(default_factory=dict)
    targets: dict[str, dict[tuple[str, int], Target]] = field(default_factory=dict)
    listeners: dict[str, Listener] = field(default_factory=dict)
    rules: dict[str, Rule] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)


def store(world: World) -> Elbv2Store:
    """The world's own."""
    found: Elbv2Store = world.store("elbv2")
    return found


def arn(world: World, tail: str) -> str:
    """The ARN of a thing of this service."""
    return world.arn("elasticloadbalancing", tail)


def dimension(arn: str) -> str:
    """How metrics name it: app/<name>/<id> or targetgroup/<name>/<id> (ELB guide, load-balancer-cloudwatch-metrics)."""
    tail = arn.split(":", 5)[5]
    return tail if tail.startswith("targetgroup/") else tail.partition("/")[2]


def load_balancer(world: World, arn: str) -> LoadBalancer:
    """A load balancer by its ARN."""
    return _found(store(world).load_balancers, arn, "LoadBalancerNotFound", f"Load balancer '{arn}' not found")


def target_group(world: World, arn_or_name: str) -> TargetGroup:
    """A target group by its ARN or its name."""
    groups = store(world).target_groups
    named = next((group for group in groups.values() if group.name == arn_or_name), None)
    return named or _found(groups, arn_or_name, "TargetGroupNotFound", "One or more target groups not found")


def listener(world: World, arn: str) -> Listener:
    """A listener by its ARN."""
    return _found(store(world).listeners, arn, "ListenerNotFound", "One or more listeners not found")


def rule(world: World, arn: str) -> Rule:
    """A rule by its ARN; default rules are not among them."""
    return _found(store(world).rules, arn, "RuleNotFound", "One or more rules not found")


def listeners_of(world: World, lb_arn: str) -> tuple[Listener, ...]:
    """The listeners of a load balancer, in the order in which they were made."""
    return tuple(found for found in store(world).listeners.values() if found.load_balancer == lb_arn)


def rules_of(world: World, listener_arn: str) -> tuple[Rule, ...]:
    """The rules of a listener by priority, without its default one."""
    found = [rule for rule in store(world).rules.values() if rule.listener == listener_arn]
    return tuple(sorted(found, key=lambda rule: rule.priority))


def groups_in(actions: Iterable[Action]) -> tuple[str, ...]:
    """The ARNs of the target groups to which normalised actions forward."""
    configs = [action["ForwardConfig"]["TargetGroups"] for action in actions if action["Type"] == "forward"]
    return tuple(group["TargetGroupArn"] for groups in configs for group in groups)


def usage(world: World) -> dict[str, list[str]]:
    """The load balancers that use each target group in a listener or a rule, whatever its weight."""
    used: dict[str, list[str]] = {}
    kept = store(world)
    for listener in kept.listeners.values():
        rules = [rule.actions for rule in kept.rules.values() if rule.listener == listener.arn]
        for actions in (listener.actions, *rules):
            for group in groups_in(actions):
                balancers = used.setdefault(group, [])
                if listener.load_balancer not in balancers:
                    balancers.append(listener.load_balancer)
    return used


def _found(kept: Mapping[str, Any], key: str, code: str, message: str) -> Any:
    if key not in kept:
        raise AwsError(code, message)
    return kept[key]
