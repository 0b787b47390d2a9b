"""Whether the role of a pipeline, or of its blue/green action, allows what is done with it.

Source: CodePipeline user guide, action-reference-ECSbluegreen (the permissions) and troubleshooting (the words).
Policies are weighed with their conditions; without realism nobody is refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox import permissions
from runbook_lib.sandbox.policy import Question
from runbook_lib.sandbox.services.codepipeline.failure import JOB_FAILED, PERMISSION, ActionFailed
from runbook_lib.sandbox.services.codepipeline.store import Place
from runbook_lib.sandbox.services.sts import session_arn

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

REFUSED = "The provided role does not have sufficient permissions to access CodeDeploy"
NO_STORE = "CodePipeline service role {role} is getting S3 access denied for the S3 bucket {bucket}"
NO_TAGS = (
    "User: {who} is not authorized to perform: ecs:TagResource on resource: {arn} "
    "(Service: AmazonECS; Status Code: 400; Error Code: AccessDeniedException)"
)
ON_GROUP = ("CreateDeployment", "GetDeployment")
ON_APPLICATION = ("GetApplication", "GetApplicationRevision", "RegisterApplicationRevision")
PASSED_ON = ("executionRoleArn", "taskRoleArn")


def check(world: World, role: str, configuration: Mapping[str, str], taskdef: Mapping[str, Any]) -> None:
    """Raises ActionFailed (PermissionError) unless the role allows every call of the action."""
    if world.settings.realism and permissions.refused(world, role, _questions(world, configuration, taskdef)):
        raise ActionFailed(PERMISSION, REFUSED)


def check_tags(world: World, role: str, taskdef: Mapping[str, Any]) -> None:
    """Raises ActionFailed, in the words of ECS, unless the role may give a revision the tags that it has."""
    arn = world.arn("ecs", f"task-definition/{taskdef.get('family', '')}:*")
    asked = [Question("ecs:TagResource", arn)] if taskdef.get("tags") else []
    if world.settings.realism and permissions.refused(world, role, asked):
        raise ActionFailed(JOB_FAILED, NO_TAGS.format(who=session_arn(role, "CodePipeline"), arn=arn))


def check_store(world: World, role: str, action: str, places: Iterable[Place]) -> None:
    """Raises ActionFailed (PermissionError) unless the role may read or write artifacts at these places."""
    for bucket, key in places:
        question = Question(action, f"arn:{world.settings.partition}:s3:::{bucket}/{key}")
        if world.settings.realism and permissions.refused(world, role, [question]):
            raise ActionFailed(PERMISSION, NO_STORE.format(role=role, bucket=bucket))


def _questions(world: World, told: Mapping[str, str], taskdef: Mapping[str, Any]) -> Iterator[Question]:
    application, group = told["ApplicationName"], told["DeploymentGroupName"]
    yield Question("ecs:RegisterTaskDefinition", world.arn("ecs", f"task-definition/{taskdef.get('family', '')}:*"))
    for role in filter(None, (taskdef.get(key) for key in PASSED_ON)):
        yield Question("iam:PassRole", _arn(world, role), {"iam:passedtoservice": ("ecs-tasks.amazonaws.com",)})
    for name in ON_GROUP:
        yield Question(f"codedeploy:{name}", world.arn("codedeploy", f"deploymentgroup:{application}/{group}"))
    for name in ON_APPLICATION:
        yield Question(f"codedeploy:{name}", world.arn("codedeploy", f"application:{application}"))


def _arn(world: World, role: str) -> str:
    """A task definition may name a role without its ARN."""
    return role if role.startswith("arn:") else world.arn("iam", f"role/{role}", regional=False)


def read(text: str) -> Mapping[str, Any]:
    """The task definition whose roles are passed on; one that cannot be read is refused elsewhere."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
