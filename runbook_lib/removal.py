"""How each kind of resource is removed: the steps that are still needed, or none when it is gone already."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from runbook_lib.account import Account
from runbook_lib.inventory import Item
from runbook_lib.planning import change
from runbook_lib.step import Step, Until
from runbook_lib.system import System

UNDO = "not reversible: provision again"
OBJECTS_A_CALL = 1000  # S3 DeleteObjects


@dataclass(frozen=True)
class Removal:
    """An item of the inventory that is to go, with the account to look at."""

    account: Account
    system: System
    item: Item

    def step(self, call: str, arguments: Mapping[str, Any], title: str = "", **more: Any) -> Step:
        """One step of the removal."""
        name = call.partition(":")[2]
        return change(
            f"remove.{self.item.kind}.{self.item.name}.{name}",
            title or f"Delete {self.item.name}",
            call,
            arguments,
            touches=self.item.name,
            needed="it was made by the runbooks",
            undo=UNDO,
            **more,
        )

    def done(self, steps: Iterable[Step]) -> list[Step]:
        """The steps, the last of which strikes the item; a single "gone already" when there are none."""
        found = list(steps)
        if not found:
            gone = change(
                f"remove.{self.item.kind}.{self.item.name}",
                f"Delete {self.item.name}",
                f"{self.item.kind}",
                {},
                touches=self.item.name,
                needed=None,
                already="it is gone already",
                undo=UNDO,
            )
            return [replace(gone, gone=self.item)]
        return [*found[:-1], replace(found[-1], gone=self.item)]

    def client(self, service: str) -> Any:
        return self.account.client(service)


def _there(read: Callable[[], Any], *codes: str) -> Any:
    """What a read answers, None when its error is one of the codes that mean "not there"."""
    from botocore.exceptions import ClientError

    try:
        return read()
    except ClientError as error:
        if error.response["Error"]["Code"] in codes:
            return None
        raise


def _rule(it: Removal) -> list[Step]:
    name, events = it.item.name, it.client("events")
    if not _there(lambda: events.describe_rule(Name=name), "ResourceNotFoundException"):
        return it.done([])
    targets = [target["Id"] for target in events.list_targets_by_rule(Rule=name)["Targets"]]
    steps = [it.step("events:remove_targets", {"Rule": name, "Ids": targets}, "Take its targets")] if targets else []
    return it.done([*steps, it.step("events:delete_rule", {"Name": name})])


def _pipeline(it: Removal) -> list[Step]:
    client, name = it.client("codepipeline"), it.item.name
    there = _there(lambda: client.get_pipeline(name=name), "PipelineNotFoundException")
    return it.done([it.step("codepipeline:delete_pipeline", {"name": name})] if there else [])


def _group(it: Removal) -> list[Step]:
    names = {"applicationName": it.system.deploy_application, "deploymentGroupName": it.item.name}
    missing = ("DeploymentGroupDoesNotExistException", "ApplicationDoesNotExistException")
    there = _there(lambda: it.client("codedeploy").get_deployment_group(**names), *missing)
    return it.done([it.step("codedeploy:delete_deployment_group", names)] if there else [])


def _config(it: Removal) -> list[Step]:
    name = {"deploymentConfigName": it.item.name}
    client = it.client("codedeploy")
    there = _there(lambda: client.get_deployment_config(**name), "DeploymentConfigDoesNotExistException")
    return it.done([it.step("codedeploy:delete_deployment_config", name)] if there else [])


def _application(it: Removal) -> list[Step]:
    name = {"applicationName": it.item.name}
    there = _there(lambda: it.client("codedeploy").get_application(**name), "ApplicationDoesNotExistException")
    return it.done([it.step("codedeploy:delete_application", name)] if there else [])


def _service(it: Removal) -> list[Step]:
    found = _ecs_service(it)
    if found is None or found["status"] == "INACTIVE":
        return it.done([])
    both = {"cluster": it.system.cluster, "service": it.item.name}
    return it.done(
        [
            it.step("ecs:update_service", {**both, "desiredCount": 0}, "Stop its tasks"),
            it.step("ecs:delete_service", {**both, "force": True}, until=_until(it, "is gone", _service_left)),
        ]
    )


def _ecs_service(it: Removal) -> dict[str, Any] | None:
    ecs = it.client("ecs")
    answer = _there(
        lambda: ecs.describe_services(cluster=it.system.cluster, services=[it.item.name]), "ClusterNotFoundException"
    )
    return next(iter(answer["services"]), None) if answer else None


def _service_left(it: Removal) -> str | None:
    found = _ecs_service(it)
    return None if found is None or found["status"] == "INACTIVE" else f"it is {found['status']}"


def _cluster(it: Removal) -> list[Step]:
    found = it.client("ecs").describe_clusters(clusters=[it.item.name])["clusters"]
    there = any(cluster["status"] == "ACTIVE" for cluster in found)
    return it.done([it.step("ecs:delete_cluster", {"cluster": it.item.name})] if there else [])


def _family(it: Removal) -> list[Step]:
    pages = it.client("ecs").get_paginator("list_task_definitions").paginate(familyPrefix=it.item.name)
    arns = [arn for page in pages for arn in page["taskDefinitionArns"]]
    ours = [arn for arn in arns if arn.rpartition("/")[2].rpartition(":")[0] == it.item.name]
    steps = [
        replace(
            it.step("ecs:deregister_task_definition", {"taskDefinition": arn}, f"Retire {arn.rpartition('/')[2]}"),
            id=f"remove.ecs:family.{arn.rpartition('/')[2]}",
        )
        for arn in ours
    ]
    return it.done(steps)


def _listener(it: Removal) -> list[Step]:
    arn = it.item.id
    elb = it.client("elbv2")
    there = arn and _there(lambda: elb.describe_listeners(ListenerArns=[arn]), "ListenerNotFound")
    return it.done([it.step("elbv2:delete_listener", {"ListenerArn": arn})] if there else [])


def stop_access_log(it: Removal) -> list[Step]:
    """The step that ends the log of a load balancer: files that still came would keep their bucket from going."""
    found, key = _described_balancer(it), "access_logs.s3.enabled"
    if not found:
        return []
    arn = {"LoadBalancerArn": found["LoadBalancers"][0]["LoadBalancerArn"]}
    told = it.client("elbv2").describe_load_balancer_attributes(**arn)["Attributes"]
    if {"Key": key, "Value": "true"} not in told:
        return []
    off = {**arn, "Attributes": [{"Key": key, "Value": "false"}]}
    step = it.step("elbv2:modify_load_balancer_attributes", off, "Stop its access log")
    return [replace(step, id=f"remove.{it.item.kind}.{it.item.name}.access_log")]


def _load_balancer(it: Removal) -> list[Step]:
    found = _described_balancer(it)
    if not found:
        return it.done([])
    arn = found["LoadBalancers"][0]["LoadBalancerArn"]
    return it.done(
        [
            it.step(
                "elbv2:modify_load_balancer_attributes",
                {"LoadBalancerArn": arn, "Attributes": [{"Key": "deletion_protection.enabled", "Value": "false"}]},
                "Stop its protection",
            ),
            it.step(
                "elbv2:delete_load_balancer", {"LoadBalancerArn": arn}, until=_until(it, "is gone", _balancer_left)
            ),
        ]
    )


def _described_balancer(it: Removal) -> Any:
    elb = it.client("elbv2")
    return _there(lambda: elb.describe_load_balancers(Names=[it.item.name]), "LoadBalancerNotFound")


def _balancer_left(it: Removal) -> str | None:
    return "it is still there" if _described_balancer(it) else None


def _target_group(it: Removal) -> list[Step]:
    elb = it.client("elbv2")
    found = _there(lambda: elb.describe_target_groups(Names=[it.item.name]), "TargetGroupNotFound")
    arn = found["TargetGroups"][0]["TargetGroupArn"] if found else None
    return it.done([it.step("elbv2:delete_target_group", {"TargetGroupArn": arn})] if arn else [])


def _alarm(it: Removal) -> list[Step]:
    found = it.client("cloudwatch").describe_alarms(AlarmNames=[it.item.name])["MetricAlarms"]
    return it.done([it.step("cloudwatch:delete_alarms", {"AlarmNames": [it.item.name]})] if found else [])


def _project(it: Removal) -> list[Step]:
    found = it.client("codebuild").batch_get_projects(names=[it.item.name])["projects"]
    return it.done([it.step("codebuild:delete_project", {"name": it.item.name})] if found else [])


def _registry(it: Removal) -> list[Step]:
    ecr, name = it.client("ecr"), it.item.name
    there = _there(lambda: ecr.describe_repositories(repositoryNames=[name]), "RepositoryNotFoundException")
    return it.done([it.step("ecr:delete_repository", {"repositoryName": name, "force": True})] if there else [])


def _repository(it: Removal) -> list[Step]:
    name = {"repositoryName": it.item.name}
    there = _there(lambda: it.client("codecommit").get_repository(**name), "RepositoryDoesNotExistException")
    return it.done([it.step("codecommit:delete_repository", name)] if there else [])


def _bucket(it: Removal) -> list[Step]:
    s3, name = it.client("s3"), it.item.name
    if not _there(lambda: s3.head_bucket(Bucket=name) or True, "404", "NoSuchBucket"):
        return it.done([])
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=name)
    found = [
        {"Key": version["Key"], "VersionId": version["VersionId"]}
        for page in pages
        for version in (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))
    ]
    steps = []
    for start in range(0, len(found), OBJECTS_A_CALL):
        some = found[start : start + OBJECTS_A_CALL]
        step = it.step(
            "s3:delete_objects",
            {"Bucket": name, "Delete": {"Objects": some}},
            f"Delete {len(some)} versions of objects",
        )
        steps.append(replace(step, id=f"{step.id}.{start}"))
    return it.done([*steps, it.step("s3:delete_bucket", {"Bucket": name})])


def _log_group(it: Removal) -> list[Step]:
    found = it.client("logs").describe_log_groups(logGroupNamePrefix=it.item.name)["logGroups"]
    there = any(group["logGroupName"] == it.item.name for group in found)
    return it.done([it.step("logs:delete_log_group", {"logGroupName": it.item.name})] if there else [])


def _role(it: Removal) -> list[Step]:
    iam, name = it.client("iam"), {"RoleName": it.item.name}
    if not _there(lambda: iam.get_role(**name), "NoSuchEntity"):
        return it.done([])
    steps = [
        replace(
            it.step("iam:delete_role_policy", {**name, "PolicyName": policy}, f"Take its policy {policy}"),
            id=f"remove.iam:role.{it.item.name}.{policy}",
        )
        for policy in iam.list_role_policies(**name)["PolicyNames"]
    ]
    steps += [
        replace(
            it.step("iam:detach_role_policy", {**name, "PolicyArn": p["PolicyArn"]}, f"Take {p['PolicyName']}"),
            id=f"remove.iam:role.{it.item.name}.{p['PolicyName']}",
        )
        for p in iam.list_attached_role_policies(**name)["AttachedPolicies"]
    ]
    return it.done([*steps, it.step("iam:delete_role", name)])


def _nat_gateway(it: Removal) -> list[Step]:
    return it.done(
        [it.step("ec2:delete_nat_gateway", {"NatGatewayId": it.item.id}, until=_until(it, "is deleted", _nat_left))]
        if _nat_left(it)
        else []
    )


def _nat_left(it: Removal) -> str | None:
    ec2, nat = it.client("ec2"), it.item.id
    found = nat and _there(lambda: ec2.describe_nat_gateways(NatGatewayIds=[nat]), "NatGatewayNotFound")
    states = [gateway["State"] for gateway in found["NatGateways"] if gateway["State"] != "deleted"] if found else []
    return f"it is {states[0]}" if states else None


def _address(it: Removal) -> list[Step]:
    ec2, name = it.client("ec2"), it.item.id
    there = name and _there(lambda: ec2.describe_addresses(AllocationIds=[name]), "InvalidAllocationID.NotFound")
    return it.done([it.step("ec2:release_address", {"AllocationId": name})] if there else [])


def _security_group(it: Removal) -> list[Step]:
    ec2, group = it.client("ec2"), it.item.id
    found = group and _there(lambda: ec2.describe_security_groups(GroupIds=[group]), "InvalidGroup.NotFound")
    if not found:
        return it.done([])
    permissions = found["SecurityGroups"][0]["IpPermissions"]
    # Groups that name each other cannot be deleted: the rules go first.
    revoke = {"GroupId": group, "IpPermissions": permissions}
    steps = [it.step("ec2:revoke_security_group_ingress", revoke, "Take its rules")] if permissions else []
    return it.done([*steps, it.step("ec2:delete_security_group", {"GroupId": group})])


def _subnet(it: Removal) -> list[Step]:
    ec2, subnet = it.client("ec2"), it.item.id
    there = subnet and _there(lambda: ec2.describe_subnets(SubnetIds=[subnet]), "InvalidSubnetID.NotFound")
    return it.done([it.step("ec2:delete_subnet", {"SubnetId": subnet})] if there else [])


def _route_table(it: Removal) -> list[Step]:
    ec2, name = it.client("ec2"), it.item.id
    found = name and _there(lambda: ec2.describe_route_tables(RouteTableIds=[name]), "InvalidRouteTableID.NotFound")
    if not found:
        return it.done([])
    links = [link["RouteTableAssociationId"] for link in found["RouteTables"][0]["Associations"]]
    steps = [
        replace(
            it.step("ec2:disassociate_route_table", {"AssociationId": link}, "Unlink a subnet"),
            id=f"remove.ec2:route-table.{it.item.name}.{number}",
        )
        # Subnets go first and may have taken the link with them.
        for number, link in enumerate(links)
    ]
    tolerant = [replace(step, accept=("InvalidAssociationID.NotFound",)) for step in steps]
    return it.done([*tolerant, it.step("ec2:delete_route_table", {"RouteTableId": name})])


def _internet_gateway(it: Removal) -> list[Step]:
    ec2, name = it.client("ec2"), it.item.id
    found = name and _there(
        lambda: ec2.describe_internet_gateways(InternetGatewayIds=[name]), "InvalidInternetGatewayID.NotFound"
    )
    if not found:
        return it.done([])
    attached = [link["VpcId"] for link in found["InternetGateways"][0]["Attachments"]]
    steps = [
        it.step("ec2:detach_internet_gateway", {"InternetGatewayId": name, "VpcId": vpc}, "Detach it")
        for vpc in attached
    ]
    return it.done([*steps, it.step("ec2:delete_internet_gateway", {"InternetGatewayId": name})])


def _vpc(it: Removal) -> list[Step]:
    ec2, name = it.client("ec2"), it.item.id
    there = name and _there(lambda: ec2.describe_vpcs(VpcIds=[name]), "InvalidVpcID.NotFound")
    return it.done([it.step("ec2:delete_vpc", {"VpcId": name})] if there else [])


def _function(it: Removal) -> list[Step]:
    """A Lambda function, with the log group that Lambda made for it."""
    there = _there(lambda: it.client("lambda").get_function(FunctionName=it.item.name), "ResourceNotFoundException")
    group = f"/aws/lambda/{it.item.name}"
    logs = [one["logGroupName"] for one in it.client("logs").describe_log_groups(logGroupNamePrefix=group)["logGroups"]]
    steps = [it.step("logs:delete_log_group", {"logGroupName": group}, "Delete its log")] if group in logs else []
    return it.done([*steps, *([it.step("lambda:delete_function", {"FunctionName": it.item.name})] if there else [])])


def _athena_database(it: Removal) -> list[Step]:
    """With its tables; their objects in S3 stay, for the tables are external."""
    from runbook_lib.accesslog.athena import statement, table_place

    group, name = table_place(it.item.name)
    read = lambda: it.client("athena").get_database(CatalogName="AwsDataCatalog", DatabaseName=name)  # noqa: E731
    if not _there(read, "MetadataException"):
        return it.done([])
    drop = statement(it.item.name, f"Drop the database {name}", f"DROP DATABASE IF EXISTS `{name}` CASCADE", group)
    reason = "it was made by the runbooks"
    return it.done([replace(drop, id=f"remove.{it.item.kind}.{name}", reason=reason, undo=UNDO)])


def _work_group(it: Removal) -> list[Step]:
    found = it.client("athena").list_work_groups()["WorkGroups"]  # one page holds 50
    name = {"WorkGroup": it.item.name, "RecursiveDeleteOption": True}
    there = any(group["Name"] == it.item.name for group in found)
    return it.done([it.step("athena:delete_work_group", name)] if there else [])


def _until(it: Removal, what: str, left: Callable[[Removal], str | None]) -> Until:
    return Until(f"{it.item.name} {what}", lambda account, answer: left(it), limit=timedelta(minutes=20))


REMOVALS: dict[str, Callable[[Removal], list[Step]]] = {
    "events:rule": _rule,
    "codepipeline:pipeline": _pipeline,
    "codedeploy:group": _group,
    "codedeploy:config": _config,
    "codedeploy:application": _application,
    "ecs:service": _service,
    "ecs:cluster": _cluster,
    "ecs:family": _family,
    "elbv2:listener": _listener,
    "elbv2:load-balancer": _load_balancer,
    "elbv2:target-group": _target_group,
    "cloudwatch:alarm": _alarm,
    "athena:database": _athena_database,
    "athena:work-group": _work_group,
    "codebuild:project": _project,
    "ecr:repository": _registry,
    "codecommit:repository": _repository,
    "s3:bucket": _bucket,
    "lambda:function": _function,
    "logs:log-group": _log_group,
    "iam:role": _role,
    "ec2:nat-gateway": _nat_gateway,
    "ec2:address": _address,
    "ec2:security-group": _security_group,
    "ec2:subnet": _subnet,
    "ec2:route-table": _route_table,
    "ec2:internet-gateway": _internet_gateway,
    "ec2:vpc": _vpc,
}
