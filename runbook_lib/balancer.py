"""The load balancer: its listeners, target groups and weights; who is live is read from the listener."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from runbook_lib.account import Account
from runbook_lib.check import Check, Checks, ask, checks
from runbook_lib.inventory import Item
from runbook_lib.network import BALANCER_GROUP, subnet_refs
from runbook_lib.planning import GONE_BY_TEARDOWN, change, make
from runbook_lib.step import Made, Ref, Step, Until
from runbook_lib.system import System, tag_list
from runbook_lib.target_group import TargetGroup, group_ref, plan_group, read_groups


@dataclass(frozen=True)
class Listener:
    """A listener or one of its rules, with the weight that each target group has in it."""

    arn: str
    port: int
    weights: dict[str, int]  # name of the target group -> weight
    rule: str | None = None  # ARN of the rule, None for the listener's default action

    @property
    def share(self) -> dict[str, float]:
        """The share of new requests that each target group gets, 0 to 1."""
        total = sum(self.weights.values())
        return {name: weight / total if total else 0.0 for name, weight in self.weights.items()}


@dataclass(frozen=True)
class Balancer:
    """What exists of the load balancer; fields are None while the resource does not exist."""

    arn: str | None
    dns_name: str | None
    groups: dict[str, TargetGroup]
    production: Listener | None
    test: Listener | None
    rules: tuple[Listener, ...]  # rules beside the default actions that forward to target groups
    logging_to: str | None

    def live(self) -> str | None:
        """The name of the target group that gets most of the production traffic, None when none does."""
        if self.production is None or not any(self.production.weights.values()):
            return None
        return max(self.production.weights, key=lambda name: self.production.weights[name])  # type: ignore[union-attr]

    def group(self, name: str) -> TargetGroup:
        """The target group of that name; where there is none, one without an ARN and without targets."""
        return self.groups.get(name) or TargetGroup(name, "", 0, ())

    @property
    def dimension(self) -> str:
        """How metrics name it: app/<name>/<id>."""
        return str(self.arn).partition("loadbalancer/")[2]


def read_balancer(account: Account, system: System) -> Balancer:
    """What exists of the system's load balancer, listeners, rules, target groups and targets."""
    elb = account.client("elbv2")
    found = _balancer(elb, system.balancer)
    groups = read_groups(account, (system.rolling_target_group, *system.target_groups))
    names = {group.arn: name for name, group in groups.items()}
    listeners, rules = _listeners(elb, found["LoadBalancerArn"], names) if found else ({}, ())
    ports = system.params.balancer
    return Balancer(
        arn=found["LoadBalancerArn"] if found else None,
        dns_name=found["DNSName"] if found else None,
        groups=groups,
        production=listeners.get(ports.production_port),
        test=listeners.get(ports.test_port),
        rules=rules,
        logging_to=_logging_to(elb, found["LoadBalancerArn"]) if found else None,
    )


def read_pair(account: Account, system: System) -> Balancer:
    """The pair of target groups and their load balancer by name, without targets and listeners: one call.

    Where one of the two is gone, nothing is found of either.
    """
    elb = account.client("elbv2")
    try:
        found = elb.describe_target_groups(Names=list(system.target_groups))["TargetGroups"]
    except elb.exceptions.TargetGroupNotFoundException:
        found = []
    groups = {
        one["TargetGroupName"]: TargetGroup(one["TargetGroupName"], one["TargetGroupArn"], 0, ()) for one in found
    }
    arn = next((arn for one in found for arn in one["LoadBalancerArns"]), None)
    return Balancer(arn, None, groups, None, None, (), None)


def read_listeners(account: Account, system: System, known: Balancer) -> Balancer:
    """The same load balancer with its production and test listener as they are now: one call."""
    if known.arn is None:
        return known
    names = {group.arn: name for name, group in known.groups.items()}
    found = account.client("elbv2").describe_listeners(LoadBalancerArn=known.arn)["Listeners"]
    listeners = {
        one["Port"]: Listener(one["ListenerArn"], one["Port"], _weights(one["DefaultActions"], names)) for one in found
    }
    ports = system.params.balancer
    return replace(known, production=listeners.get(ports.production_port), test=listeners.get(ports.test_port))


