"""What belongs to a system: the names and ids by which a change to it is known, its network's and its roles' too."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, partial
from typing import Any

from runbook_lib import deployment, inventory
from runbook_lib.account import Account
from runbook_lib.incident.told import refusal
from runbook_lib.role import TRUSTED
from runbook_lib.system import System

# What is not there has no ids; that is no refusal.
ABSENT = frozenset({"LoadBalancerNotFound", "ClusterNotFoundException", "ServiceNotFoundException"})
TAIL = re.compile(r"-[A-Za-z0-9]{6}$")  # which Secrets Manager puts behind the name of a secret in its ARN
EC2 = "ec2.amazonaws.com"
# Calls of EC2's that put something into a subnet, or take it away: the place stays what it was.
MOVES_IN = frozenset({"CreateFleet", "DeleteNetworkInterface", "ModifyNetworkInterfaceAttribute", "RunInstances"})


@dataclass(frozen=True)
class Belongings:
    """Names and ids, each with what it is; `places` are shared with others: VPC and subnets, and the cluster's name.

    A load balancer's and a target group's name stand in every ARN of theirs, so that listeners and rules are known
    by them.  `missing` says what could not be read.
    """

    name: str
    names: Mapping[str, str]
    places: Mapping[str, str]
    cluster: str = ""
    missing: str = ""

    def met(self, text: str, *, source: str, event: str) -> dict[str, str]:
        """What of it an event names in a text; empty when it does not touch the system.

        Whatever is called as the system, or begins with its name and a hyphen, belongs to it.  Who uses a place does
        not change it: of a VPC and its subnets only EC2's own calls count (but for MOVES_IN), of the cluster only
        those on clusters.
        """
        found = {one: self.names[one] for one in dict.fromkeys(self._names.findall(text))}
        if source == EC2 and event not in MOVES_IN:
            found |= {one: self.places[one] for one in dict.fromkeys(self._places.findall(text))}
        if "Cluster" in event and self.cluster and _any_of((self.cluster,)).search(text):
            found[self.cluster] = "cluster"
        if not found and re.search(rf"(?<![\w-]){re.escape(self.name)}(?![A-Za-z0-9])", text):
            found[self.name] = ""
        return found

    @cached_property
    def _names(self) -> re.Pattern[str]:
        return _any_of(self.names)

    @cached_property
    def _places(self) -> re.Pattern[str]:
        return _any_of(self.places)


def read_belongings(account: Account, system: System, *, since: datetime, until: datetime) -> Belongings:
    """Ask for what the names do not tell: about ten calls; what AWS refuses is said, and the rest is read.

    Deployments that were made between the two moments belong to it: who stops one names its id alone.
    """
    refused: list[str] = []

    def ask(read: Callable[[], Any], otherwise: Any) -> Any:
        from botocore.exceptions import ClientError

        try:
            return read()
        except ClientError as error:
            if error.response["Error"]["Code"] not in ABSENT:
                refused.append(refusal(error))
            return otherwise

    ecs, elb = account.client("ecs"), account.client("elbv2")
    deployments = ask(lambda: deployment.read_ids(account, system, start=since, end=until), ())
    items = ask(lambda: inventory.read_inventory(account, system.name), ())
    balancers = ask(lambda: elb.describe_load_balancers(Names=[system.balancer])["LoadBalancers"], [])
    asked = [system.service, system.rolling_service]
    services = ask(lambda: ecs.describe_services(cluster=system.cluster, services=asked)["services"], [])
    revisions = sorted({one["taskDefinition"] for one in _standing(services) if one.get("taskDefinition")})
    definitions = [ask(partial(_definition, ecs, revision), {}) for revision in revisions]
    subnets = {zone["SubnetId"] for lb in balancers for zone in lb.get("AvailabilityZones", ())}
    subnets |= {subnet for one in _networks(services) for subnet in one.get("subnets", ())}
    vpcs = sorted({lb["VpcId"] for lb in balancers if lb.get("VpcId")})
    ways = [pair for vpc in vpcs for pair in _ways(account.client("ec2"), vpc, subnets, ask)]
    groups = {sg: "security group of the load balancer" for lb in balancers for sg in lb.get("SecurityGroups", ())}
    groups |= {sg: "security group of the tasks" for one in _networks(services) for sg in one.get("securityGroups", ())}
    made = {_short(item.id): item.kind.partition(":")[2].replace("-", " ") for item in items if item.id}
    places = dict.fromkeys(vpcs, "VPC") | dict.fromkeys(sorted(subnets), "subnet")
    made = {id: what for id, what in made.items() if id not in places and id != system.cluster}
    names = made | dict(_given(system)) | dict(pair for one in definitions for pair in of_definition(one))
    names |= groups | dict(ways) | dict.fromkeys(deployments, "deployment")
    told = "; ".join(dict.fromkeys(refused))
    missing = f"changes to what hangs on the system may be left out: {told}" if told else ""
    return Belongings(system.name, names, places, system.cluster, missing)


def _definition(ecs: Any, revision: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = ecs.describe_task_definition(taskDefinition=revision)["taskDefinition"]
    return found


def _given(system: System) -> Iterator[tuple[str, str]]:
    """What the system's parameters name."""
    yield from ((name, "service") for name in (system.service, system.rolling_service))
    yield from ((name, "target group") for name in (system.rolling_target_group, *system.target_groups))
    yield from ((name, "alarm") for name in (*system.alarms, *system.own_alarms))
    yield from ((name, "log group") for name in (system.log_group, system.build_log_group))
    yield from ((name, "bucket") for name in (system.artifacts_bucket, system.access_log_bucket))
    yield from ((system.role(purpose), f"{purpose} role") for purpose in TRUSTED)
    yield system.balancer, "load balancer"
    yield system.registry, "image repository"
    yield system.repository, "source repository"
    yield system.family, "task definition"
    yield system.project, "build project"
    yield system.pipeline, "pipeline"
    yield system.deploy_application, "CodeDeploy application"
    yield system.deploy_group, "deployment group"
    yield system.rule, "rule"


