"""Asks IAM what the roles of a delivery may do: every action that their work needs, on the resources that it touches.

Which actions: CodePipeline user guide, action-reference-ECSbluegreen, action-reference-CodeBuild and security-iam; ECS
developer guide, codedeploy_IAM_role; CodeDeploy user guide, troubleshooting-ecs. A simulation sees the policies of the
role alone: trust, keys, endpoints and the organisation's policies stay unseen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from runbook_lib.preflight.live import Grant, Live
from runbook_lib.preflight.picture import Picture

if TYPE_CHECKING:
    from runbook_lib.account import Account

TO_TASKS = {"iam:PassedToService": "ecs-tasks.amazonaws.com"}
CLONES = {"CodeCommit": "codecommit:GitPull", "CodeStarSourceConnection": "codestar-connections:UseConnection"}
DEPLOY = (
    "ecs:DescribeServices",
    "ecs:CreateTaskSet",
    "ecs:UpdateServicePrimaryTaskSet",
    "ecs:DeleteTaskSet",
    "elasticloadbalancing:DescribeTargetGroups",
    "elasticloadbalancing:DescribeListeners",
    "elasticloadbalancing:ModifyListener",
    "elasticloadbalancing:DescribeRules",
    "elasticloadbalancing:ModifyRule",
    "cloudwatch:DescribeAlarms",
)


@dataclass(frozen=True)
class Need:
    """Something that a role must be allowed, and the failure mode that follows when it is not."""

    rule: str
    role: str  # ARN
    actions: tuple[str, ...]
    resource: str = "*"
    passed_to_tasks: bool = False


def needs(account: Account, picture: Picture) -> Iterator[Need]:
    """What the roles of the picture need; parts that are not there need nothing."""
    live = picture.live
    if live is None:
        return
    yield from _pipeline_needs(account, picture, live)
    if live.group:
        yield Need("C9", live.group.role, DEPLOY)
        yield from _passing("C9", live.group.role, live)
        for function in _hooks(picture):
            yield Need("D5", live.group.role, ("lambda:InvokeFunction",), _function_arn(account, function))
            yield from _reporting(account, function)


def _pipeline_needs(account: Account, picture: Picture, live: Live) -> Iterator[Need]:
    pipeline = picture.pipeline
    if pipeline is None or "roleArn" not in pipeline.definition:
        return
    role = str(pipeline.definition["roleArn"])
    for action in pipeline.blue_green:
        own = str(action.content.get("roleArn", role))
        application = str(action.configuration.get("ApplicationName", ""))
        group = f"deploymentgroup:{application}/{action.configuration.get('DeploymentGroupName', '')}"
        on_group = account.arn("codedeploy", group)
        yield Need("A11", own, ("codedeploy:CreateDeployment", "codedeploy:GetDeployment"), on_group)
        revisions = ("GetApplication", "GetApplicationRevision", "RegisterApplicationRevision")
        on_application = account.arn("codedeploy", f"application:{application}")
        yield Need("A11", own, tuple(f"codedeploy:{name}" for name in revisions), on_application)
        config = live.group.config if live.group else "*"
        on_config = account.arn("codedeploy", f"deploymentconfig:{config}")
        yield Need("A11", own, ("codedeploy:GetDeploymentConfig",), on_config)
        yield Need("A11", own, ("ecs:RegisterTaskDefinition",))
        yield from _passing("A11", own, live)
        if picture.files and picture.files.taskdef and picture.files.taskdef.root.get("tags"):
            yield Need("A12", own, ("ecs:TagResource",), account.arn("ecs", "task-definition/*"))
    bucket = str(pipeline.definition.get("artifactStore", {}).get("location", ""))
    if bucket:
        arn = f"arn:{account.partition}:s3:::{bucket}"
        yield Need("A13", role, ("s3:GetObject", "s3:PutObject"), f"{arn}/*")
    yield from _clones(account, picture, live)


def _clones(account: Account, picture: Picture, live: Live) -> Iterator[Need]:
    pipeline, project = picture.pipeline, live.project
    if pipeline is None or project is None:
        return
    for provider, needed in CLONES.items():
        for action in pipeline.actions(provider):
            told = action.configuration
            if told.get("OutputArtifactFormat") == "CODEBUILD_CLONE_REF":
                repository = account.arn("codecommit", str(told.get("RepositoryName", "")))
                yield Need("A14", project.role, (needed,), str(told.get("ConnectionArn", repository)))


def _passing(rule: str, role: str, live: Live) -> Iterator[Need]:
    for passed in live.definition.roles if live.definition else ():
        yield Need(rule, role, ("iam:PassRole",), passed, passed_to_tasks=True)


def _hooks(picture: Picture) -> tuple[str, ...]:
    hooks = picture.files.appspec.root.get("Hooks") if picture.files and picture.files.appspec else None
    return tuple(dict.fromkeys(item.pairs[0][1].raw for item in hooks.items if item.pairs)) if hooks else ()


def _function_arn(account: Account, function: str) -> str:
    return function if function.startswith("arn:") else account.arn("lambda", f"function:{function}")


def _reporting(account: Account, function: str) -> Iterator[Need]:
    try:
        found = account.client("lambda").get_function_configuration(FunctionName=function)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        yield Need("D6", "", (), function)  # a hook that does not exist reports nothing
        return
    yield Need("D6", found["Role"], ("codedeploy:PutLifecycleEventHookExecutionStatus",))


def simulate(account: Account, need: Need) -> Iterator[Grant]:
    """What the simulator says to each action of a need."""
    if not need.role:
        yield Grant(need.rule, "", f"the function {need.resource}", need.resource, "missing", seen_all=True)
        return
    context: list[dict[str, Any]] = []
    if need.passed_to_tasks:
        pairs = TO_TASKS.items()
        context = [{"ContextKeyName": k, "ContextKeyValues": [v], "ContextKeyType": "string"} for k, v in pairs]
    pages = (
        account.client("iam")
        .get_paginator("simulate_principal_policy")
        .paginate(
            PolicySourceArn=need.role,
            ActionNames=list(need.actions),
            ResourceArns=[need.resource],
            ContextEntries=context,
        )
    )
    for page in pages:
        for one in page["EvaluationResults"]:
            seen = not one.get("MissingContextValues")
            yield Grant(need.rule, need.role, one["EvalActionName"], need.resource, one["EvalDecision"], seen_all=seen)
