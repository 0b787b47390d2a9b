"""What a service must say to be accepted: its network, its load balancer, its revision; in AWS's words.

Sources: ECS API reference, CreateService and UpdateService; ECS developer guide, deployment-type-bluegreen and
service_definition_parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from runbook_lib.sandbox.errors import AwsError, not_simulated
from runbook_lib.sandbox.services import elbv2
from runbook_lib.sandbox.services.ecs import start_checks
from runbook_lib.sandbox.services.ecs.store import Binding, Network

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

PLATFORMS = ("1.4.0", "1.3.0")
MOST_SUBNETS, MOST_GROUPS, MOST_BINDINGS = 16, 5, 5
MOST_TASKS = 5000


def controller(params: Mapping[str, Any]) -> str:
    """ECS or CODE_DEPLOY; raises AwsError on what the sandbox does not serve."""
    kind: str = params.get("deploymentController", {}).get("type", "ECS")
    strategy = params.get("deploymentConfiguration", {}).get("strategy", "ROLLING")
    if kind not in ("ECS", "CODE_DEPLOY"):
        raise not_simulated(f"ecs: the deployment controller {kind}")
    if strategy != "ROLLING":
        raise not_simulated(f"ecs: the deployment strategy {strategy}")
    if kind == "CODE_DEPLOY":
        _check_code_deploy(params)
    return kind


def _check_code_deploy(params: Mapping[str, Any]) -> None:
    if params.get("schedulingStrategy", "REPLICA") != "REPLICA":
        _invalid("The CODE_DEPLOY deployment controller does not support the DAEMON scheduling strategy.")
    if params.get("serviceConnectConfiguration", {}).get("enabled"):
        _invalid("Service Connect is not supported with the CODE_DEPLOY deployment controller.")
    if len(params.get("loadBalancers", ())) != 1:
        _invalid("Services with the CODE_DEPLOY deployment controller must have exactly one load balancer.")


def launch_type(params: Mapping[str, Any], definition: Mapping[str, Any]) -> str:
    """FARGATE or EC2; raises AwsError where the revision cannot run there."""
    strategy = params.get("capacityProviderStrategy", ())
    if strategy and "launchType" in params:
        _invalid("Specifying both a launch type and capacity provider strategy is not supported.")
    fargate = any(item["capacityProvider"].startswith("FARGATE") for item in strategy)
    kind: str = "FARGATE" if fargate else params.get("launchType", "EC2")
    if kind == "FARGATE" and "FARGATE" not in definition["compatibilities"]:
        _invalid("Task definition does not support launch_type FARGATE.")
    if kind == "FARGATE" and params.get("schedulingStrategy") == "DAEMON":
        _invalid("The daemon scheduling strategy is not supported for the Fargate launch type.")
    return kind


def platform_version(params: Mapping[str, Any], kind: str) -> str:
    """The platform version that LATEST means; empty outside Fargate."""
    wanted = params.get("platformVersion", "LATEST")
    if kind != "FARGATE":
        return ""
    if wanted not in (*PLATFORMS, "LATEST"):
        raise AwsError("PlatformUnknownException", "The specified platform version does not exist.")
    return PLATFORMS[0] if wanted == "LATEST" else str(wanted)


def desired_count(params: Mapping[str, Any]) -> int:
    """How many tasks are wanted."""
    count = params.get("desiredCount")
    if count is None:
        _invalid("The desired count must be specified for the REPLICA scheduling strategy.")
    if not 0 <= count <= MOST_TASKS:
        _invalid(f"The desired count must be from 0 to {MOST_TASKS}; it is {count}.")
    return int(count)


def network(world: World, params: Mapping[str, Any], definition: Mapping[str, Any]) -> Network | None:
    """Where the tasks get their interfaces; raises InvalidParameterException where it does not exist."""
    given = params.get("networkConfiguration", {}).get("awsvpcConfiguration")
    if definition.get("networkMode") != "awsvpc":
        if given:
            _invalid("Network Configuration is not valid for the given networkMode of this task definition.")
        return None
    if not given:
        _invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
    return checked_network(world, given)


def checked_network(world: World, given: Mapping[str, Any]) -> Network:
    """A network configuration whose subnets and security groups exist and belong together."""
    subnets, groups = given.get("subnets", ()), given.get("securityGroups", ())
    if not 1 <= len(subnets) <= MOST_SUBNETS:
        _invalid(f"subnets can have 1 to {MOST_SUBNETS} items.")
    if len(groups) > MOST_GROUPS:
        _invalid(f"securityGroups can have at most {MOST_GROUPS} items.")
    vpc = _vpc_of(world, subnets)
    found = world.client("ec2").describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc]}])
    known = {group["GroupId"]: group["GroupName"] for group in found["SecurityGroups"]}
    for group in groups:
        if group not in known:
            _invalid(
                f"Error retrieving security group information for [{group}]: The security group '{group}' does not "
                "exist (ErrorCode: InvalidGroup.NotFound)"
            )
    default = [identity for identity, name in known.items() if name == "default"]
    return Network(tuple(subnets), tuple(groups or default), given.get("assignPublicIp", "DISABLED") == "ENABLED")


def _vpc_of(world: World, subnets: Sequence[str]) -> str:
    known = {subnet["SubnetId"]: subnet["VpcId"] for subnet in world.client("ec2").describe_subnets()["Subnets"]}
    for subnet in subnets:
        if subnet not in known:
            _invalid(
                f"Error retrieving subnet information for [{subnet}]: The subnet ID '{subnet}' does not exist "
                "(ErrorCode: InvalidSubnetID.NotFound)"
            )
    vpcs = sorted({known[subnet] for subnet in subnets})
    if len(vpcs) > 1:
        _invalid(f"Subnets belong to more than one VPC: {', '.join(vpcs)}.")
    return vpcs[0]


def bindings(world: World, params: Mapping[str, Any], definition: Mapping[str, Any]) -> tuple[Binding, ...]:
    """Where the tasks are registered; raises InvalidParameterException where that cannot be."""
    given = params.get("loadBalancers", ())
    if len(given) > MOST_BINDINGS:
        _invalid(f"load balancers can have at most {MOST_BINDINGS} items.")
    found = tuple(checked_binding(world, one, definition) for one in given)
    for binding in found:
        _must_be_used(world, binding.target_group)
    return found


def _must_be_used(world: World, group: str) -> None:
    """A service may only use a group that stands behind a listener; a task set of CodeDeploy's needs not to yet."""
    if not elbv2.usage(world).get(group):
        _invalid(f"The target group with targetGroupArn {group} does not have an associated load balancer.")


