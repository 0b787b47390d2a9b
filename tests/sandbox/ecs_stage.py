"""A world with a network, a load balancer with two listeners and two target groups, a cluster and revisions to run."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from runbook_lib.sandbox import moto_state
from runbook_lib.sandbox.settings import Settings
from runbook_lib.sandbox.world import World

NAME = "orders"
CASES = Path(__file__).parents[1] / "cases"
BEGIN = 300.0  # seconds from the start of the world until a test begins: the load balancer is active
IMAGE = "public.ecr.aws/docker/library/httpd:2.4"
TRUST = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}


@dataclass
class Stage:
    """The world and the names that a test needs."""

    world: World
    vpc: str
    subnets: list[str]
    security: str
    balancer: str
    blue: str
    green: str
    production: str
    test: str
    role: str

    @property
    def ecs(self) -> Any:
        return self.world.client("ecs")

    @property
    def elb(self) -> Any:
        return self.world.client("elbv2")

    @property
    def ec2(self) -> Any:
        return self.world.client("ec2")

    # ---- doing

    def define(self, image: str = IMAGE, container: dict[str, Any] | None = None, **environment: str) -> str:
        """Registers a revision whose application behaves as its environment says; the ARN."""
        made = self.ecs.register_task_definition(**definition(self.role, image, container, **environment))
        arn: str = made["taskDefinition"]["taskDefinitionArn"]
        return arn

    def serve(self, controller: str = "CODE_DEPLOY", *, name: str = NAME, **changes: Any) -> str:
        """Creates a service of two tasks behind blue; the ARN."""
        made = self.ecs.create_service(**self.service(controller, serviceName=name, **changes))
        arn: str = made["service"]["serviceArn"]
        return arn

    def service(self, controller: str = "CODE_DEPLOY", **changes: Any) -> dict[str, Any]:
        """The parameters of a service; None removes one."""
        params: dict[str, Any] = {
            "cluster": NAME,
            "serviceName": NAME,
            "taskDefinition": NAME,
            "desiredCount": 2,
            "launchType": "FARGATE",
            "deploymentController": {"type": controller},
            "networkConfiguration": self.network(),
            "loadBalancers": [self.binding()],
        } | changes
        return {key: value for key, value in params.items() if value is not None}

    def network(self, public: str = "ENABLED") -> dict[str, Any]:
        placed = {"subnets": self.subnets, "securityGroups": [self.security], "assignPublicIp": public}
        return {"awsvpcConfiguration": placed}

    def binding(self, group: str | None = None) -> dict[str, Any]:
        return {"targetGroupArn": group or self.blue, "containerName": "app", "containerPort": 8080}

    def wait(self, seconds: float) -> None:
        self.world.run_until(self.world.now + seconds)

    def settle(self) -> None:
        """Lets everything happen that is under way."""
        for _ in range(1000):
            if self.world.idle():
                return
            due = self.world.next_event_time()
            assert due is not None
            self.world.run_until(due)
        pytest.fail("the world never comes to rest")

    def forward(self, **weights: int) -> list[dict[str, Any]]:
        """Actions that forward to target groups by their names."""
        groups = [{"TargetGroupArn": getattr(self, name), "Weight": weight} for name, weight in weights.items()]
        return [{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}]

    # ---- looking

    def shown(self, name: str = NAME) -> dict[str, Any]:
        found: dict[str, Any] = self.ecs.describe_services(cluster=NAME, services=[name])["services"][0]
        return found

    def messages(self, name: str = NAME) -> list[str]:
        """What the service said about itself, oldest first."""
        return [event["message"] for event in reversed(self.shown(name)["events"])]

    def tasks(self, status: str = "RUNNING", **filters: str) -> list[dict[str, Any]]:
        arns = self.ecs.list_tasks(cluster=NAME, desiredStatus=status, **filters)["taskArns"]
        found: list[dict[str, Any]] = self.ecs.describe_tasks(cluster=NAME, tasks=arns)["tasks"] if arns else []
        return found

    def health(self, group: str | None = None) -> list[str]:
        """The states of a group's targets in the order of their registration, with their reasons."""
        found = self.elb.describe_target_health(TargetGroupArn=group or self.blue)["TargetHealthDescriptions"]
        shown = [target["TargetHealth"] for target in found]
        return [" ".join(filter(None, (one["State"], one.get("Reason")))) for one in shown]

    def seconds(self) -> float:
        """How long ago the test began."""
        return self.world.now - self.world.settings.start - BEGIN


def definition(
    role: str, image: str = IMAGE, container: dict[str, Any] | None = None, **environment: str
) -> dict[str, Any]:
    """The parameters of a revision for Fargate with one container on port 8080."""
    app = {
        "name": "app",
        "image": image,
        "essential": True,
        "portMappings": [{"containerPort": 8080}],
        "environment": [{"name": key, "value": value} for key, value in environment.items()],
    }
    return {
        "family": NAME,
        "requiresCompatibilities": ["FARGATE"],
        "networkMode": "awsvpc",
        "cpu": "256",
        "memory": "512",
        "executionRoleArn": role,
        "containerDefinitions": [app | (container or {})],
    }


