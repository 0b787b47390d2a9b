"""What the roles of a delivery must be allowed: every action that their work needs, on the resources that it touches.

Which actions: CodePipeline user guide, action-reference-ECS, -ECSbluegreen, -CodeBuild, -CodeCommit,
-CodestarConnectionSource and security-iam; CodeBuild user guide, sample-docker and setting-up-service-role; ECS
developer guide, codedeploy_IAM_role and task_execution_IAM_role; CodeDeploy user guide, troubleshooting-ecs;
EventBridge user guide, resource-based policies.  Not all of them are ever seen as calls: PassRole and TagResource are
asked for by other calls.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from runbook_lib.documents.imageuri import image_uri
from runbook_lib.documents.pipeline.structure import Action
from runbook_lib.preflight.lacking import ROLES
from runbook_lib.preflight.live import Live
from runbook_lib.preflight.picture import Picture

if TYPE_CHECKING:
    from runbook_lib.account import Account

TASKS = "ecs-tasks.amazonaws.com"
CLONES = {"CodeCommit": "codecommit:GitPull", "CodeStarSourceConnection": "codestar-connections:UseConnection"}
COMMITS = ("GetBranch", "GetCommit", "UploadArchive", "GetUploadArchiveStatus", "CancelUploadArchive")
PUSH = ("BatchCheckLayerAvailability", "InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload", "PutImage")
PULL = ("BatchCheckLayerAvailability", "GetDownloadUrlForLayer", "BatchGetImage")
REVISIONS = ("GetApplication", "GetApplicationRevision", "RegisterApplicationRevision")
SHIFT = (
    "ecs:DescribeServices",
    "ecs:CreateTaskSet",
    "ecs:UpdateServicePrimaryTaskSet",
    "ecs:DeleteTaskSet",
    "elasticloadbalancing:DescribeTargetGroups",
    "elasticloadbalancing:DescribeListeners",
    "elasticloadbalancing:ModifyListener",
    "elasticloadbalancing:DescribeRules",
    "cloudwatch:DescribeAlarms",
)
ROLL = ("DescribeServices", "UpdateService", "DescribeTaskDefinition", "DescribeTasks", "ListTasks")


@dataclass(frozen=True)
class Need:
    """Something that a role must be allowed, and the rule that answers for it.

    `on` are the resources that the work touches, ARNs by the type that IAM knows; an action that takes none of these
    types is asked of *.  `context` are condition keys whose values are known.  A role of "" stands for a part that does
    not exist, named by its resource.
    """

    rule: str
    role: str  # ARN
    actions: tuple[str, ...]
    on: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    context: Mapping[str, str] = field(default_factory=dict)


def needs(account: Account, picture: Picture) -> Iterator[Need]:
    """What the roles of the picture need; parts that are not there need nothing."""
    live = picture.live
    if live is None:
        return
    yield from _pipeline(account, picture, live)
    yield from _build(account, picture, live)
    yield from _tasks(account, live)
    if live.starter and picture.pipeline:
        on = {"pipeline": (account.arn("codepipeline", live.names.pipeline),)}
        yield Need(ROLES, live.starter, ("codepipeline:StartPipelineExecution",), on)
    if live.group and live.group.role:  # a group that is only wished for may not name its role yet
        yield from _shifting(account, live)
        yield from _passing("C9", live.group.role, live)
        for function in _hooks(picture):
            on = {"function": (_function_arn(account, function),)}
            yield Need("D5", live.group.role, ("lambda:InvokeFunction",), on)
            yield from _reporting(account, function)


def assumed(picture: Picture) -> Iterator[tuple[str, str]]:
    """Which roles a service takes on, each with that service."""
    live, pipeline = picture.live, picture.pipeline
    if live is None:
        return
    if pipeline and "roleArn" in pipeline.definition:
        yield str(pipeline.definition["roleArn"]), "codepipeline.amazonaws.com"
    for role in live.definition.roles if live.definition else ():
        yield role, TASKS
    for part, service in ((live.project, "codebuild"), (live.group, "codedeploy")):
        if part and part.role:
            yield part.role, f"{service}.amazonaws.com"
    if live.starter:
        yield live.starter, "events.amazonaws.com"


def _ecs(account: Account, live: Live) -> dict[str, str]:
    """What calls of ECS about the service carry (ECS developer guide, condition keys)."""
    names = live.names
    cluster, service = f"cluster/{names.cluster}", f"service/{names.cluster}/{names.service}"
    return {"ecs:cluster": account.arn("ecs", cluster), "ecs:service": account.arn("ecs", service)}


def _service(account: Account, live: Live) -> dict[str, tuple[str, ...]]:
    names = live.names
    family = live.definition.arn.rpartition(":")[0].rpartition("/")[2] if live.definition else "*"
    return {
        "service": (account.arn("ecs", f"service/{names.cluster}/{names.service}"),),
        "task-set": (account.arn("ecs", f"task-set/{names.cluster}/{names.service}/*"),),
        "task-definition": (account.arn("ecs", f"task-definition/{family}:*"),),
    }


def _shifting(account: Account, live: Live) -> Iterator[Need]:
    group = live.group
    assert group is not None
    own = [route for route in live.routes or () if route.listener in (*group.production, *group.test)]
    rules = tuple(route.rule for route in own if route.rule)
    on = {
        **_service(account, live),
        "listener/app": (*group.production, *group.test),
        "listener-rule/app": rules,
        "alarm": tuple(account.arn("cloudwatch", f"alarm:{name}") for name in group.alarms),
    }
    actions = (*SHIFT, "elasticloadbalancing:ModifyRule") if rules else SHIFT
    yield Need("C9", group.role, actions, on, _ecs(account, live))
    if not rules:
        # AWS's own policy has it; a listener without rules never makes CodeDeploy call it.
        yield Need("C9", group.role, ("elasticloadbalancing:ModifyRule",))


def _pipeline(account: Account, picture: Picture, live: Live) -> Iterator[Need]:
    pipeline = picture.pipeline
    if pipeline is None or "roleArn" not in pipeline.definition:
        return
    role = str(pipeline.definition["roleArn"])
    for action in pipeline.blue_green:
        yield from _blue_green(account, picture, live, action, _own(action, role))
    for action in pipeline.rolling:
        yield from _rolling(account, live, action, _own(action, role))
    for action in pipeline.actions("CodeBuild"):
        project = account.arn("codebuild", f"project/{action.configuration.get('ProjectName', '')}")
        actions = ("codebuild:BatchGetBuilds", "codebuild:StartBuild")
        yield Need(ROLES, _own(action, role), actions, {"project": (project,)})
    yield from _sources(account, picture, role)
    yield from _artifacts(account, picture, "A13", role, ("s3:GetBucketVersioning", "s3:ListBucket"))


def _own(action: Action, role: str) -> str:
    """The role of an action: its own, else the pipeline's."""
    return str(action.content.get("roleArn", role))


