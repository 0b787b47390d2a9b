"""Who owns a resource: a stack of CloudFormation, CDK or Terraform; what a stack owns no plan changes without consent.

The next run of a stack undoes a change that it does not know of, in the middle of a release if need be (failure mode
E6).  Two sources say who owns what: the list `owned` of the parameters, which `runbook init` writes, and, for a system
that the runbooks did not make, the tags of the very resource, read before it is changed.

Sources: CloudFormation user guide, aws-properties-resource-tags (aws:cloudformation:...); CDK guide, tagging (a CDK
stack is one of CloudFormation's).  Terraform has no tag of its own: what people write with its default_tags is a
convention, and a resource of Terraform without such a tag is not seen.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from runbook_lib.errors import Refused, RunbookError
from runbook_lib.sections import Owned

if TYPE_CHECKING:
    from runbook_lib.account import Account
    from runbook_lib.step import Plan, Step

STACK = "aws:cloudformation:stack-name"
TOOLS = {
    "terraform": "Terraform",
    "opentofu": "OpenTofu",
    "terragrunt": "Terraform",
    "pulumi": "Pulumi",
    "cloudformation": "CloudFormation",
    "cdk": "CDK",
}
# Keys under which people write the tool that made a resource, without case and separators.
CONVENTIONS = frozenset({"managedby", "provisionedby", "provisioner", "createdby", "deployedby", "iac", "tool"})

# What a call changes: the ARN as its arguments make it, "service:resource", or the argument that is an ARN.
CHANGES: Mapping[str, str] = {
    "athena:delete_work_group": "athena:workgroup/{WorkGroup}",
    "athena:update_work_group": "athena:workgroup/{WorkGroup}",
    "cloudwatch:delete_alarms": "cloudwatch:alarm:{AlarmNames[0]}",
    "cloudwatch:put_metric_alarm": "cloudwatch:alarm:{AlarmName}",
    "codebuild:delete_project": "codebuild:project/{name}",
    "codecommit:delete_repository": "codecommit:{repositoryName}",
    "codedeploy:delete_application": "codedeploy:application:{applicationName}",
    "codedeploy:delete_deployment_config": "codedeploy:deploymentconfig:{deploymentConfigName}",
    "codedeploy:delete_deployment_group": "codedeploy:deploymentgroup:{applicationName}/{deploymentGroupName}",
    "codedeploy:update_deployment_group": "codedeploy:deploymentgroup:{applicationName}/{currentDeploymentGroupName}",
    "codepipeline:delete_pipeline": "codepipeline:{name}",
    "codepipeline:update_pipeline": "codepipeline:{pipeline[name]}",
    "ecr:delete_repository": "ecr:repository/{repositoryName}",
    "ecr:put_lifecycle_policy": "ecr:repository/{repositoryName}",
    "ecs:delete_cluster": "ecs:cluster/{cluster}",
    "ecs:delete_service": "ecs:service/{cluster}/{service}",
    "ecs:update_service": "ecs:service/{cluster}/{service}",
    "elbv2:create_listener": "{LoadBalancerArn}",
    "elbv2:delete_listener": "{ListenerArn}",
    "elbv2:delete_load_balancer": "{LoadBalancerArn}",
    "elbv2:delete_target_group": "{TargetGroupArn}",
    "elbv2:modify_listener": "{ListenerArn}",
    "elbv2:modify_load_balancer_attributes": "{LoadBalancerArn}",
    "elbv2:modify_rule": "{RuleArn}",
    "elbv2:modify_target_group_attributes": "{TargetGroupArn}",
    "events:delete_rule": "events:rule/{Name}",
    "events:disable_rule": "events:rule/{Name}",
    "events:enable_rule": "events:rule/{Name}",
    "events:put_rule": "events:rule/{Name}",
    "events:put_targets": "events:rule/{Rule}",
    "events:remove_targets": "events:rule/{Rule}",
    "iam:attach_role_policy": "iam:role/{RoleName}",
    "iam:delete_role": "iam:role/{RoleName}",
    "iam:delete_role_policy": "iam:role/{RoleName}",
    "iam:detach_role_policy": "iam:role/{RoleName}",
    "iam:put_role_policy": "iam:role/{RoleName}",
    "lambda:delete_function": "lambda:function:{FunctionName}",
    "lambda:update_function_code": "lambda:function:{FunctionName}",
    "lambda:update_function_configuration": "lambda:function:{FunctionName}",
    "logs:delete_log_group": "logs:log-group:{logGroupName}",
    "logs:put_retention_policy": "logs:log-group:{logGroupName}",
    "s3:delete_bucket": "s3:{Bucket}",
    "s3:put_bucket_policy": "s3:{Bucket}",
    "s3:put_bucket_versioning": "s3:{Bucket}",
    "s3:put_public_access_block": "s3:{Bucket}",
    # A network's parts are found by the runbooks' own tags alone: they are never anybody else's.
    **dict.fromkeys(
        (
            "ec2:associate_route_table",
            "ec2:attach_internet_gateway",
            "ec2:authorize_security_group_ingress",
            "ec2:create_route",
            "ec2:delete_internet_gateway",
            "ec2:delete_nat_gateway",
            "ec2:delete_route_table",
            "ec2:delete_security_group",
            "ec2:delete_subnet",
            "ec2:delete_vpc",
            "ec2:detach_internet_gateway",
            "ec2:disassociate_route_table",
            "ec2:modify_vpc_attribute",
            "ec2:release_address",
            "ec2:revoke_security_group_ingress",
        ),
        "",
    ),
}
# What makes something of its own, or what operating is: runs, commits, objects, a closed way into a stage, scaling that
# rests during a release.  No template is contradicted by it for longer than that, and a rollback must never wait for
# somebody's consent.
FREE = frozenset(
    {
        "application-autoscaling:put_scaling_policy",  # in the tale of a sandbox alone
        "application-autoscaling:register_scalable_target",  # suspended for a release, and always resumed
        "athena:create_work_group",
        "athena:start_query_execution",
        "codebuild:create_project",
        "codecommit:create_branch",
        "codecommit:create_commit",
        "codecommit:create_repository",
        "codedeploy:continue_deployment",
        "codedeploy:create_application",
        "codedeploy:create_deployment",
        "codedeploy:create_deployment_config",
        "codedeploy:create_deployment_group",
        "codedeploy:stop_deployment",
        "codepipeline:create_pipeline",
        "codepipeline:disable_stage_transition",
        "codepipeline:enable_stage_transition",
        "codepipeline:rollback_stage",
        "codepipeline:start_pipeline_execution",
        "ec2:allocate_address",
        "ec2:create_internet_gateway",
        "ec2:create_nat_gateway",
        "ec2:create_route_table",
        "ec2:create_security_group",
        "ec2:create_subnet",
        "ec2:create_vpc",
        "ecr:create_repository",
        "ecs:create_cluster",
        "ecs:create_service",
        "ecs:deregister_task_definition",
        "ecs:register_task_definition",
        "elbv2:create_load_balancer",
        "elbv2:create_target_group",
        "git:push_branch",
        "git:push_commit",
        "iam:create_role",
        "iam:create_service_linked_role",
        "lambda:create_function",
        "logs:create_log_group",
        "s3:create_bucket",
        "s3:delete_object",
        "s3:delete_objects",
        "s3:put_object",
    }
)


def owner_of(tags: Mapping[str, str]) -> str | None:
    """Who owns a resource with these tags, in words; None when no tag says it."""
    if STACK in tags:
        tool = "CDK's stack" if any("cdk:" in key for key in tags) else "the CloudFormation stack"
        return f"{tool} {tags[STACK]}"
    for key, value in sorted(tags.items()):
        plain = re.sub(r"[^a-z0-9]", "", key.lower())
        written = f"{key} {value}" if key.lower().startswith(("terraform", "aws:cdk:", "aws-cdk:")) else value
        named = next((name for word, name in TOOLS.items() if word in written.lower()), None)
        if named and (plain in CONVENTIONS or written != value) and value.lower() not in ("false", "no", "0"):
            return f"{named} (tag {key}={value})"
    return None


def refuse(plan: Plan, account: Account) -> None:
    """Raise Refused when a step would change what a stack owns and nobody has consented; called by `step.apply`."""
    for step, claim in claimed(plan, account):
        raise Refused(
            where=f"{step.title} ({step.call})",
            seen=f"{claim.resource} belongs to {claim.by}",
            wanted="a resource that is ours, or the consent of a person",
            next_step=(
                "make the change in that stack; or list the resource under `owned` in the parameters with "
                "consent: true, knowing that the stack's next run may undo it. Nothing was changed"
            ),
        )


def claimed(plan: Plan, account: Account) -> Iterator[tuple[Step, Owned]]:
    """The steps that would change what a stack owns, each with the claim that stands against it.

    Where the runbooks made everything themselves and nothing is listed, nobody can claim anything.
    """
    if not account.claims and not account.adopted:
        return
    answers = {**plan.given, **{step.id: step.present for step in plan.steps if step.present is not None}}
    for step in plan.needed:
        arn = changed(step, account, answers)
        claim = _claim(account, arn) if arn else None
        if claim and not claim.consent:
            yield step, claim


def changed(step: Step, account: Account, answers: Mapping[str, Any]) -> str | None:
    """The ARN of what a step changes; None when it makes something of its own, or its target is only made by the plan.

    `answers` are those that are known before the plan is applied.  Raises RunbookError for a call that neither table
    knows: nobody has decided then whether it may be made.
    """
    call = f"{step.service}:{step.action}"
    if call in FREE:
        return None
    if call not in CHANGES:
        raise RunbookError(
            where=step.title,
            seen=call,
            wanted="a call that is listed in ownership.CHANGES or ownership.FREE",
            next_step="report it: the plan itself is wrong",
        )
    arguments = {name: _known(value, answers) for name, value in step.arguments.items()}
    return _arn(CHANGES[call], arguments, account)


class _Unmade:
    """Stands for an answer of this very plan: what it makes itself belongs to nobody else."""

    def __format__(self, spec: str) -> str:
        return UNMADE


UNMADE = "\0"


def _known(value: Any, answers: Mapping[str, Any]) -> Any:
    path = getattr(value, "path", None)
    if path is None:  # no reference
        return value
    import jmespath

    return jmespath.search(path, answers[value.step]) if value.step in answers else _Unmade()


def _arn(template: str, arguments: Mapping[str, Any], account: Account) -> str | None:
    found = template.format_map(arguments)
    if not found or UNMADE in found:
        return None
    if found.startswith("arn:"):
        return found
    service, _, resource = found.partition(":")
    if service == "s3":
        return f"arn:{account.partition}:s3:::{resource}"
    return account.arn(service, resource, regional=service != "iam")


def _claim(account: Account, arn: str) -> Owned | None:
    listed = next((claim for claim in account.claims if same(claim.resource, arn)), None)
    if listed or not account.adopted:
        return listed
    owner = owner_of(_tags_or_refusal(account, arn))
    return Owned(resource=arn, by=owner) if owner else None


def _tags_or_refusal(account: Account, arn: str) -> dict[str, str]:
    from botocore.exceptions import ClientError

    try:
        return read_tags(account, arn)
    except ClientError as error:
        raise Refused(
            where=error.operation_name,
            seen=f"{error.response['Error']['Code']}: the tags of {arn} could not be read",
            wanted="to know whether a stack owns it, before it is changed",
            next_step="allow the call; or list the resource under `owned` with consent: true. Nothing was changed",
        ) from error


def same(one: str, other: str) -> bool:
    """Whether two ARNs name the same resource; a role's may hold a path, and the name alone is unique."""
    if ":role/" in one and ":role/" in other:
        return one.rpartition("/")[2] == other.rpartition("/")[2]
    return one == other


