"""The roles that work for us: who may take them on, and what each may do."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from runbook_lib.account import Account
from runbook_lib.inventory import Item
from runbook_lib.planning import GONE_BY_TEARDOWN, change, make
from runbook_lib.step import Made, Step
from runbook_lib.system import System, tag_list

POLICY = "runbook"  # the name of the one inline policy of each role

TRUSTED = {
    "execution": "ecs-tasks.amazonaws.com",
    "task": "ecs-tasks.amazonaws.com",
    "build": "codebuild.amazonaws.com",
    "pipeline": "codepipeline.amazonaws.com",
    "events": "events.amazonaws.com",
    "deploy": "codedeploy.amazonaws.com",
}
MANAGED = {
    "execution": "service-role/AmazonECSTaskExecutionRolePolicy",
    "deploy": "AWSCodeDeployRoleForECS",
}
# The first use of these services makes their role; with the role there beforehand the first use does not fail.
SERVICE_LINKED = ("ecs.amazonaws.com", "elasticloadbalancing.amazonaws.com")


@dataclass(frozen=True)
class Role:
    """A role as it is: its trust and its policies by name."""

    name: str
    arn: str
    attached: frozenset[str]  # ARNs of managed policies
    inline: dict[str, Any]  # policy name -> document


def read_roles(account: Account, system: System) -> dict[str, Role]:
    """The system's roles that exist, by purpose."""
    iam = account.client("iam")
    found = {purpose: _read_role(iam, system.role(purpose)) for purpose in TRUSTED}
    return {purpose: role for purpose, role in found.items() if role is not None}


def read_service_linked(account: Account) -> frozenset[str]:
    """The services of SERVICE_LINKED whose service-linked role exists."""
    pages = account.client("iam").get_paginator("list_roles").paginate(PathPrefix="/aws-service-role/")
    paths = {role["Path"] for page in pages for role in page["Roles"]}
    return frozenset(service for service in SERVICE_LINKED if f"/aws-service-role/{service}/" in paths)


def plan_service_linked_roles(existing: frozenset[str]) -> tuple[Step, ...]:
    """Steps that make the service-linked roles; they are the account's, and no teardown deletes them."""
    return tuple(
        change(
            f"role.linked.{service.partition('.')[0]}",
            f"Make the service-linked role of {service}",
            "iam:create_service_linked_role",
            {"AWSServiceName": service},
            touches=service,
            needed=None if service in existing else "the first use of the service would make it, and fail meanwhile",
            undo="kept: service-linked roles are the account's",
            accept=("InvalidInput",),
        )
        for service in SERVICE_LINKED
    )


def plan_roles(
    system: System, roles: dict[str, Role], items: Iterable[Item], purposes: tuple[str, ...]
) -> tuple[Step, ...]:
    """The steps that make the roles of these purposes, each with its policies."""
    items = tuple(items)
    return tuple(step for purpose in purposes for step in _role_steps(system, roles.get(purpose), items, purpose))


def statements(system: System, purpose: str) -> list[dict[str, Any]]:
    """What the inline policy of a role allows, with the narrowest resources that the action takes."""
    return {
        "build": _build,
        "pipeline": _pipeline,
        "events": _events,
        "deploy": _deploy,
        "task": _nothing,
        "execution": _nothing,
    }[purpose](system)


def _role_steps(system: System, role: Role | None, items: tuple[Item, ...], purpose: str) -> list[Step]:
    name = system.role(purpose)
    steps = [
        make(
            f"role.{purpose}",
            f"Make the {purpose} role",
            "iam:create_role",
            {
                "RoleName": name,
                "AssumeRolePolicyDocument": _document(
                    [{"Effect": "Allow", "Principal": {"Service": TRUSTED[purpose]}, "Action": "sts:AssumeRole"}]
                ),
                "Tags": tag_list(system.tags),
            },
            made=Made("iam:role", name),
            found={"Role": {"Arn": role.arn}} if role else None,
            items=items,
        )
    ]
    if purpose in MANAGED:
        steps.append(_attach(system, role, purpose))
    if statements(system, purpose):
        steps.append(_put(system, role, purpose))
    return steps


def _attach(system: System, role: Role | None, purpose: str) -> Step:
    arn = f"arn:{system.partition}:iam::aws:policy/{MANAGED[purpose]}"
    return change(
        f"role.{purpose}.managed",
        f"Give the {purpose} role AWS's own policy",
        "iam:attach_role_policy",
        {"RoleName": system.role(purpose), "PolicyArn": arn},
        touches=MANAGED[purpose].rpartition("/")[2],
        needed=None if role and arn in role.attached else "AWS keeps it up to date",
        undo=GONE_BY_TEARDOWN,
    )


def _put(system: System, role: Role | None, purpose: str) -> Step:
    document = {"Version": "2012-10-17", "Statement": statements(system, purpose)}
    same = role is not None and role.inline.get(POLICY) == document
    return change(
        f"role.{purpose}.policy",
        f"Allow the {purpose} role what it needs",
        "iam:put_role_policy",
        {"RoleName": system.role(purpose), "PolicyName": POLICY, "PolicyDocument": json.dumps(document)},
        touches=system.role(purpose),
        needed=None if same else "nothing beyond its task",
        undo=GONE_BY_TEARDOWN,
    )


