"""Why tasks do not start: their roles, their way out, their log group, their images; in AWS's words.

Sources: ECS developer guide, stopped-task-error-codes, task_cannot_pull_image, resource-initialization-errors and
service-event-messages-list. With platform version 1.4.0 all traffic uses the task's own interface.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.services.ecs.fargate import ECR
from runbook_lib.sandbox.services.ecs.interfaces import book
from runbook_lib.sandbox.services.ecs.store import Network, Task, store

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

REFERENCE = re.compile(
    r"[a-z0-9][a-z0-9._-]*(:\d+)?(/[a-z0-9][a-z0-9._-]*)*(:[\w][\w.-]{0,127})?(@sha256:[0-9a-f]{64})?"
)
NOT_ASSUMED = (
    "ECS was unable to assume the role '{role}' that was provided for this task. Please verify that the role being "
    "passed has the proper trust relationship and permissions and that your IAM user has permissions to pass this role."
)
NO_WAY_TO_REGISTRY = (
    "ResourceInitializationError: unable to pull secrets or registry auth: The task cannot pull registry auth from "
    "Amazon ECR: There is a connection issue between the task and Amazon ECR. Check your task network configuration. "
    'RequestError: send request failed caused by: Post "https://api.ecr.{region}.amazonaws.com/": dial tcp '
    "api.ecr.{region}.amazonaws.com:443: i/o timeout"
)
NO_WAY_OUT = (
    "CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref {image}: failed "
    "to do request: dial tcp: i/o timeout"
)
NO_LOG_GROUP = (
    "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed to "
    "create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist. : exit status 1"
)
NOT_FOUND = (
    "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref {image}: {image}: "
    "not found"
)
NOT_A_REFERENCE = (
    "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to normalize image reference "
    '"{image}": invalid reference format'
)


@dataclass(frozen=True)
class Pulled:
    """An image as a task gets it; one of a registry outside the sandbox brings no environment that is known."""

    digest: str | None
    environment: Mapping[str, str]


def unassumable_role(world: World, definition: Mapping[str, Any]) -> str:
    """Why the roles of a task definition cannot be used, in AWS's words; empty when they can."""
    from runbook_lib.sandbox import permissions

    for key in ("executionRoleArn", "taskRoleArn"):
        role = definition.get(key)
        if role:
            arn = role if role.startswith("arn:") else world.arn("iam", f"role/{role}", regional=False)
            if permissions.assumable(world, arn, "ecs-tasks.amazonaws.com"):
                return NOT_ASSUMED.format(role=arn)
    return ""


def why_not(world: World, task: Task) -> str:
    """Why a task cannot start now, in AWS's words; empty when it can."""
    definition = store(world).task_definitions[task.task_definition_arn]
    images = [container.image for container in task.containers]
    return (
        _no_way(world, task.network, images)
        or _no_log_group(world, definition)
        or next(filter(None, (_no_image(world, image) for image in images)), "")
    )


def pulled(world: World, image: str) -> Pulled:
    """What an image brings along; raises nothing, for `why_not` has looked."""
    found = _image(world, image)
    return Pulled(found.digest, dict(found.environment)) if found else Pulled(None, {})


def _image(world: World, image: str) -> Any:
    from runbook_lib.sandbox.services import ecr

    return ecr.image(world, image) if ECR.fullmatch(image) else None


def _no_image(world: World, image: str) -> str:
    if not REFERENCE.fullmatch(image):
        return NOT_A_REFERENCE.format(image=image)
    if ECR.fullmatch(image) and _image(world, image) is None:
        return NOT_FOUND.format(image=image)
    return ""


def _no_log_group(world: World, definition: Mapping[str, Any]) -> str:
    logging = [container.get("logConfiguration", {}) for container in definition["containerDefinitions"]]
    options = [one.get("options", {}) for one in logging if one.get("logDriver") == "awslogs"]
    for option in options:
        group = option.get("awslogs-group", "")
        if option.get("awslogs-create-group") != "true" and not _log_group_exists(world, group):
            return NO_LOG_GROUP
    return ""


def _log_group_exists(world: World, name: str) -> bool:
    found = world.client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    return any(group["logGroupName"] == name for group in found)


def _no_way(world: World, network: Network | None, images: list[str]) -> str:
    """A task needs a route to its registries: a public address, a NAT gateway or (for ECR) endpoints."""
    if network is None:
        return ""
    subnet = network.subnets[0]
    if _has_way_out(world, subnet, network.public_ip):
        return ""
    outside = [image for image in images if not ECR.fullmatch(image)]
    if not outside and _has_endpoints(world, subnet):
        return ""
    if len(outside) == len(images):
        return NO_WAY_OUT.format(image=images[0])
    return NO_WAY_TO_REGISTRY.format(region=world.settings.region)


def _has_way_out(world: World, subnet: str, public_ip: bool) -> bool:
    routes = _routes(world, subnet)
    default = next((route for route in routes if route.get("DestinationCidrBlock") == "0.0.0.0/0"), {})
    if default.get("GatewayId", "").startswith("igw-"):
        return public_ip
    return any(key in default for key in ("NatGatewayId", "TransitGatewayId", "NetworkInterfaceId", "InstanceId"))


def _routes(world: World, subnet: str) -> list[dict[str, Any]]:
    ec2, vpc = world.client("ec2"), book(world, subnet).vpc
    tables = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"]
    own = [table for table in tables if any(link.get("SubnetId") == subnet for link in table["Associations"])]
    main = [table for table in tables if any(link.get("Main") for link in table["Associations"])]
    routes: list[dict[str, Any]] = (own or main)[0]["Routes"] if own or main else []
    return routes


def _has_endpoints(world: World, subnet: str) -> bool:
    where = [{"Name": "vpc-id", "Values": [book(world, subnet).vpc]}]
    found = world.client("ec2").describe_vpc_endpoints(Filters=where)["VpcEndpoints"]
    names = {endpoint["ServiceName"].removeprefix("com.amazonaws.").partition(".")[2] for endpoint in found}
    return {"ecr.api", "ecr.dkr", "s3"} <= names