# ---- reading


def read_tags(account: Account, arn: str) -> dict[str, str]:
    """The tags of a resource; none where it does not exist (any more). Raises ClientError when AWS refuses."""
    from botocore.exceptions import ClientError

    service = arn.split(":")[2]
    if service not in TAGS:
        return {}
    try:
        return TAGS[service](account, arn)
    except ClientError as error:
        if error.response["Error"]["Code"] in GONE:
            return {}
        raise


GONE = frozenset(
    {
        "ApplicationDoesNotExistException",
        "DeploymentGroupDoesNotExistException",
        "ListenerNotFound",
        "LoadBalancerNotFound",
        "NoSuchBucket",
        "NoSuchEntity",
        "NoSuchTagSet",
        "PipelineNotFoundException",
        "RepositoryDoesNotExistException",
        "RepositoryNotFoundException",
        "ResourceNotFoundException",
        "ResourceNotFound",
        "RuleNotFound",
        "TargetGroupNotFound",
    }
)


def _pairs(listed: Iterable[Mapping[str, str]]) -> dict[str, str]:
    return {entry.get("Key", entry.get("key", "")): entry.get("Value", entry.get("value", "")) for entry in listed}


def _elb(account: Account, arn: str) -> dict[str, str]:
    found = account.client("elbv2").describe_tags(ResourceArns=[arn])["TagDescriptions"]
    return _pairs(found[0]["Tags"]) if found else {}