def _blue_green(account: Account, picture: Picture, live: Live, action: Action, role: str) -> Iterator[Need]:
    application = str(action.configuration.get("ApplicationName", ""))
    group = f"deploymentgroup:{application}/{action.configuration.get('DeploymentGroupName', '')}"
    config = live.group.config if live.group else "*"
    on = {
        **_service(account, live),
        "deploymentgroup": (account.arn("codedeploy", group),),
        "application": (account.arn("codedeploy", f"application:{application}"),),
        "deploymentconfig": (account.arn("codedeploy", f"deploymentconfig:{config}"),),
    }
    deploy = ("CreateDeployment", "GetDeployment", *REVISIONS, "GetDeploymentConfig")
    yield Need("A11", role, (*(f"codedeploy:{name}" for name in deploy), "ecs:RegisterTaskDefinition"), on)
    yield from _passing("A11", role, live)
    if picture.files and picture.files.taskdef and picture.files.taskdef.root.get("tags"):
        yield Need("A12", role, ("ecs:TagResource",), {"task-definition": on["task-definition"]})


def _rolling(account: Account, live: Live, action: Action, role: str) -> Iterator[Need]:
    place = f"{action.configuration.get('ClusterName', '')}/{action.configuration.get('ServiceName', '')}"
    on = {**_service(account, live), "service": (account.arn("ecs", f"service/{place}"),)}
    context = {"ecs:cluster": account.arn("ecs", f"cluster/{place.partition('/')[0]}")}
    yield Need(ROLES, role, (*(f"ecs:{name}" for name in ROLL), "ecs:RegisterTaskDefinition"), on, context)
    yield from _passing(ROLES, role, live)