def _nothing(system: System) -> list[dict[str, Any]]:
    return []


def _build(system: System) -> list[dict[str, Any]]:
    # CodeBuild user guide, sample-docker: the registry actions of a build that pushes an image.
    push = ["BatchCheckLayerAvailability", "InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload", "PutImage"]
    read = ["DescribeImages", "BatchGetImage", "GetDownloadUrlForLayer"]
    return [
        _allow(
            ["logs:CreateLogStream", "logs:PutLogEvents"], system.arn("logs", f"log-group:{system.build_log_group}:*")
        ),
        _allow(["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"], _objects(system)),
        _allow(["ecr:GetAuthorizationToken"], "*"),
        _allow([f"ecr:{action}" for action in push + read], system.arn("ecr", f"repository/{system.registry}")),
        *_clone(system),
    ]


def _clone(system: System) -> list[dict[str, Any]]:
    # CodePipeline user guide, troubleshooting: a full clone is made with the role of the build.
    if system.params.repository.artifact != "CODEBUILD_CLONE_REF":
        return []
    if system.from_git_host:
        return [_use_connection(system)]
    return [_allow(["codecommit:GitPull"], system.arn("codecommit", system.repository))]


def _pipeline(system: System) -> list[dict[str, Any]]:
    # CodePipeline user guide, security-iam and action-reference-ECS / -ECSbluegreen.
    source = ["GetBranch", "GetCommit", "UploadArchive", "GetUploadArchiveStatus", "CancelUploadArchive"]
    if system.params.repository.artifact == "CODEBUILD_CLONE_REF":
        source.append("GetRepository")
    bucket = f"arn:{system.partition}:s3:::{system.artifacts_bucket}"
    return [
        _allow(["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"], _objects(system)),
        _allow(["s3:GetBucketVersioning", "s3:ListBucket"], bucket),
        _use_connection(system)
        if system.from_git_host
        else _allow([f"codecommit:{action}" for action in source], system.arn("codecommit", system.repository)),
        _allow(
            ["codebuild:BatchGetBuilds", "codebuild:StartBuild"], system.arn("codebuild", f"project/{system.project}")
        ),
        _allow(["ecs:DescribeServices", "ecs:UpdateService"], system.arn("ecs", f"service/{system.cluster}/*")),
        _allow(["ecs:DescribeTaskDefinition", "ecs:RegisterTaskDefinition", "ecs:TagResource"], "*"),
        _allow(["ecs:DescribeTasks", "ecs:ListTasks"], "*"),
        _allow(
            ["codedeploy:CreateDeployment", "codedeploy:GetDeployment"],
            system.arn("codedeploy", f"deploymentgroup:{system.deploy_application}/{system.deploy_group}"),
        ),
        _allow(
            [
                "codedeploy:GetApplication",
                "codedeploy:GetApplicationRevision",
                "codedeploy:RegisterApplicationRevision",
            ],
            system.arn("codedeploy", f"application:{system.deploy_application}"),
        ),
        _allow(["codedeploy:GetDeploymentConfig"], system.arn("codedeploy", "deploymentconfig:*")),
        _pass_role(system, "ecs-tasks.amazonaws.com"),
    ]


def _use_connection(system: System) -> dict[str, Any]:
    # The service has two names, and a connection's ARN holds the one under which it was made.
    return _allow(["codeconnections:UseConnection", "codestar-connections:UseConnection"], system.connection)


def _events(system: System) -> list[dict[str, Any]]:
    return [_allow(["codepipeline:StartPipelineExecution"], system.arn("codepipeline", system.pipeline))]


def _deploy(system: System) -> list[dict[str, Any]]:
    # CodeDeploy passes the tasks' roles when it makes the replacement task set (ECS guide, codedeploy_IAM_role).
    return [_pass_role(system, "ecs-tasks.amazonaws.com")]


def _pass_role(system: System, service: str) -> dict[str, Any]:
    return {
        **_allow(["iam:PassRole"], [system.role_arn("execution"), system.role_arn("task")]),
        "Condition": {"StringEquals": {"iam:PassedToService": service}},
    }


def _objects(system: System) -> str:
    return f"arn:{system.partition}:s3:::{system.artifacts_bucket}/*"


def _allow(actions: list[str], resources: str | list[str]) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resources}


def _document(statement: list[dict[str, Any]]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statement})


def _read_role(iam: Any, name: str) -> Role | None:
    try:
        role = iam.get_role(RoleName=name)["Role"]
    except iam.exceptions.NoSuchEntityException:
        return None
    attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    inline = iam.list_role_policies(RoleName=name)["PolicyNames"]
    return Role(
        name=name,
        arn=role["Arn"],
        attached=frozenset(policy["PolicyArn"] for policy in attached),
        inline={policy: iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"] for policy in inline},
    )
