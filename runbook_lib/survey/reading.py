"""Reads an existing service and what it hangs on; every call here only reads.

A part that AWS does not let us read is left out and said so; the service itself must be there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from runbook_lib import ownership
from runbook_lib.documents.imageuri import image_uri
from runbook_lib.documents.pipeline.structure import BLUE_GREEN, ROLLING, Action, actions
from runbook_lib.errors import BadInput, Refused
from runbook_lib.suggest import did_you_mean
from runbook_lib.survey.found import (
    Definition,
    Found,
    Group,
    Listener,
    Part,
    Pipeline,
    Scaling,
    Source,
    TargetGroup,
)

if TYPE_CHECKING:
    from runbook_lib.account import Account

MOST_LISTED = 300  # pipelines, and deployment groups, that are looked through for the one of a service


def read_existing(account: Account, *, cluster: str, service: str, pipeline: str | None = None) -> Found:
    """The service of that name with everything around it; raises BadInput with near names where there is none."""
    told = _service(account, _cluster(account, cluster), service)
    reader = _Reader(account)
    found = _base(account, told, cluster)
    delivery = _named_pipeline(account, found, pipeline) if pipeline else reader.read("pipelines", _pipeline_of, found)
    found = replace(found, pipeline=delivery)
    if not found.rolls:
        found = replace(found, group=reader.read("deployment groups", _group_of, found))
    arns = [balancer["targetGroupArn"] for balancer in _balancers(told) if "targetGroupArn" in balancer]
    found = reader.read("load balancer", _with_balancer, found, arns) or found
    found = replace(found, vpc=reader.read("subnets", _vpc, found) or "")
    found = replace(found, scaling=reader.read("scaling", _scaling, found))
    found = replace(found, roles=_roles(found, reader.read("roles", _other_roles, found) or {}))
    parts = tuple(reader.owned(part) for part in _parts(found))
    return replace(found, parts=parts, unread=tuple(dict.fromkeys(reader.unread)))


class _Reader:
    """Reads part after part, and keeps in words what AWS did not let us read."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.unread: list[str] = []
        self.stacks = True  # whether CloudFormation answers

    def read(self, what: str, read: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return read(self.account, *arguments)
        except (ClientError, BotoCoreError) as error:
            self.unread.append(f"{what}: {_words(error)}")
            return None

    def owned(self, part: Part) -> Part:
        tags = self.read(f"tags of {part.kind} {part.name}", ownership.read_tags, part.arn) or {}
        return replace(part, owner=ownership.owner_of(tags) or self._stack(part))

    def _stack(self, part: Part) -> str | None:
        """The stack that made a resource, as CloudFormation itself says; not every resource bears its tags."""
        if not self.stacks:
            return None
        try:
            found = self.account.client("cloudformation").describe_stack_resources(PhysicalResourceId=_physical(part))
        except (ClientError, BotoCoreError) as error:
            # ValidationError: no stack has it. Anything else would be said again for every resource.
            if not isinstance(error, ClientError) or error.response["Error"]["Code"] != "ValidationError":
                self.stacks = False
                self.unread.append(f"stacks, beyond what tags say: {_words(error)}")
            return None
        names = [resource["StackName"] for resource in found.get("StackResources", ())]
        return f"the CloudFormation stack {names[0]}" if names else None


def _words(error: Exception) -> str:
    if isinstance(error, ClientError):
        told = error.response["Error"]
        return f"{error.operation_name} {told['Code']}: {told.get('Message', '')}"
    return str(error)


def _physical(part: Part) -> str:
    """How CloudFormation names a resource: by ARN where the service does, else by its name."""
    by_arn = ("service", "load balancer", "listener", "target group", "rule of a listener")
    return part.arn if part.kind in by_arn else part.name.rpartition("/")[2]


# ---- the service


def _cluster(account: Account, name: str) -> str:
    ecs = account.client("ecs")
    found = [one for one in ecs.describe_clusters(clusters=[name])["clusters"] if one["status"] == "ACTIVE"]
    if found:
        return name
    pages = ecs.get_paginator("list_clusters").paginate()
    raise _no("cluster", name, (_last(arn) for page in pages for arn in page["clusterArns"]), f"account {account.id}")


def _service(account: Account, cluster: str, name: str) -> Mapping[str, Any]:
    ecs = account.client("ecs")
    answer = ecs.describe_services(cluster=cluster, services=[name], include=["TAGS"])["services"]
    found = [one for one in answer if one["status"] != "INACTIVE"]
    if not found:
        pages = ecs.get_paginator("list_services").paginate(cluster=cluster)
        names = (_last(arn) for page in pages for arn in page["serviceArns"])
        raise _no("service", name, names, f"cluster {cluster}")
    controller = found[0].get("deploymentController", {}).get("type", "ECS")
    if controller == "EXTERNAL":
        raise Refused(
            where=f"service {name}",
            seen="the deployment controller EXTERNAL",
            wanted="ECS or CODE_DEPLOY",
            next_step="a service that another tool deploys stays with that tool; name another service",
        )
    told: Mapping[str, Any] = found[0]
    return told


def _no(what: str, name: str, known: Iterable[str], where: str) -> BadInput:
    names = sorted(known)
    listed = f"there are {', '.join(names[:10])}" if names else f"there is no {what} at all: mind account and region"
    remedy = did_you_mean(name, names, otherwise=listed)
    return BadInput(where=where, seen=f"no {what} {name}", wanted=f"the name of a {what}", next_step=remedy)


def _base(account: Account, told: Mapping[str, Any], cluster: str) -> Found:
    definition = _definition(account, _revision(told))
    balancers = _balancers(told)
    ports, network = balancers[0] if balancers else {}, _network(told)
    return Found(
        account=account.id,
        region=account.region,
        partition=account.partition,
        cluster=cluster.rpartition("/")[2],
        service=told["serviceName"],
        controller=told.get("deploymentController", {}).get("type", "ECS"),
        desired=told["desiredCount"],
        running=told["runningCount"],
        container=ports.get("containerName") or definition.containers[0],
        port=ports.get("containerPort", 0),
        grace=told.get("healthCheckGracePeriodSeconds", 0),
        definition=definition,
        subnets=tuple(network.get("subnets", ())),
        security_groups=tuple(network.get("securityGroups", ())),
        public_ip=network.get("assignPublicIp") == "ENABLED",
    )


def _primary(told: Mapping[str, Any]) -> Mapping[str, Any]:
    """The task set that serves production; empty on a service with rolling deployments."""
    return next((one for one in told.get("taskSets", ()) if one["status"] == "PRIMARY"), {})


def _revision(told: Mapping[str, Any]) -> str:
    return str(_primary(told).get("taskDefinition") or told["taskDefinition"])


def _balancers(told: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(_primary(told).get("loadBalancers") or told.get("loadBalancers", ()))


def _network(told: Mapping[str, Any]) -> Mapping[str, Any]:
    network = _primary(told).get("networkConfiguration") or told.get("networkConfiguration", {})
    return network.get("awsvpcConfiguration", {})


def _vpc(account: Account, found: Found) -> str:
    if not found.subnets:
        return ""
    told = account.client("ec2").describe_subnets(SubnetIds=list(found.subnets[:1]))["Subnets"]
    return str(told[0]["VpcId"])


def _definition(account: Account, arn: str) -> Definition:
    found = account.client("ecs").describe_task_definition(taskDefinition=arn)["taskDefinition"]
    containers = found["containerDefinitions"]
    logs = containers[0].get("logConfiguration", {}).get("options", {})
    return Definition(
        arn=found["taskDefinitionArn"],
        family=found["family"],
        cpu=found.get("cpu", ""),
        memory=found.get("memory", ""),
        containers=tuple(container["name"] for container in containers),
        image=containers[0]["image"],
        execution_role=found.get("executionRoleArn", ""),
        task_role=found.get("taskRoleArn", ""),
        log_group=logs.get("awslogs-group", ""),
    )


# ---- the pipeline


def _named_pipeline(account: Account, found: Found, name: str) -> Pipeline:
    client = account.client("codepipeline")
    try:
        definition = client.get_pipeline(name=name)["pipeline"]
    except client.exceptions.PipelineNotFoundException:
        raise _no("pipeline", name, _pipeline_names(account), f"account {account.id}") from None
    deploying = [action for action in actions(definition) if action.provider in (ROLLING, BLUE_GREEN)]
    if not any(_deploys_to(account, action, found) for action in deploying):
        seen = ", ".join(_target(action) for action in deploying) or "no action that deploys to ECS"
        raise BadInput(
            where=f"pipeline {name}",
            seen=f"it deploys to {seen}" if deploying else seen,
            wanted=f"a pipeline that deploys to {found.cluster}/{found.service}",
            next_step="name the right one, or leave --pipeline out: then it is looked for",
        )
    return _pipeline(account, definition, found)


def _pipeline_names(account: Account) -> list[str]:
    pages = account.client("codepipeline").get_paginator("list_pipelines").paginate()
    return [one["name"] for page in pages for one in page["pipelines"]]


def _pipeline_of(account: Account, found: Found) -> Pipeline | None:
    """The one pipeline that deploys to the service, None without one; raises BadInput when there are several."""
    names = _pipeline_names(account)
    if len(names) > MOST_LISTED:
        raise BadInput(
            where=f"account {account.id}",
            seen=f"{len(names)} pipelines",
            wanted=f"at most {MOST_LISTED} to look through",
            next_step="name the pipeline of the service: --pipeline NAME",
        )
    client = account.client("codepipeline")
    definitions = (client.get_pipeline(name=name)["pipeline"] for name in names)
    mine = [d for d in definitions if any(_deploys_to(account, action, found) for action in actions(d))]
    if len(mine) > 1:
        raise BadInput(
            where=f"service {found.service}",
            seen=f"{len(mine)} pipelines deploy to it: {', '.join(one['name'] for one in mine)}",
            wanted="one of them",
            next_step="name it: --pipeline NAME",
        )
    return _pipeline(account, mine[0], found) if mine else None


def _deploys_to(account: Account, action: Action, found: Found) -> bool:
    told = action.configuration
    if action.provider == ROLLING:
        return (told.get("ClusterName"), told.get("ServiceName")) == (found.cluster, found.service)
    if action.provider != BLUE_GREEN or found.rolls:
        return False
    group = _group(account, str(told.get("ApplicationName", "")), str(told.get("DeploymentGroupName", "")))
    return group is not None and _serves(group, found)


def _target(action: Action) -> str:
    return "/".join(_named(action))


def _named(action: Action) -> tuple[str, str]:
    keys = ("ClusterName", "ServiceName") if action.provider == ROLLING else ("ApplicationName", "DeploymentGroupName")
    return str(action.configuration.get(keys[0], "?")), str(action.configuration.get(keys[1], "?"))


def _pipeline(account: Account, definition: Mapping[str, Any], found: Found) -> Pipeline:
    listed = list(actions(definition))
    deploying = next(action for action in listed if _deploys_to(account, action, found))
    built = {artifact: action for action in listed if action.provider == "CodeBuild" for artifact in action.outputs}
    build = next((built[artifact] for artifact in deploying.inputs if artifact in built), None)
    source = next((action for action in listed if action.category == "Source"), None)
    stores = definition.get("artifactStores", {})
    store: Mapping[str, Any] = definition.get("artifactStore") or stores.get(account.region, {})
    name = definition["name"]
    return Pipeline(
        name=name,
        role=definition["roleArn"],
        bucket=store.get("location", ""),
        kind=definition.get("pipelineType", "V1"),
        mode=definition.get("executionMode", "SUPERSEDED"),
        deploys_by=deploying.provider,
        deploys_to=_named(deploying),
        source=_source(source) if source else None,
        project=str(build.configuration.get("ProjectName", "")) if build else "",
        placeholder=str(deploying.configuration.get("Image1ContainerName", "")),
        rules=tuple(
            account.client("events").list_rule_names_by_target(TargetArn=account.arn("codepipeline", name))["RuleNames"]
        ),
    )


def _source(action: Action) -> Source:
    told = {key: str(value) for key, value in action.configuration.items()}
    return Source(
        provider=action.provider,
        repository=told.get("RepositoryName") or told.get("FullRepositoryId") or told.get("Repo", ""),
        branch=told.get("BranchName") or told.get("Branch", ""),
        connection=told.get("ConnectionArn", ""),
        artifact=told.get("OutputArtifactFormat", ""),
    )


# ---- CodeDeploy


def _group_of(account: Account, found: Found) -> Group | None:
    """The deployment group of the service, by the pipeline where that names it, else looked for."""
    if found.pipeline and found.pipeline.deploys_by == BLUE_GREEN:
        named = _group(account, *found.pipeline.deploys_to)
        return _read_group(account, named) if named else None
    return next((_read_group(account, told) for told in _groups(account) if _serves(told, found)), None)


def _groups(account: Account) -> Iterator[Mapping[str, Any]]:
    client = account.client("codedeploy")
    pages = client.get_paginator("list_applications").paginate()
    looked = 0
    for application in (name for page in pages for name in page["applications"]):
        listed = client.get_paginator("list_deployment_groups").paginate(applicationName=application)
        names = [name for page in listed for name in page["deploymentGroups"]]
        looked += len(names)
        if looked > MOST_LISTED:
            raise BadInput(
                where=f"account {account.id}",
                seen=f"more than {MOST_LISTED} deployment groups",
                wanted=f"at most {MOST_LISTED} to look through",
                next_step="name the pipeline of the service, whose action names the group: --pipeline NAME",
            )
        for start in range(0, len(names), 100):  # BatchGetDeploymentGroups takes at most a hundred
            asked = names[start : start + 100]
            yield from client.batch_get_deployment_groups(applicationName=application, deploymentGroupNames=asked)[
                "deploymentGroupsInfo"
            ]


def _group(account: Account, application: str, name: str) -> Mapping[str, Any] | None:
    client = account.client("codedeploy")
    try:
        found = client.get_deployment_group(applicationName=application, deploymentGroupName=name)
    except (
        client.exceptions.ApplicationDoesNotExistException,
        client.exceptions.DeploymentGroupDoesNotExistException,
    ):
        return None
    told: Mapping[str, Any] = found["deploymentGroupInfo"]
    return told


def _serves(told: Mapping[str, Any], found: Found) -> bool:
    return {"serviceName": found.service, "clusterName": found.cluster} in told.get("ecsServices", ())


def _read_group(account: Account, told: Mapping[str, Any]) -> Group:
    pairs = told.get("loadBalancerInfo", {}).get("targetGroupPairInfoList") or [{}]
    waits = told.get("blueGreenDeploymentConfiguration", {})
    config = told.get("deploymentConfigName", "")
    client = account.client("codedeploy")
    routing = client.get_deployment_config(deploymentConfigName=config)["deploymentConfigInfo"] if config else {}
    return Group(
        application=told["applicationName"],
        name=told["deploymentGroupName"],
        role=told["serviceRoleArn"],
        config=config,
        routing=routing.get("trafficRoutingConfig", {}),
        ready_wait=waits.get("deploymentReadyOption", {}).get("waitTimeInMinutes", 0),
        termination_wait=waits.get("terminateBlueInstancesOnDeploymentSuccess", {}).get(
            "terminationWaitTimeInMinutes", 0
        ),
        pair=tuple(group["name"] for group in pairs[0].get("targetGroups", ())),
        production=next(iter(pairs[0].get("prodTrafficRoute", {}).get("listenerArns", ())), ""),
        test=next(iter(pairs[0].get("testTrafficRoute", {}).get("listenerArns", ())), ""),
        alarms=tuple(alarm["name"] for alarm in told.get("alarmConfiguration", {}).get("alarms", ())),
    )


# ---- the load balancer


def _with_balancer(account: Account, found: Found, arns: list[str]) -> Found:
    elb = account.client("elbv2")
    pair = list(found.group.pair) if found.group else []
    told = elb.describe_target_groups(TargetGroupArns=arns)["TargetGroups"] if arns else []
    known = {one["TargetGroupName"] for one in told}
    others = [name for name in pair if name not in known]
    told += elb.describe_target_groups(Names=others)["TargetGroups"] if others else []
    if not told:
        return found
    groups = tuple(_target_group(elb, one) for one in told)
    balancers = list(dict.fromkeys(arn for one in told for arn in one.get("LoadBalancerArns", ())))
    if not balancers:
        return replace(found, target_groups=groups)
    first = elb.describe_load_balancers(LoadBalancerArns=balancers[:1])["LoadBalancers"][0]
    return replace(
        found,
        balancer=first["LoadBalancerName"],
        balancer_arn=first["LoadBalancerArn"],
        target_groups=groups,
        listeners=tuple(_listeners(elb, first["LoadBalancerArn"], {one.arn: one.name for one in groups})),
    )


def _target_group(elb: Any, told: Mapping[str, Any]) -> TargetGroup:
    targets = elb.describe_target_health(TargetGroupArn=told["TargetGroupArn"])["TargetHealthDescriptions"]
    states = [target["TargetHealth"]["State"] for target in targets]
    return TargetGroup(told["TargetGroupName"], told["TargetGroupArn"], told, states.count("healthy"), len(states))


def _listeners(elb: Any, balancer: str, names: Mapping[str, str]) -> Iterator[Listener]:
    pages = elb.get_paginator("describe_listeners").paginate(LoadBalancerArn=balancer)
    for told in (one for page in pages for one in page["Listeners"]):
        for rule in elb.describe_rules(ListenerArn=told["ListenerArn"])["Rules"]:
            weights = _weights(rule["Actions"], names)
            if weights:
                certificate = next((one["CertificateArn"] for one in told.get("Certificates", ())), "")
                own = "" if rule["IsDefault"] else rule["RuleArn"]
                yield Listener(told["ListenerArn"], told["Port"], told["Protocol"], certificate, weights, own)


def _weights(listed: Iterable[Mapping[str, Any]], names: Mapping[str, str]) -> dict[str, int]:
    """The weights of the groups that we know; empty when a rule leads elsewhere."""
    for action in listed:
        if action["Type"] == "forward":
            told = action.get("ForwardConfig", {}).get("TargetGroups") or [{"TargetGroupArn": action["TargetGroupArn"]}]
            return {
                names[group["TargetGroupArn"]]: group.get("Weight", 1)
                for group in told
                if group["TargetGroupArn"] in names
            }
    return {}


# ---- scaling, roles, owners


def _scaling(account: Account, found: Found) -> Scaling | None:
    client, resource = account.client("application-autoscaling"), f"service/{found.cluster}/{found.service}"
    told = client.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=[resource])["ScalableTargets"]
    if not told:
        return None
    policies = client.describe_scaling_policies(ServiceNamespace="ecs", ResourceId=resource)["ScalingPolicies"]
    names = tuple(policy["PolicyName"] for policy in policies)
    return Scaling(told[0]["MinCapacity"], told[0]["MaxCapacity"], names)


def _roles(found: Found, others: Mapping[str, str]) -> dict[str, str]:
    delivery, group, definition = found.pipeline, found.group, found.definition
    roles = {
        "execution": definition.execution_role,
        "task": definition.task_role,
        "pipeline": delivery.role if delivery else "",
        "deploy": group.role if group else "",
        **others,
    }
    return {purpose: arn for purpose, arn in roles.items() if arn}


def _other_roles(account: Account, found: Found) -> dict[str, str]:
    """The roles that only the parts themselves name: of the build project, and of the rule that starts the pipeline."""
    if found.pipeline is None:
        return {}
    roles = {}
    if found.pipeline.project:
        projects = account.client("codebuild").batch_get_projects(names=[found.pipeline.project])["projects"]
        roles["build"] = projects[0]["serviceRole"] if projects else ""
    for rule in found.pipeline.rules[:1]:
        targets = account.client("events").list_targets_by_rule(Rule=rule)["Targets"]
        roles["events"] = next((target["RoleArn"] for target in targets if "RoleArn" in target), "")
    return roles


def _parts(found: Found) -> Iterator[Part]:
    """Every resource that a plan of the runbooks could change, with its ARN."""

    def arn(service: str, resource: str) -> str:
        return f"arn:{found.partition}:{service}:{found.region}:{found.account}:{resource}"

    yield Part("cluster", found.cluster, arn("ecs", f"cluster/{found.cluster}"))
    yield Part("service", found.service, arn("ecs", f"service/{found.cluster}/{found.service}"))
    if found.balancer_arn:
        yield Part("load balancer", found.balancer, found.balancer_arn)
    for listener in found.listeners:
        kind, own = ("rule of a listener", listener.rule) if listener.rule else ("listener", listener.arn)
        yield Part(kind, f":{listener.port}", own)
    for group in found.target_groups:
        yield Part("target group", group.name, group.arn)
    if found.group:
        one = found.group
        yield Part("CodeDeploy application", one.application, arn("codedeploy", f"application:{one.application}"))
        yield Part("deployment group", one.name, arn("codedeploy", f"deploymentgroup:{one.application}/{one.name}"))
        for alarm in one.alarms:
            yield Part("alarm", alarm, arn("cloudwatch", f"alarm:{alarm}"))
    yield from _delivery_parts(found, arn)
    for role in dict.fromkeys(found.roles.values()):
        yield Part("role", _last(role), role)
    if found.definition.log_group:
        yield Part("log group", found.definition.log_group, arn("logs", f"log-group:{found.definition.log_group}"))
    image = image_uri(found.definition.image)
    if image and image.account:
        place = f"arn:{found.partition}:ecr:{image.region}:{image.account}:repository/{image.repository}"
        yield Part("registry", image.repository, place)


def _delivery_parts(found: Found, arn: Callable[[str, str], str]) -> Iterator[Part]:
    delivery = found.pipeline
    if delivery is None:
        return
    yield Part("pipeline", delivery.name, arn("codepipeline", delivery.name))
    if delivery.project:
        yield Part("build project", delivery.project, arn("codebuild", f"project/{delivery.project}"))
    for rule in delivery.rules:
        yield Part("event rule", rule, arn("events", f"rule/{rule}"))
    if delivery.bucket:
        yield Part("bucket", delivery.bucket, f"arn:{found.partition}:s3:::{delivery.bucket}")
    if delivery.source and delivery.source.provider == "CodeCommit":
        yield Part("repository", delivery.source.repository, arn("codecommit", delivery.source.repository))


def _last(arn: str) -> str:
    return arn.rpartition("/")[2]
