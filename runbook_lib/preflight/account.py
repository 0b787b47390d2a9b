"""Reads the live side of the picture; a part that AWS does not let us read becomes a trouble."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from runbook_lib import ownership
from runbook_lib.preflight import permissions
from runbook_lib.preflight.live import (
    Alarm,
    Definition,
    Deployment,
    Group,
    Live,
    Names,
    Project,
    Registry,
    Route,
    Scaling,
    Service,
    Subnet,
    TargetGroup,
    TaskSet,
)
from runbook_lib.preflight.picture import APPSPEC, TASKDEF, Picture, Pipeline, Trouble
from runbook_lib.preflight.reading import read_some
from runbook_lib.preflight.wish import Wish
from runbook_lib.repository import read_repository
from runbook_lib.service import read_service

if TYPE_CHECKING:
    from runbook_lib.account import Account
    from runbook_lib.system import System

# What AWS answers when a part does not exist, by error code.
ABSENT = frozenset(
    {
        "ApplicationDoesNotExistException",
        "ClusterNotFoundException",
        "DeploymentGroupDoesNotExistException",
        "ListenerNotFound",
        "LoadBalancerNotFound",
        "PipelineNotFoundException",
        "RepositoryNotFoundException",
        "ResourceNotFoundException",
        "TargetGroupNotFound",
    }
)
ACTIVE = ["Created", "Queued", "InProgress", "Baking", "Ready"]
MOST_ALARMS = 100  # names in one call of DescribeAlarms


def names_of(system: System) -> Names:
    """The names of a system that the runbooks made."""
    return Names(
        cluster=system.cluster,
        service=system.service,
        application=system.deploy_application,
        group=system.deploy_group,
        pipeline=system.pipeline,
        project=system.project,
        registry=system.registry,
        rule=system.rule,
    )


def read_system(account: Account, system: System, wish: Wish | None = None, *, branch: str | None = None) -> Picture:
    """The picture of a system of the parameters: its account, and the files on a branch (None: the pipeline's).

    What somebody wishes to make takes the place of what is there.
    """
    picture, wish = _repository_files(account, system, branch), wish or Wish()
    if wish.pipeline:
        picture = replace(picture, pipeline=Pipeline("the pipeline that is wished for", wish.pipeline))
    limit = system.params.release.limit_minutes
    return replace(read_account(account, wish.named(_names_now(account, system)), picture, wish), limit_minutes=limit)


def _names_now(account: Account, system: System) -> Names:
    """The names of the system; before 15_move_service the service is the one with rolling deployments."""
    try:
        moved = read_service(account, system, system.service)
        rolling = None if moved else read_service(account, system, system.rolling_service)
    except (ClientError, BotoCoreError):
        return names_of(system)  # what cannot be read becomes a trouble of its part
    return replace(names_of(system), service=rolling.name) if rolling else names_of(system)


def _repository_files(account: Account, system: System, branch: str | None) -> Picture:
    application = system.application
    paths = [TASKDEF, APPSPEC, application.buildspec_path, application.dockerfile_path]
    try:
        found = read_repository(account, system, [path for path in paths if path], branch=branch)
    except (ClientError, BotoCoreError) as error:
        trouble = Trouble("files", system.repository, str(error), "the repository's files", "allow reading it")
        return Picture(troubles=(trouble,))
    with tempfile.TemporaryDirectory() as folder:
        for path, content in found.files.items():
            target = Path(folder, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        return read_some(Path(folder)) if found.files else Picture()


def read_account(account: Account, names: Names, picture: Picture, wish: Wish | None = None) -> Picture:
    """The picture with its live side; parts that cannot be read become troubles."""
    reader = _Reader(account, wish or Wish())
    live = reader.live(names, picture.files.appspec_subnets() if picture.files else ())
    pipeline = picture.pipeline or reader.part("pipeline", lambda: _pipeline(account, names))
    whole = replace(picture, live=live, pipeline=pipeline)
    live = replace(live, grants=reader.part("live.grants", lambda: tuple(permissions.read_grants(account, whole))))
    absent = {f"live.{part}": "the account has none" for part in Live.__dataclass_fields__}
    return replace(
        picture,
        live=live,
        pipeline=pipeline,
        troubles=(*picture.troubles, *reader.troubles),
        absent={**picture.absent, **absent},
    )


class _Reader:
    """Reads part after part and keeps what goes wrong."""

    def __init__(self, account: Account, wish: Wish) -> None:
        self.account, self.wish = account, wish
        self.troubles: list[Trouble] = []

    def part(self, part: str, read: Callable[[], Any]) -> Any:
        try:
            return read()
        except ClientError as error:
            told = error.response["Error"]
            if told["Code"] not in ABSENT:
                self._trouble(part, error.operation_name, f"{told['Code']}: {told['Message']}")
        except BotoCoreError as error:
            self._trouble(part, part, str(error))
        return None

    def _trouble(self, part: str, where: str, seen: str) -> None:
        self.troubles.append(
            Trouble(part, where, seen, "an answer", "allow the call, or run the check with another role")
        )

    def live(self, names: Names, subnets: tuple[str, ...] = ()) -> Live:
        account, read, wish = self.account, self.part, self.wish
        service = read("live.service", lambda: service_of(wish.service) if wish.service else _service(account, names))
        group = read("live.group", lambda: _group(account, names, wish.group))
        groups = (
            read("live.target_groups", lambda: _target_groups(account, service, group)) if service or group else None
        )
        balancers = {arn for one in groups or () for arn in one.balancers}
        routes = read("live.routes", lambda: _routes(account, balancers)) if balancers else None
        return Live(
            names=names,
            service=service,
            definition=read("live.definition", lambda: _definition(account, service.revision)) if service else None,
            group=group,
            balancers=read("live.balancers", lambda: _balancers(account, balancers)) or {},
            target_groups=groups,
            routes=routes,
            alarms=read("live.alarms", lambda: _alarms(account, group.alarms)) if group else None,
            project=read("live.project", lambda: _project(account, names.project)),
            registry=read("live.registry", lambda: _registry(account, names.registry)),
            subnets=read("live.subnets", lambda: _subnets(account, (*service.subnets, *subnets))) if service else None,
            scaling=read("live.scaling", lambda: _scaling(account, names)),
            active=read("live.active", lambda: _active(account, names)) if group else None,
            starter=read("live.starter", lambda: _starter(account, names.rule)),
            event_pattern=read("live.event_pattern", lambda: _event_pattern(account, names.rule)),
            stack=read("live.stack", lambda: _stack(account, names, routes or ())) if service else None,
            returnable=read("live.returnable", lambda: _returnable(account, names)),
        )


def _service(account: Account, names: Names) -> Service | None:
    found = account.client("ecs").describe_services(cluster=names.cluster, services=[names.service])["services"]
    if not found or found[0]["status"] == "INACTIVE":
        return None
    return service_of(found[0])


def service_of(one: Mapping[str, Any]) -> Service:
    """A service as DescribeServices shows it, or as CreateService is asked for it."""
    balancers = one.get("loadBalancers", ())
    network = one.get("networkConfiguration", {}).get("awsvpcConfiguration", {})
    deployments = one.get("deployments", ())
    return Service(
        name=one["serviceName"],
        controller=one.get("deploymentController", {}).get("type", "ECS"),
        scheduling=one.get("schedulingStrategy", "REPLICA"),
        desired=one.get("desiredCount", 0),
        running=one.get("runningCount", 0),
        revision=one.get("taskDefinition", ""),
        target_groups=tuple(balancer["targetGroupArn"] for balancer in balancers),
        container=balancers[0]["containerName"] if balancers else "",
        port=balancers[0]["containerPort"] if balancers else 0,
        capacity=tuple(provider["capacityProvider"] for provider in one.get("capacityProviderStrategy", ())),
        subnets=tuple(network.get("subnets", ())),
        public_ip=network.get("assignPublicIp") == "ENABLED",
        grace=one.get("healthCheckGracePeriodSeconds"),
        connects=any(made.get("serviceConnectConfiguration", {}).get("enabled") for made in (one, *deployments)),
        task_sets=tuple(_task_set(task_set) for task_set in one.get("taskSets", ())),
        events=tuple(event["message"] for event in one.get("events", ())[:20]),
    )


def _task_set(found: Mapping[str, Any]) -> TaskSet:
    balancers = found.get("loadBalancers", ())
    return TaskSet(found["id"], found["status"], balancers[0]["targetGroupArn"] if balancers else "")


def _definition(account: Account, arn: str) -> Definition:
    found = account.client("ecs").describe_task_definition(taskDefinition=arn)["taskDefinition"]
    return Definition(
        arn=found["taskDefinitionArn"],
        status=found["status"],
        images=tuple(container["image"] for container in found["containerDefinitions"]),
        architecture=found.get("runtimePlatform", {}).get("cpuArchitecture", "X86_64"),
        cpu=found.get("cpu", ""),
        memory=found.get("memory", ""),
        roles=tuple(found[key] for key in ("executionRoleArn", "taskRoleArn") if found.get(key)),
        execution_role=found.get("executionRoleArn", ""),
        log_groups=tuple(dict.fromkeys(_log_groups(found["containerDefinitions"]))),
        secrets=tuple(one["valueFrom"] for container in found["containerDefinitions"] for one in _secrets(container)),
    )


def _log_groups(containers: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for container in containers:
        told = container.get("logConfiguration", {})
        if told.get("logDriver") == "awslogs":
            yield told.get("options", {}).get("awslogs-group", "")


def _secrets(container: Mapping[str, Any]) -> list[Mapping[str, str]]:
    """Those of the environment and those of the log driver."""
    return [*container.get("secrets", ()), *container.get("logConfiguration", {}).get("secretOptions", ())]


def _group(account: Account, names: Names, wished: Mapping[str, Any] | None) -> Group:
    client = account.client("codedeploy")
    application = client.get_application(applicationName=names.application)["application"]
    if wished:
        return group_of(wished, application)
    found = client.get_deployment_group(applicationName=names.application, deploymentGroupName=names.group)
    return group_of(found["deploymentGroupInfo"], application)


def group_of(one: Mapping[str, Any], application: Mapping[str, Any]) -> Group:
    """A group as GetDeploymentGroup shows it, or as CreateDeploymentGroup is asked for it."""
    pairs = one.get("loadBalancerInfo", {}).get("targetGroupPairInfoList", ())
    pair = pairs[0] if pairs else {}
    waits = one.get("blueGreenDeploymentConfiguration", {})
    ready, ending = waits.get("deploymentReadyOption", {}), waits.get("terminateBlueInstancesOnDeploymentSuccess", {})
    alarms, rollback = one.get("alarmConfiguration", {}), one.get("autoRollbackConfiguration", {})
    return Group(
        name=one.get("deploymentGroupName", ""),
        platform=application.get("computePlatform", "Server"),
        kind=one.get("deploymentStyle", {}).get("deploymentType", ""),
        option=one.get("deploymentStyle", {}).get("deploymentOption", ""),
        config=one.get("deploymentConfigName", ""),
        ready_action=ready.get("actionOnTimeout", "CONTINUE_DEPLOYMENT"),
        ready_wait=ready.get("waitTimeInMinutes", 0),
        ending=ending.get("action", ""),
        termination_wait=ending.get("terminationWaitTimeInMinutes", 0),
        pair=tuple(group["name"] for group in pair.get("targetGroups", ())),
        production=tuple(pair.get("prodTrafficRoute", {}).get("listenerArns", ())),
        test=tuple(pair.get("testTrafficRoute", {}).get("listenerArns", ())),
        alarms=tuple(alarm["name"] for alarm in alarms.get("alarms", ())),
        watches_alarms=alarms.get("enabled", False),
        ignores_unread_alarms=alarms.get("ignorePollAlarmFailure", False),
        rollback=frozenset(rollback.get("events", ())) if rollback.get("enabled") else frozenset(),
        role=one.get("serviceRoleArn", ""),
        services=tuple(f"{service['clusterName']}/{service['serviceName']}" for service in one.get("ecsServices", ())),
    )


def _target_groups(account: Account, service: Service | None, group: Group | None) -> tuple[TargetGroup, ...]:
    elb = account.client("elbv2")
    found = elb.describe_target_groups(Names=list(group.pair))["TargetGroups"] if group and group.pair else []
    known = {one["TargetGroupArn"] for one in found}
    wanted = {arn for arn in (service.target_groups if service else ()) if arn not in known}
    found += elb.describe_target_groups(TargetGroupArns=sorted(wanted))["TargetGroups"] if wanted else []
    return tuple(_target_group(elb, one) for one in found)


def _target_group(elb: Any, one: Mapping[str, Any]) -> TargetGroup:
    health = elb.describe_target_health(TargetGroupArn=one["TargetGroupArn"])["TargetHealthDescriptions"]
    return TargetGroup(
        name=one["TargetGroupName"],
        arn=one["TargetGroupArn"],
        kind=one.get("TargetType", "instance"),
        balancers=tuple(one.get("LoadBalancerArns", ())),
        interval=one.get("HealthCheckIntervalSeconds", 30),
        healthy_threshold=one.get("HealthyThresholdCount", 5),
        states=tuple(target["TargetHealth"]["State"] for target in health),
    )


def _balancers(account: Account, arns: Iterable[str]) -> dict[str, str]:
    wanted = sorted(arns)
    found = account.client("elbv2").describe_load_balancers(LoadBalancerArns=wanted)["LoadBalancers"] if wanted else ()
    return {one["LoadBalancerArn"]: one["Type"] for one in found}


def _routes(account: Account, balancers: Iterable[str]) -> tuple[Route, ...]:
    elb, routes = account.client("elbv2"), []
    for balancer in sorted(balancers):
        for listener in elb.describe_listeners(LoadBalancerArn=balancer)["Listeners"]:
            arn, port = listener["ListenerArn"], listener["Port"]
            for rule in elb.describe_rules(ListenerArn=arn)["Rules"]:
                own = None if rule["IsDefault"] else rule["RuleArn"]
                routes.append(Route(arn, own, port, balancer, _weights(rule["Actions"])))
    return tuple(routes)


def _weights(actions: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    for action in actions:
        if action["Type"] == "forward":
            groups = action.get("ForwardConfig", {}).get("TargetGroups") or [
                {"TargetGroupArn": action["TargetGroupArn"]}
            ]
            return {group["TargetGroupArn"]: group.get("Weight", 1) for group in groups}
    return {}


def _alarms(account: Account, names: tuple[str, ...]) -> tuple[Alarm, ...]:
    if not names:
        return ()
    found = account.client("cloudwatch").describe_alarms(
        AlarmNames=list(names[:MOST_ALARMS]), AlarmTypes=["MetricAlarm", "CompositeAlarm"]
    )
    return tuple(_alarm(one) for one in (*found.get("MetricAlarms", ()), *found.get("CompositeAlarms", ())))


def _alarm(one: Mapping[str, Any]) -> Alarm:
    stats = [query["MetricStat"] for query in one.get("Metrics", ()) if "MetricStat" in query]
    metrics = [(stat["Metric"].get("Dimensions", ()), stat["Period"]) for stat in stats]
    if "MetricName" in one:
        metrics.append((one.get("Dimensions", ()), one.get("Period", 60)))
    dimensions = [{entry["Name"]: entry["Value"] for entry in listed} for listed, _ in metrics]
    return Alarm(
        name=one["AlarmName"],
        state=one["StateValue"],
        period=max((period for _, period in metrics), default=0),
        evaluated=one.get("EvaluationPeriods", 0),
        needed=one.get("DatapointsToAlarm", one.get("EvaluationPeriods", 0)),
        missing=one.get("TreatMissingData", "missing"),
        groups=frozenset(entry["TargetGroup"] for entry in dimensions if "TargetGroup" in entry),
        whole_balancer=any("LoadBalancer" in entry and "TargetGroup" not in entry for entry in dimensions),
    )


def _project(account: Account, name: str) -> Project | None:
    found = account.client("codebuild").batch_get_projects(names=[name])["projects"]
    if not found:
        return None
    environment = found[0]["environment"]
    logs = found[0].get("logsConfig", {}).get("cloudWatchLogs", {})
    return Project(
        name=name,
        privileged=environment.get("privilegedMode", False),
        environment=environment["type"],
        role=found[0]["serviceRole"],
        # Builds write to /aws/codebuild/<project> where the project names no group (CodeBuild user guide).
        logs="" if logs.get("status") == "DISABLED" else logs.get("groupName") or f"/aws/codebuild/{name}",
    )


def _registry(account: Account, name: str) -> Registry:
    ecr = account.client("ecr")
    found = ecr.describe_repositories(repositoryNames=[name])["repositories"][0]
    pages = ecr.get_paginator("describe_images").paginate(repositoryName=name)
    images = [image for page in pages for image in page["imageDetails"]]
    return Registry(
        name=name,
        mutable=found["imageTagMutability"].startswith("MUTABLE"),
        digests=frozenset(image["imageDigest"] for image in images),
        tags=frozenset(tag for image in images for tag in image.get("imageTags", ())),
    )


def _subnets(account: Account, ids: tuple[str, ...]) -> tuple[Subnet, ...]:
    if not ids:
        return ()
    ec2 = account.client("ec2")
    found = ec2.describe_subnets(SubnetIds=list(ids))["Subnets"]
    vpcs = sorted({one["VpcId"] for one in found})
    tables = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": vpcs}])["RouteTables"]
    return tuple(
        Subnet(one["SubnetId"], one["AvailableIpAddressCount"], _way_out(tables, one["SubnetId"], one["VpcId"]))
        for one in found
    )


def _way_out(tables: Iterable[Mapping[str, Any]], subnet: str, vpc: str) -> bool | None:
    own = [table for table in tables if any(a.get("SubnetId") == subnet for a in table.get("Associations", ()))]
    main = [t for t in tables if t["VpcId"] == vpc and any(a.get("Main") for a in t.get("Associations", ()))]
    used = (own or main)[:1]
    routes = [route for table in used for route in table.get("Routes", ())]
    return any(route.get("DestinationCidrBlock") == "0.0.0.0/0" for route in routes) if used else None


def _scaling(account: Account, names: Names) -> Scaling | None:
    found = account.client("application-autoscaling").describe_scalable_targets(
        ServiceNamespace="ecs", ResourceIds=[f"service/{names.cluster}/{names.service}"]
    )["ScalableTargets"]
    if not found:
        return None
    state = found[0].get("SuspendedState", {})
    return Scaling(found[0]["MinCapacity"], found[0]["MaxCapacity"], bool(state) and all(state.values()))


def _active(account: Account, names: Names) -> tuple[Deployment, ...]:
    client = account.client("codedeploy")
    ids = client.list_deployments(
        applicationName=names.application, deploymentGroupName=names.group, includeOnlyStatuses=ACTIVE
    )["deployments"]
    found = (client.get_deployment(deploymentId=id)["deploymentInfo"] for id in ids)
    return tuple(Deployment(one["deploymentId"], one["status"]) for one in found)


def _event_pattern(account: Account, rule: str) -> dict[str, object] | None:
    found = account.client("events").describe_rule(Name=rule)
    pattern: dict[str, object] = json.loads(found["EventPattern"]) if "EventPattern" in found else {}
    return pattern if found["State"] == "ENABLED" else None


def _starter(account: Account, rule: str) -> str | None:
    targets = account.client("events").list_targets_by_rule(Rule=rule)["Targets"]
    return next((target["RoleArn"] for target in targets if "RoleArn" in target), None)


def _stack(account: Account, names: Names, routes: tuple[Route, ...]) -> str | None:
    """The owner that tags name, of the service and of the listeners: what CodeDeploy changes at every release."""
    service = account.arn("ecs", f"service/{names.cluster}/{names.service}")
    for arn in dict.fromkeys((service, *(route.rule or route.listener for route in routes))):
        owner = ownership.owner_of(ownership.read_tags(account, arn))
        if owner:
            return f"{owner} has {arn.rpartition(':')[2]}"
    return None


def _returnable(account: Account, names: Names) -> int:
    client = account.client("codepipeline")
    version = client.get_pipeline(name=names.pipeline)["pipeline"]["version"]
    runs = client.list_pipeline_executions(pipelineName=names.pipeline, maxResults=50)["pipelineExecutionSummaries"]
    good = [run["pipelineExecutionId"] for run in runs if run["status"] == "Succeeded"][:5]
    found = (client.get_pipeline_execution(pipelineName=names.pipeline, pipelineExecutionId=id) for id in good)
    return sum(one["pipelineExecution"]["pipelineVersion"] == version for one in found)


def _pipeline(account: Account, names: Names) -> Pipeline:
    found = account.client("codepipeline").get_pipeline(name=names.pipeline)["pipeline"]
    return Pipeline(f"pipeline {names.pipeline}", found)