def _standing(services: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Services with their task sets: under CodeDeploy a task set has what the service itself does not say."""
    return [one for service in services for one in (service, *service.get("taskSets", ()))]


def _networks(services: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [one.get("networkConfiguration", {}).get("awsvpcConfiguration", {}) for one in _standing(services)]


def of_definition(definition: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Roles, secrets, parameters and file systems of a task definition."""
    for role in ("executionRoleArn", "taskRoleArn"):
        if definition.get(role):
            yield _short(definition[role]), f"{role.removesuffix('RoleArn')} role"
    for container in definition.get("containerDefinitions", ()):
        for secret in container.get("secrets", ()):
            yield _secret(secret["valueFrom"]), "secret of the tasks"
    for volume in definition.get("volumes", ()):
        if volume.get("efsVolumeConfiguration"):
            yield volume["efsVolumeConfiguration"]["fileSystemId"], "file system of the tasks"


def _secret(value_from: str) -> str:
    """The name of a secret or parameter, however it is given (ECS developer guide, secrets-envvar)."""
    parts = value_from.split(":")
    if not value_from.startswith("arn:"):
        return value_from
    if parts[2] == "secretsmanager":  # arn:aws:secretsmanager:region:account:secret:NAME-abcdef:key:stage:id
        return TAIL.sub("", parts[6])
    return parts[5].removeprefix("parameter").removeprefix("/") if len(parts) > 5 else value_from


def _ways(ec2: Any, vpc: str, subnets: set[str], ask: Callable[..., Any]) -> Iterator[tuple[str, str]]:
    """What the subnets reach others by: routes and access lists of theirs, and the VPC's ways out."""
    here = [{"Name": "vpc-id", "Values": [vpc]}]

    def paged(operation: str, key: str, filters: list[dict[str, Any]]) -> list[Mapping[str, Any]]:
        parameter = "Filter" if operation == "describe_nat_gateways" else "Filters"
        return ask(
            lambda: [
                one for page in ec2.get_paginator(operation).paginate(**{parameter: filters}) for one in page[key]
            ],
            [],
        )

    tables = paged("describe_route_tables", "RouteTables", here)
    own = {link["SubnetId"] for table in tables for link in table["Associations"] if link.get("SubnetId") in subnets}
    for table in tables:
        links = table["Associations"]
        main = any(link.get("Main") for link in links) and own != subnets  # what has no table of its own has this one
        if main or any(link.get("SubnetId") in subnets for link in links):
            yield table["RouteTableId"], "route table"
    for acl in paged("describe_network_acls", "NetworkAcls", here):
        if any(link.get("SubnetId") in subnets for link in acl["Associations"]):
            yield acl["NetworkAclId"], "network ACL"
    for end in paged("describe_vpc_endpoints", "VpcEndpoints", here):
        yield end["VpcEndpointId"], "VPC endpoint"
        yield from ((group["GroupId"], "security group of a VPC endpoint") for group in end.get("Groups", ()))
    for nat in paged("describe_nat_gateways", "NatGateways", here):
        yield nat["NatGatewayId"], "NAT gateway"
    attached = [{"Name": "attachment.vpc-id", "Values": [vpc]}]
    for gateway in paged("describe_internet_gateways", "InternetGateways", attached):
        yield gateway["InternetGatewayId"], "internet gateway"


def _short(id: str) -> str:
    """The end of an ARN by which it is told apart: for a load balancer app/NAME/ID; an id as it is."""
    if not id.startswith("arn:"):
        return id
    end = id.split(":", 5)[5]
    return end.rpartition("/")[2] if ":role/" in id else end.partition("/")[2] or end.rpartition(":")[2]


def _any_of(names: Iterator[str] | Sequence[str] | Mapping[str, str]) -> re.Pattern[str]:
    """Any of these as a whole: what follows or precedes is no part of a name; the longest first."""
    every = "|".join(re.escape(name) for name in sorted(filter(None, names), key=len, reverse=True))
    return re.compile(rf"(?<![\w-])(?:{every or '(?!)'})(?![\w-])")
