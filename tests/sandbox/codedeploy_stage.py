"""A world with a service on the CODE_DEPLOY controller, two target groups, two listeners and a deployment group."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import pytest
from botocore.exceptions import ClientError
from lambda_stage import lambda_role, packed

from runbook_lib.sandbox import moto_state
from runbook_lib.sandbox.services import elbv2
from runbook_lib.sandbox.services.codedeploy.store import Deployment
from runbook_lib.sandbox.settings import Settings
from runbook_lib.sandbox.world import World

NAME = "orders"
ROLLBACK_EVENTS = ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"]
HOOK = "CodeDeployHook_smoke"
HOOK_ACTIONS = ("codedeploy:PutLifecycleEventHookExecutionStatus", "logs:*")
SILENT = "def handler(event, context): pass"
LINEAR = "CodeDeployDefault.ECSLinear10PercentEvery1Minutes"
CANARY = "CodeDeployDefault.ECSCanary10Percent5Minutes"
ALL_AT_ONCE = "CodeDeployDefault.ECSAllAtOnce"


@dataclass
class Stage:
    """The world and the names that a test needs."""

    world: World
    blue: str
    green: str
    production: str
    test: str
    role: str
    definitions: list[str]
    subnets: list[str]
    rule: str = ""
    queue: str = ""

    def client(self, service: str) -> Any:
        return self.world.client(service)

    @property
    def deploy(self) -> Any:
        return self.world.client("codedeploy")

    # ---- doing

    def group(self, **changes: Any) -> dict[str, Any]:
        """The parameters of a deployment group; None removes one."""
        route = {
            "prodTrafficRoute": {"listenerArns": [self.production]},
            "testTrafficRoute": {"listenerArns": [self.test]},
        }
        pair = {"targetGroups": [{"name": "blue"}, {"name": "green"}], **route}
        params: dict[str, Any] = {
            "applicationName": NAME,
            "deploymentGroupName": NAME,
            "serviceRoleArn": self.role,
            "deploymentConfigName": LINEAR,
            "deploymentStyle": {"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"},
            "ecsServices": [{"clusterName": NAME, "serviceName": NAME}],
            "blueGreenDeploymentConfiguration": waits(),
            "loadBalancerInfo": {"targetGroupPairInfoList": [pair]},
            "autoRollbackConfiguration": {"enabled": True, "events": ROLLBACK_EVENTS},
        } | changes
        return {key: value for key, value in params.items() if value is not None}

    def without_test_listener(self) -> dict[str, Any]:
        """A group's load balancer without the test listener."""
        pair = {
            "targetGroups": [{"name": "blue"}, {"name": "green"}],
            "prodTrafficRoute": {"listenerArns": [self.production]},
        }
        return {"targetGroupPairInfoList": [pair]}

    def make_group(self, **changes: Any) -> None:
        self.deploy.create_deployment_group(**self.group(**changes))

    def appspec(self, version: int, **hooks: str) -> str:
        """The AppSpec of a version, as JSON."""
        balancer = {"ContainerName": "app", "ContainerPort": 8080}
        properties = {"TaskDefinition": self.definitions[version - 1], "LoadBalancerInfo": balancer}
        resource = {"TargetService": {"Type": "AWS::ECS::Service", "Properties": properties}}
        return json.dumps({"version": 0.0, "Resources": [resource], "Hooks": [{k: v} for k, v in hooks.items()]})

    def start(self, version: int = 2, *, hooks: dict[str, str] | None = None, **params: Any) -> str:
        """Creates a deployment and gives its id."""
        content = self.appspec(version, **(hooks or {}))
        revision = {"revisionType": "AppSpecContent", "appSpecContent": {"content": content}}
        given = {"applicationName": NAME, "deploymentGroupName": NAME, "revision": revision} | params
        made: str = self.deploy.create_deployment(**given)["deploymentId"]
        return made

    def wait(self, seconds: float) -> None:
        self.world.run_until(self.world.now + seconds)

    def until(self, true: Callable[[], bool], limit: float = 7200.0) -> None:
        """Lets one event after the other happen."""
        end = self.world.now + limit
        while not true():
            due = self.world.next_event_time()
            assert due is not None
            assert due < end, "it did not happen"
            self.world.run_until(due)

    def until_event(self, deployment: str, name: str, status: str = "InProgress") -> None:
        kept = self.kept(deployment)
        self.until(lambda: (name, status) in [(event.name, event.status) for event in kept.events])

    def until_status(self, deployment: str, *statuses: str) -> None:
        self.until(lambda: self.kept(deployment).status in statuses)

    def until_over(self, deployment: str) -> str:
        self.until_status(deployment, "Succeeded", "Failed", "Stopped")
        return self.kept(deployment).status

    def kept(self, deployment: str) -> Deployment:
        """What CodeDeploy itself keeps of a deployment."""
        found: Deployment = self.world.store("codedeploy").deployments[deployment]
        return found

    def alarm(self, state: str, name: str = "red") -> None:
        """Makes an alarm and puts it into a state."""
        watch = self.client("cloudwatch")
        watch.put_metric_alarm(
            AlarmName=name, Namespace="Test", MetricName="Errors", Statistic="Sum", Period=60, EvaluationPeriods=1,
            Threshold=1, ComparisonOperator="GreaterThanThreshold", TreatMissingData="ignore",
        )  # fmt: skip
        watch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="by hand")

    def hook(self, name: str = HOOK, *, code: str = SILENT, may: tuple[str, ...] = HOOK_ACTIONS) -> None:
        """Makes a Lambda function by that name whose role may do these actions; it says nothing of itself."""
        role = lambda_role(self.world, name, may)
        self.client("lambda").create_function(
            FunctionName=name,
            Runtime="python3.12",
            Role=role,
            Handler="hook.handler",
            Timeout=300,
            Code={"ZipFile": packed({"hook.py": code})},
        )

    def log(self, name: str = HOOK) -> list[str]:
        """What a function wrote into its log, without Lambda's own lines."""
        found = self.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
        lines = [event["message"].splitlines()[0] for event in found]
        return [line for line in lines if not line.startswith(("START", "END", "REPORT"))]

    def answer(self, deployment: str, status: str) -> None:
        """Reports the result of the hook that is waited for."""
        hook = self.kept(deployment).hook
        assert hook is not None
        self.deploy.put_lifecycle_event_hook_execution_status(
            deploymentId=deployment, lifecycleEventHookExecutionId=hook.execution_id, status=status
        )

    def point(self, listener: str, weights: dict[str, int]) -> None:
        """Lets a listener forward by hand."""
        self.client("elbv2").modify_listener(ListenerArn=listener, DefaultActions=[self.forward(weights)])

    def add_rule(self, weights: dict[str, int]) -> None:
        """Adds a rule to the production listener."""
        path = {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/api/*"]}}
        made = self.client("elbv2").create_rule(
            ListenerArn=self.production, Priority=10, Conditions=[path], Actions=[self.forward(weights)]
        )
        self.rule = made["Rules"][0]["RuleArn"]

    def forward(self, weights: dict[str, int]) -> dict[str, Any]:
        """A forward action to target groups by their names."""
        groups = [{"TargetGroupArn": getattr(self, name), "Weight": weight} for name, weight in weights.items()]
        return {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}

    def break_version(self, version: int) -> None:
        """Lets that version fail its health checks."""
        self.definitions[version - 1] = define(self, version, APP_HEALTH="fail")

    def targets(self, name: str) -> tuple[elbv2.Target, ...]:
        """The targets of a target group."""
        return elbv2.targets_of(self.world, getattr(self, name))

    def network_pair(self) -> dict[str, Any]:
        """A network load balancer with a listener and a pair of target groups."""
        elb, vpc = (
            self.client("elbv2"),
            self.client("ec2").describe_subnets(SubnetIds=self.subnets)["Subnets"][0]["VpcId"],
        )
        made = elb.create_load_balancer(Name="net", Type="network", Subnets=self.subnets)["LoadBalancers"][0]
        groups = [
            elb.create_target_group(Name=name, Protocol="TCP", Port=80, VpcId=vpc, TargetType="ip")["TargetGroups"][0]
            for name in ("net-blue", "net-green")
        ]
        action = {"Type": "forward", "TargetGroupArn": groups[0]["TargetGroupArn"]}
        listener = elb.create_listener(
            LoadBalancerArn=made["LoadBalancerArn"], Protocol="TCP", Port=80, DefaultActions=[action]
        )["Listeners"][0]
        names = [{"name": group["TargetGroupName"]} for group in groups]
        return {"targetGroups": names, "prodTrafficRoute": {"listenerArns": [listener["ListenerArn"]]}}

    def limited_role(self, services: list[str]) -> str:
        """A role for CodeDeploy that may do everything in these services and nothing elsewhere."""
        statement = {"Effect": "Allow", "Action": [f"{service}:*" for service in services], "Resource": "*"}
        return make_role(self.world, "limited", {"Version": "2012-10-17", "Statement": [statement]})

    def delete(self, what: str) -> None:
        """Deletes the group or its limited role."""
        if what == "group":
            self.deploy.delete_deployment_group(applicationName=NAME, deploymentGroupName=NAME)
        else:
            iam = self.client("iam")
            iam.delete_role_policy(RoleName="limited", PolicyName="limited")
            iam.delete_role(RoleName="limited")

    # ---- looking

    def info(self, deployment: str) -> dict[str, Any]:
        found: dict[str, Any] = self.deploy.get_deployment(deploymentId=deployment)["deploymentInfo"]
        return found

    def target(self, deployment: str) -> dict[str, Any]:
        found = self.deploy.batch_get_deployment_targets(deploymentId=deployment, targetIds=[f"{NAME}:{NAME}"])
        target: dict[str, Any] = found["deploymentTargets"][0]["ecsTarget"]
        return target

    def events(self, deployment: str) -> dict[str, str]:
        return {event["lifecycleEventName"]: event["status"] for event in self.target(deployment)["lifecycleEvents"]}

    def weights(self, listener: str | None = None) -> dict[str, int]:
        """The weights of a listener by the target group's name; the production one, when none is named."""
        found = elbv2.weights(self.world, listener or self.production)
        return {arn.split("/")[-2]: weight for arn, weight in found.items()}

    def sets(self) -> dict[str, str]:
        """The status of each task set by its target group's name."""
        service = self.client("ecs").describe_services(cluster=NAME, services=[NAME])["services"][0]
        return {one["loadBalancers"][0]["targetGroupArn"].split("/")[-2]: one["status"] for one in service["taskSets"]}

    def notices(self) -> list[str]:
        """The states that EventBridge was told, in their order."""
        return [event["detail"]["state"] for event in self.told()]

    def told(self) -> list[dict[str, Any]]:
        """The events that EventBridge delivered to a queue, which keeps no order, by their time."""
        queue = self.client("sqs")
        found: list[dict[str, Any]] = []
        while got := queue.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages"):
            found += [json.loads(message["Body"]) for message in got]
        return sorted(found, key=lambda event: str(event["time"]))

    def rollback_of(self, deployment: str) -> str:
        found: str = self.info(deployment)["rollbackInfo"]["rollbackDeploymentId"]
        return found


def waits(ready: int = 0, termination: int = 0) -> dict[str, Any]:
    """The blue/green configuration with a ready wait and a termination wait in minutes."""
    action = (
        {"actionOnTimeout": "STOP_DEPLOYMENT", "waitTimeInMinutes": ready}
        if ready
        else {"actionOnTimeout": "CONTINUE_DEPLOYMENT"}
    )
    ending = {"action": "TERMINATE", "terminationWaitTimeInMinutes": termination}
    return {"deploymentReadyOption": action, "terminateBlueInstancesOnDeploymentSuccess": ending}


def refusal(call: Callable[..., Any], **params: Any) -> tuple[str, str]:
    """The code and message with which a call is refused."""
    with pytest.raises(ClientError) as refused:
        call(**params)
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


@cache
def _saved() -> tuple[Stage, bytes]:
    stage = build()
    return stage, moto_state.dump(stage.world)


def fresh() -> Stage:
    """A stage as build() makes it, at the price of loading it."""
    stage, data = _saved()
    return replace(stage, world=moto_state.load(data), definitions=list(stage.definitions))


def build() -> Stage:
    """Everything but the deployment group; the service runs two healthy tasks."""
    world = World(Settings(realism=False, load_balancer_provisioning=0))
    role = make_role(world, "codedeploy")
    subnets, security = _network(world)
    balancer = _balancer(world, subnets, security)
    stage = Stage(world, *balancer, role=role, definitions=[], subnets=subnets, queue=_queue(world))
    _service(stage, subnets, security)
    stage.deploy.create_application(applicationName=NAME, computePlatform="ECS")
    stage.wait(120)
    return stage


def make_role(world: World, name: str, policy: dict[str, Any] | None = None) -> str:
    """A role that trusts CodeDeploy; without a policy of its own it has the managed one for Amazon ECS."""
    iam = world.client("iam")
    statement = {"Effect": "Allow", "Principal": {"Service": "codedeploy.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    if policy is None:
        iam.attach_role_policy(RoleName=name, PolicyArn="arn:aws:iam::aws:policy/AWSCodeDeployRoleForECS")
    else:
        iam.put_role_policy(RoleName=name, PolicyName=name, PolicyDocument=json.dumps(policy))
    return arn


def _queue(world: World) -> str:
    """A queue that receives CodeDeploy's events."""
    sqs, events = world.client("sqs"), world.client("events")
    url: str = sqs.create_queue(QueueName="notices")["QueueUrl"]
    pattern = json.dumps({"source": ["aws.codedeploy"]})
    events.put_rule(Name="notices", EventPattern=pattern)
    events.put_targets(Rule="notices", Targets=[{"Id": "queue", "Arn": world.arn("sqs", "notices")}])
    return url


def _network(world: World) -> tuple[list[str], str]:
    ec2 = world.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    table = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"][0]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/28", AvailabilityZone=f"us-east-1{zone}")["Subnet"][
            "SubnetId"
        ]
        for number, zone in enumerate("ab")
    ]
    return subnets, ec2.create_security_group(GroupName="web", Description="web", VpcId=vpc)["GroupId"]


def _balancer(world: World, subnets: list[str], security: str) -> tuple[str, str, str, str]:
    elb = world.client("elbv2")
    vpc = world.client("ec2").describe_subnets(SubnetIds=subnets)["Subnets"][0]["VpcId"]
    arn = elb.create_load_balancer(Name=NAME, Subnets=subnets, SecurityGroups=[security])["LoadBalancers"][0][
        "LoadBalancerArn"
    ]
    blue, green = (_target_group(world, name, vpc) for name in ("blue", "green"))
    groups = [{"TargetGroupArn": blue, "Weight": 100}, {"TargetGroupArn": green, "Weight": 0}]
    action = {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}
    production, test = (
        elb.create_listener(LoadBalancerArn=arn, Protocol="HTTP", Port=port, DefaultActions=[action])["Listeners"][0][
            "ListenerArn"
        ]
        for port in (80, 8080)
    )
    return blue, green, production, test


def _target_group(world: World, name: str, vpc: str) -> str:
    elb = world.client("elbv2")
    made = elb.create_target_group(
        Name=name, Protocol="HTTP", Port=8080, VpcId=vpc, TargetType="ip", HealthCheckIntervalSeconds=10
    )
    arn: str = made["TargetGroups"][0]["TargetGroupArn"]
    delay = {"Key": "deregistration_delay.timeout_seconds", "Value": "30"}
    elb.modify_target_group_attributes(TargetGroupArn=arn, Attributes=[delay])
    return arn


def _service(stage: Stage, subnets: list[str], security: str) -> None:
    ecs = stage.client("ecs")
    ecs.create_cluster(clusterName=NAME)
    stage.definitions = [define(stage, version) for version in (1, 2, 3)]
    ecs.create_service(
        cluster=NAME,
        serviceName=NAME,
        taskDefinition=stage.definitions[0],
        desiredCount=2,
        launchType="FARGATE",
        deploymentController={"type": "CODE_DEPLOY"},
        networkConfiguration={
            "awsvpcConfiguration": {"subnets": subnets, "securityGroups": [security], "assignPublicIp": "ENABLED"}
        },
        loadBalancers=[{"targetGroupArn": stage.blue, "containerName": "app", "containerPort": 8080}],
    )


def define(stage: Stage, version: int, **environment: str) -> str:
    """Registers a revision of the task definition and gives its ARN."""
    variables = [{"name": key, "value": value} for key, value in {"APP_VERSION": str(version), **environment}.items()]
    container = {
        "name": "app", "image": "public.ecr.aws/docker/library/httpd:2.4", "essential": True,
        "portMappings": [{"containerPort": 8080}], "environment": variables,
    }  # fmt: skip
    made = stage.client("ecs").register_task_definition(
        family=NAME, requiresCompatibilities=["FARGATE"], networkMode="awsvpc", cpu="256", memory="512",
        containerDefinitions=[container],
    )  # fmt: skip
    arn: str = made["taskDefinition"]["taskDefinitionArn"]
    return arn