def refusal(call: Callable[..., Any], **params: Any) -> tuple[str, str]:
    """The code and message with which a call is refused."""
    with pytest.raises(ClientError) as refused:
        call(**params)
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


@cache
def _saved() -> tuple[Stage, bytes, bytes]:
    stage = _build(Settings(realism=False))
    return stage, pickle.dumps(stage.world), moto_state.dump(stage.world)


def fresh(*, realism: bool = False, whole: bool = False) -> Stage:
    """A stage as it was built.

    The world goes back to its beginning; what moto keeps stays, unless the whole of it is loaded anew: tests that
    change the network, roles or logs ask for that.
    """
    stage, ours, everything = _saved()
    if whole:
        stage = replace(stage, world=moto_state.load(everything))
    else:
        stage.world.__dict__.update(pickle.loads(ours).__getstate__())
    if realism:
        stage.world.settings = Settings()
    return stage


def _build(settings: Settings) -> Stage:
    world = World(settings)
    role = make_role(world, "execution")
    for service in ("ecs", "elasticloadbalancing", "ecs.application-autoscaling"):
        world.client("iam").create_service_linked_role(AWSServiceName=f"{service}.amazonaws.com")
    world.run_until(world.now + 60)
    vpc, subnets, security = _network(world)
    elb = world.client("elbv2")
    made = elb.create_load_balancer(Name=NAME, Subnets=subnets, SecurityGroups=[security])
    balancer = made["LoadBalancers"][0]["LoadBalancerArn"]
    blue, green = (make_group(world, vpc, name) for name in ("blue", "green"))
    pair = {"TargetGroups": [{"TargetGroupArn": blue, "Weight": 100}, {"TargetGroupArn": green, "Weight": 0}]}
    production, test = (
        elb.create_listener(
            LoadBalancerArn=balancer,
            Protocol="HTTP",
            Port=port,
            DefaultActions=[{"Type": "forward", "ForwardConfig": pair}],
        )["Listeners"][0]["ListenerArn"]
        for port in (80, 8080)
    )
    world.client("ecs").create_cluster(clusterName=NAME)
    world.run_until(settings.start + BEGIN)
    stage = Stage(world, vpc, subnets, security, balancer, blue, green, production, test, role)
    stage.define(APP_VERSION="1")
    return stage


def make_role(world: World, name: str) -> str:
    """A role that ECS tasks may assume; its ARN."""
    trust = json.dumps({"Version": "2012-10-17", "Statement": [TRUST]})
    arn: str = world.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    return arn


def make_group(world: World, vpc: str, name: str, **changes: Any) -> str:
    """A target group that checks every 10 seconds and drains for 30; its ARN."""
    params = {"Protocol": "HTTP", "Port": 8080, "VpcId": vpc, "TargetType": "ip", "HealthCheckIntervalSeconds": 10}
    elb = world.client("elbv2")
    arn: str = elb.create_target_group(Name=name, **(params | changes))["TargetGroups"][0]["TargetGroupArn"]
    delay = [{"Key": "deregistration_delay.timeout_seconds", "Value": "30"}]
    elb.modify_target_group_attributes(TargetGroupArn=arn, Attributes=delay)
    return arn


def _network(world: World) -> tuple[str, list[str], str]:
    ec2 = world.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    table = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"][0]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=f"us-east-1{zone}")["Subnet"][
            "SubnetId"
        ]
        for number, zone in enumerate("ab")
    ]
    return vpc, subnets, ec2.create_security_group(GroupName="web", Description="web", VpcId=vpc)["GroupId"]


@dataclass(frozen=True)
class Refusal:
    """A call that AWS refuses, as a case in a file tells it; $names stand for things of the stage."""

    name: str
    operation: str
    params: dict[str, Any]
    code: str
    message: str


def refusals(topic: str) -> list[Any]:
    """The refusals of a topic, one a file."""
    files = sorted((CASES / topic / "refusals").glob("*.json"))
    told = [Refusal(file.stem, **json.loads(file.read_text(encoding="utf-8"))) for file in files]
    return [pytest.param(one, id=one.name) for one in told]


def filled(value: Any, names: dict[str, Any]) -> Any:
    """The value with its $names replaced."""
    if isinstance(value, dict):
        return {key: filled(inner, names) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, names) for inner in value]
    if isinstance(value, str) and value.startswith("$") and value[1:] in names:
        return names[value[1:]]
    if isinstance(value, str):
        for name in sorted(names, key=len, reverse=True):
            value = value.replace(f"${name}", str(names[name]))
    return value