def plan_balancer(system: System, balancer: Balancer, items: Iterable[Item]) -> tuple[Step, ...]:
    """The steps that make the load balancer, the rolling service's target group and the production listener."""
    items = tuple(items)
    rolling = system.rolling_target_group
    return (
        make(
            "balancer",
            "Make the load balancer",
            "elbv2:create_load_balancer",
            {
                "Name": system.balancer,
                "Type": "application",
                "Scheme": "internet-facing",
                "Subnets": subnet_refs(system),
                "SecurityGroups": [BALANCER_GROUP],
                "Tags": tag_list(system.tags),
            },
            made=Made("elbv2:load-balancer", system.balancer, "LoadBalancers[0].LoadBalancerArn"),
            found={"LoadBalancers": [{"LoadBalancerArn": balancer.arn}]} if balancer.arn else None,
            items=items,
            until=Until("the load balancer is active", _balancer_missing),
        ),
        change(
            "balancer.logs",
            "Write access logs",
            "elbv2:modify_load_balancer_attributes",
            {
                "LoadBalancerArn": BALANCER,
                "Attributes": [
                    {"Key": "access_logs.s3.enabled", "Value": "true"},
                    {"Key": "access_logs.s3.bucket", "Value": system.access_log_bucket},
                ],
            },
            touches=system.balancer,
            needed=None if balancer.logging_to == system.access_log_bucket else "incidents are understood from them",
            undo=GONE_BY_TEARDOWN,
        ),
        *plan_group(system, rolling, balancer.groups.get(rolling), items),
        _listener(system, balancer, items, "production", system.params.balancer.production_port, {rolling: 1}),
    )


def plan_pair(system: System, balancer: Balancer, items: Iterable[Item]) -> tuple[Step, ...]:
    """The steps that bring the pair of target groups behind the listeners, without a request to either.

    Each group must be behind a listener before a service may use it: the first in the production rule at weight 0
    and on the test listener, the second at weight 0 beside it.
    """
    items = tuple(items)
    first, second = system.target_groups
    groups = (
        *plan_group(system, first, balancer.groups.get(first), items),
        *plan_group(system, second, balancer.groups.get(second), items),
    )
    known = balancer.production.weights if balancer.production else {}
    weights = {**{name: known.get(name, 0) for name in (first, second)}, **known}
    return (
        *groups,
        _listener(system, balancer, items, "test", system.params.balancer.test_port, {first: 1, second: 0}),
        plan_weights(
            system,
            balancer,
            weights,
            step="balancer.production.pair",
            why="a target group must be behind a listener before a service may use it",
        ),
    )


def plan_weights(
    system: System, balancer: Balancer, weights: Mapping[str, int], *, step: str, why: str, keep_groups: bool = True
) -> Step:
    """One step that sets the weights of the production listener; groups left out stay at 0, or go when asked to."""
    known = balancer.production.weights if balancer.production else {}
    wanted = {**({name: 0 for name in known} if keep_groups else {}), **weights}
    words = ", ".join(f"{name} {weight}" for name, weight in wanted.items())
    return change(
        step,
        f"Set the production weights: {words}",
        "elbv2:modify_listener",
        {
            "ListenerArn": balancer.production.arn if balancer.production else LISTENER["production"],
            "DefaultActions": [_forward(balancer, wanted)],
        },
        touches=f"production listener :{system.params.balancer.production_port}",
        needed=None if known == wanted else why,
        undo=f"set them back: {', '.join(f'{name} {weight}' for name, weight in known.items())}",
    )


def plan_lead(system: System, balancer: Balancer, group: str, *, why: str) -> tuple[Step, ...]:
    """The steps that lead production, test listener and every rule of the pair to one group, by hand."""
    pair = {name: int(name == group) for name in system.target_groups}
    places = [("production", balancer.production), ("test", balancer.test)]
    places += [(f"rule.{n}", rule) for n, rule in enumerate(balancer.rules) if set(pair) & set(rule.weights)]
    steps = []
    for name, found in places:
        if found is None:
            continue
        wanted = {**found.weights, **{one: weight for one, weight in pair.items() if one in found.weights or weight}}
        leads = {one for one, weight in found.weights.items() if weight} == {group}
        of_rule = found.rule is not None
        forward = [_forward(balancer, wanted)]
        steps.append(
            change(
                f"flip.{name}",
                f"Lead the {name.partition('.')[0]} {'' if of_rule else 'listener '}to {group}".replace("  ", " "),
                "elbv2:modify_rule" if of_rule else "elbv2:modify_listener",
                {"RuleArn": found.rule, "Actions": forward}
                if of_rule
                else {"ListenerArn": found.arn, "DefaultActions": forward},
                touches=f":{found.port}",
                needed=None if leads else why,
                undo=f"set them back: {', '.join(f'{one} {weight}' for one, weight in found.weights.items())}",
            )
        )
    return tuple(steps)


BALANCER = Ref("balancer", "LoadBalancers[0].LoadBalancerArn")
LISTENER = {
    purpose: Ref(f"balancer.listener.{purpose}", "Listeners[0].ListenerArn") for purpose in ("production", "test")
}


def known(balancer: Balancer) -> dict[str, dict[str, Any]]:
    """What later plans refer to, as the answers of the steps that made it."""
    listeners = {"production": balancer.production, "test": balancer.test}
    return {
        BALANCER.step: {"LoadBalancers": [{"LoadBalancerArn": balancer.arn}]},
        **{
            LISTENER[purpose].step: {"Listeners": [{"ListenerArn": listener.arn}]}
            for purpose, listener in listeners.items()
            if listener
        },
        **{
            group_ref(name).step: {"TargetGroups": [{"TargetGroupArn": group.arn}]}
            for name, group in balancer.groups.items()
        },
    }


