"""The service role of a deployment group: can CodeDeploy assume it, and what does it allow?

What a role allows is read once when a deployment starts. Conditions are taken as met: a sandbox cannot know them all.
Sources: CodeDeploy user guide, getting-started-create-service-role, error-codes and troubleshooting-ecs;
IAM user guide, reference_policies_evaluation-logic.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.codedeploy.failure import Failure

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

PRINCIPAL = "codedeploy.amazonaws.com"
# How CodeDeploy's message calls the service of an action; only AWSLambda is documented, the others follow its pattern.
SERVICE_NAMES = {
    "lambda": "AWSLambda",
    "ecs": "AmazonECS",
    "elasticloadbalancing": "AmazonElasticLoadBalancing",
    "cloudwatch": "AmazonCloudWatch",
    "iam": "AWSIdentityAndAccessManagement",
    "s3": "AmazonS3",
}


@dataclass(frozen=True)
class Statement:
    """One statement of a policy: patterns of actions and resources."""

    effect: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]

    def covers(self, action: str, resource: str) -> bool:
        """Whether the statement speaks of that action on that resource; actions are not case sensitive."""
        speaks = any(fnmatchcase(action.lower(), pattern.lower()) for pattern in self.actions)
        return speaks and any(fnmatchcase(resource, pattern) for pattern in self.resources)


@dataclass(frozen=True)
class Grants:
    """What the policies of a role say."""

    role: str = ""
    statements: tuple[Statement, ...] = ()

    def allow(self, action: str, resource: str) -> bool:
        """Whether some statement allows it and none denies it."""
        effects = {one.effect for one in self.statements if one.covers(action, resource)}
        return effects == {"Allow"}

    def refusal(self, action: str, resource: str) -> Failure | None:
        """The failure of a deployment that needs what the role does not allow."""
        if self.allow(action, resource):
            return None
        service = SERVICE_NAMES[action.partition(":")[0]]
        return Failure(
            "IAM_ROLE_PERMISSIONS",
            f"The IAM role {self.role} does not give you permission to perform operations "
            f"in the following AWS service: {service}.",
        )


def check_assumable(world: World, arn: str) -> None:
    """Refuses a role that CodeDeploy cannot assume, or not yet."""
    from runbook_lib.sandbox import permissions

    if not arn.startswith("arn:") or ":role/" not in arn:
        raise AwsError("InvalidRoleException", f"The service role ARN {arn!r} was specified in an invalid format.")
    if permissions.assumable(world, arn, PRINCIPAL):
        raise AwsError("InvalidRoleException", "Cannot assume role provided.")


def missing(world: World, arn: str) -> Failure | None:
    """The failure of a deployment whose role is gone or no longer trusts CodeDeploy."""
    from runbook_lib.sandbox import permissions

    reason = permissions.assumable(world, arn, PRINCIPAL)
    return Failure("IAM_ROLE_MISSING", f"The service role cannot be accessed: {reason}.") if reason else None


def grants(world: World, arn: str) -> Grants:
    """What the role's attached and inline policies say now; the role must exist."""
    name = arn.rsplit("/", 1)[1]
    found = [statement for document in _documents(world, name) for statement in _statements(document)]
    return Grants(arn, tuple(found))


def _documents(world: World, name: str) -> Iterable[dict[str, Any]]:
    iam = world.client("iam")
    for policy in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
        version = iam.get_policy(PolicyArn=policy["PolicyArn"])["Policy"]["DefaultVersionId"]
        found = iam.get_policy_version(PolicyArn=policy["PolicyArn"], VersionId=version)
        yield found["PolicyVersion"]["Document"]
    for inline in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        yield iam.get_role_policy(RoleName=name, PolicyName=inline)["PolicyDocument"]


def _statements(document: dict[str, Any]) -> Iterable[Statement]:
    listed = document.get("Statement", [])
    for one in [listed] if isinstance(listed, dict) else listed:
        yield Statement(one["Effect"], _patterns(one.get("Action")), _patterns(one.get("Resource")))


def _patterns(value: str | list[str] | None) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)