def _codebuild(account: Account, arn: str) -> dict[str, str]:
    found = account.client("codebuild").batch_get_projects(names=[arn.rpartition("/")[2]])["projects"]
    return _pairs(found[0].get("tags", ())) if found else {}


TAGS: Mapping[str, Callable[[Account, str], dict[str, str]]] = {
    "cloudwatch": lambda a, arn: _pairs(a.client("cloudwatch").list_tags_for_resource(ResourceARN=arn)["Tags"]),
    "codebuild": _codebuild,
    "codecommit": lambda a, arn: a.client("codecommit").list_tags_for_resource(resourceArn=arn)["tags"],
    "codedeploy": lambda a, arn: _pairs(a.client("codedeploy").list_tags_for_resource(ResourceArn=arn)["Tags"]),
    "codepipeline": lambda a, arn: _pairs(a.client("codepipeline").list_tags_for_resource(resourceArn=arn)["tags"]),
    "ecr": lambda a, arn: _pairs(a.client("ecr").list_tags_for_resource(resourceArn=arn)["tags"]),
    "ecs": lambda a, arn: _pairs(a.client("ecs").list_tags_for_resource(resourceArn=arn)["tags"]),
    "elasticloadbalancing": _elb,
    "events": lambda a, arn: _pairs(a.client("events").list_tags_for_resource(ResourceARN=arn)["Tags"]),
    "iam": lambda a, arn: _pairs(a.client("iam").list_role_tags(RoleName=arn.rpartition("/")[2])["Tags"]),
    "logs": lambda a, arn: a.client("logs").list_tags_for_resource(resourceArn=arn)["tags"],
    "s3": lambda a, arn: _pairs(a.client("s3").get_bucket_tagging(Bucket=arn.rpartition(":")[2])["TagSet"]),
}