def checked_binding(world: World, given: Mapping[str, Any], definition: Mapping[str, Any]) -> Binding:
    """One load balancer of a service: its group exists, suits the network mode, and the container is there."""
    arn, name, port = given.get("targetGroupArn"), given.get("containerName", ""), given.get("containerPort", 0)
    if not arn:
        _invalid("A target group must be specified: the sandbox does not serve classic load balancers.")
    check_container(definition, name, port)
    try:
        group = elbv2.target_group(world, arn)
    except AwsError:
        _invalid(f"The specified target group does not exist: {arn}.")
    if definition.get("networkMode") == "awsvpc" and group.target_type != "ip":
        _invalid(
            f"The provided target group {arn} has target type {group.target_type}, which is incompatible with the "
            "awsvpc network mode specified in the task definition."
        )
    return Binding(group.arn, name, port)


def check_container(definition: Mapping[str, Any], name: str, port: int) -> None:
    """Raises InvalidParameterException unless the revision has this container with this port."""
    found = next((one for one in definition["containerDefinitions"] if one["name"] == name), None)
    if found is None:
        _invalid(f"The container {name} does not exist in the task definition.")
    if port not in [mapping.get("containerPort") for mapping in found["portMappings"]]:
        _invalid(f"The container {name} did not have a container port {port} defined.")


def check_roles(world: World, definition: Mapping[str, Any]) -> None:
    """Raises ClientException unless ECS can use the roles of the revision."""
    refusal = start_checks.unassumable_role(world, definition)
    if refusal:
        raise AwsError("ClientException", refusal)


def grace(params: Mapping[str, Any], bound: bool) -> int | None:
    """Seconds in which the load balancer's verdict on a new task is ignored; None without a load balancer."""
    seconds = params.get("healthCheckGracePeriodSeconds")
    if seconds is not None and not bound:
        _invalid("Health check grace period is only valid for services configured to use load balancers")
    return (seconds or 0) if bound else None


def _invalid(message: str) -> NoReturn:
    raise AwsError("InvalidParameterException", message)