def _sources(account: Account, picture: Picture, role: str) -> Iterator[Need]:
    pipeline, live = picture.pipeline, picture.live
    assert pipeline is not None
    for provider, clone in CLONES.items():
        for action in pipeline.actions(provider):
            told = {key: str(value) for key, value in action.configuration.items()}
            whole = told.get("OutputArtifactFormat") == "CODEBUILD_CLONE_REF"
            on, context, actions = _source(account, told)
            more = ("codecommit:GetRepository",) if whole and provider == "CodeCommit" else ()
            yield Need(ROLES, _own(action, role), (*actions, *more), on, context)
            if whole and live and live.project:
                needed = clone if provider == "CodeCommit" else actions[0]
                yield Need("A14", live.project.role, (needed,), on, context)


def _source(
    account: Account, told: Mapping[str, str]
) -> tuple[dict[str, tuple[str, ...]], dict[str, str], tuple[str, ...]]:
    """Resources, known keys and actions of a source: a repository of CodeCommit, or a connection to a git host."""
    connection = told.get("ConnectionArn", "")
    if not connection:
        repository = account.arn("codecommit", told.get("RepositoryName", ""))
        return {"repository": (repository,)}, {}, tuple(f"codecommit:{name}" for name in COMMITS)
    # The service has two names, and a connection's ARN holds the one under which it was made.
    service = connection.split(":")[2]
    context = {f"{service}:FullRepositoryId": told.get("FullRepositoryId", "")}
    return {"Connection": (connection,)}, context, (f"{service}:UseConnection",)


def _artifacts(account: Account, picture: Picture, rule: str, role: str, more: tuple[str, ...] = ()) -> Iterator[Need]:
    store = picture.pipeline.definition.get("artifactStore", {}) if picture.pipeline else {}
    bucket = str(store.get("location", ""))
    if bucket:
        arn = f"arn:{account.partition}:s3:::{bucket}"
        on = {"object": (f"{arn}/*",), "bucket": (arn,)}
        context = {"s3:ResourceAccount": account.id}
        yield Need(rule, role, ("s3:GetObject", "s3:PutObject", *more), on, context)


def _build(account: Account, picture: Picture, live: Live) -> Iterator[Need]:
    project = live.project
    if project is None:
        return
    if picture.pipeline:
        yield from _artifacts(account, picture, ROLES, project.role)
    if project.logs:
        on = {"log-stream": (account.arn("logs", f"log-group:{project.logs}:log-stream:*"),)}
        yield Need(ROLES, project.role, ("logs:CreateLogStream", "logs:PutLogEvents"), on)
    if live.registry:
        on = {"repository": (account.arn("ecr", f"repository/{live.registry.name}"),)}
        actions = ("ecr:GetAuthorizationToken", *(f"ecr:{name}" for name in PUSH))
        yield Need(ROLES, project.role, actions, on)


def _tasks(account: Account, live: Live) -> Iterator[Need]:
    """What ECS does with the execution role: pull the images, write the logs, read the secrets."""
    one = live.definition
    if one is None or not one.execution_role:
        return
    images = [image for image in map(image_uri, one.images) if image and image.account]
    arns = tuple(f"arn:{account.partition}:ecr:{i.region}:{i.account}:repository/{i.repository}" for i in images)
    if arns:
        actions = ("ecr:GetAuthorizationToken", *(f"ecr:{name}" for name in PULL))
        yield Need(ROLES, one.execution_role, actions, {"repository": arns})
    for group in one.log_groups:
        on = {"log-stream": (account.arn("logs", f"log-group:{group}:log-stream:*"),)}
        yield Need(ROLES, one.execution_role, ("logs:CreateLogStream", "logs:PutLogEvents"), on)
    for secret in one.secrets:
        yield _secret(account, one.execution_role, secret)


def _secret(account: Account, role: str, value_from: str) -> Need:
    """A secret of Secrets Manager is named by its ARN, maybe with a key in it; anything else is a parameter."""
    if ":secretsmanager:" in value_from:
        arn = ":".join(value_from.split(":")[:7])
        return Need(ROLES, role, ("secretsmanager:GetSecretValue",), {"Secret": (arn,)})
    arn = value_from if value_from.startswith("arn:") else account.arn("ssm", f"parameter/{value_from.lstrip('/')}")
    return Need(ROLES, role, ("ssm:GetParameters",), {"parameter": (arn,)})


def _passing(rule: str, role: str, live: Live) -> Iterator[Need]:
    roles = live.definition.roles if live.definition else ()
    if roles:
        yield Need(rule, role, ("iam:PassRole",), {"role": roles}, {"iam:PassedToService": TASKS})


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
        yield Need("D6", "", (), {"function": (function,)})  # a hook that does not exist reports nothing
        return
    yield Need("D6", found["Role"], ("codedeploy:PutLifecycleEventHookExecutionStatus",))