def check_listeners(system: System, balancer: Balancer, primary_group: str | None) -> Checks:
    """Do production, test listener and every rule lead to the group of the live task set, as CodeDeploy demands?

    "Primary taskset target group must be behind listener" is what CodeDeploy says otherwise
    (CodeDeploy user guide, troubleshooting-ecs).
    """
    places = [("production listener", balancer.production), ("test listener", balancer.test)]
    pair = set(system.target_groups)
    places += [(f"rule {rule.rule}", rule) for rule in balancer.rules if pair & set(rule.weights)]
    answers = [_leads_to(name, listener, primary_group) for name, listener in places]
    return checks("Listeners", answers)


def _leads_to(name: str, listener: Listener | None, group: str | None) -> Check:
    serving = sorted(key for key, weight in (listener.weights if listener else {}).items() if weight)
    return ask(
        f"Does the {name} lead to the group of the live tasks?",
        group is not None and serving == [group],
        seen=", ".join(serving) or "nothing",
        wanted=group or "a live task set",
        remedy="point it at the live group with every weight of the other at 0, then run this cell again",
    )


def _listener(
    system: System, balancer: Balancer, items: tuple[Item, ...], purpose: str, port: int, weights: Mapping[str, int]
) -> Step:
    existing = balancer.production if purpose == "production" else balancer.test
    arguments: dict[str, Any] = {
        "LoadBalancerArn": balancer.arn or BALANCER,
        "Port": port,
        "Protocol": "HTTP",
        "DefaultActions": [_forward(balancer, weights)],
        "Tags": tag_list(system.tags),
    }
    certificate = system.params.balancer.certificate
    if certificate:
        arguments |= {"Protocol": "HTTPS", "Certificates": [{"CertificateArn": certificate}]}
    return make(
        f"balancer.listener.{purpose}",
        f"Listen on port {port} ({purpose})",
        "elbv2:create_listener",
        arguments,
        made=Made("elbv2:listener", f"{system.balancer}-{purpose}", "Listeners[0].ListenerArn"),
        found={"Listeners": [{"ListenerArn": existing.arn}]} if existing else None,
        items=items,
    )


def _forward(balancer: Balancer, weights: Mapping[str, int]) -> dict[str, Any]:
    groups = [
        {"TargetGroupArn": balancer.groups[name].arn if name in balancer.groups else group_ref(name), "Weight": weight}
        for name, weight in weights.items()
    ]
    return {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}


def _balancer_missing(account: Account, answer: Mapping[str, Any]) -> str | None:
    arn = answer["LoadBalancers"][0]["LoadBalancerArn"]
    found = account.client("elbv2").describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"][0]
    return None if found["State"]["Code"] == "active" else f"it is {found['State']['Code']}"


def _balancer(elb: Any, name: str) -> dict[str, Any] | None:
    try:
        return elb.describe_load_balancers(Names=[name])["LoadBalancers"][0]
    except elb.exceptions.LoadBalancerNotFoundException:
        return None


def read_other_groups(account: Account, balancer: Balancer) -> tuple[str, ...]:
    """The names of further target groups that the same load balancer uses: those of other services."""
    pages = account.client("elbv2").get_paginator("describe_target_groups").paginate(LoadBalancerArn=balancer.arn)
    names = {group["TargetGroupName"] for page in pages for group in page["TargetGroups"]}
    return tuple(sorted(names - set(balancer.groups)))


def _listeners(elb: Any, balancer: str, names: Mapping[str, str]) -> tuple[dict[int, Listener], tuple[Listener, ...]]:
    listeners, rules = {}, []
    for found in elb.describe_listeners(LoadBalancerArn=balancer)["Listeners"]:
        arn, port = found["ListenerArn"], found["Port"]
        listeners[port] = Listener(arn, port, _weights(found["DefaultActions"], names))
        for rule in elb.describe_rules(ListenerArn=arn)["Rules"]:
            if not rule["IsDefault"]:
                rules.append(Listener(arn, port, _weights(rule["Actions"], names), rule["RuleArn"]))
    return listeners, tuple(rules)


def _weights(actions: list[dict[str, Any]], names: Mapping[str, str]) -> dict[str, int]:
    for action in actions:
        if action["Type"] == "forward":
            groups = action.get("ForwardConfig", {}).get("TargetGroups") or [
                {"TargetGroupArn": action["TargetGroupArn"]}
            ]
            return {_short(group["TargetGroupArn"], names): group.get("Weight", 1) for group in groups}
    return {}


def _short(arn: str, names: Mapping[str, str]) -> str:
    return names.get(arn) or arn.partition("targetgroup/")[2].partition("/")[0]


def _logging_to(elb: Any, arn: str) -> str | None:
    attributes = elb.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
    values = {attribute["Key"]: attribute["Value"] for attribute in attributes}
    return values.get("access_logs.s3.bucket") or None if values.get("access_logs.s3.enabled") == "true" else None
