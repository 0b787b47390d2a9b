"""Who a build is for AWS, and what its role lets it do, for its own agent and for its commands.

Sources: IAM user guide, reference_policies_evaluation-logic and troubleshoot_access-denied; service authorization
reference (the actions of S3 are not called as its operations are).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from runbook_lib.sandbox.services.codebuild.store import Build
from runbook_lib.sandbox.services.sts import session_arn

if TYPE_CHECKING:
    from runbook_lib.sandbox.services.codedeploy.role import Grants
    from runbook_lib.sandbox.world import World

ANY = ""  # a resource that cannot be told: an action that is allowed on something is let pass
FREE = frozenset({"sts:GetCallerIdentity", "sts:AssumeRole"})  # needs no permission; is up to the role that is assumed
# botocore's name of a service -> what stands before its actions, where they differ
PREFIXES = {
    "elbv2": "elasticloadbalancing",
    "resourcegroupstaggingapi": "tag",
    "service-quotas": "servicequotas",
    "stepfunctions": "states",
}
ACTIONS = {
    "lambda:Invoke": "lambda:InvokeFunction",
    "s3:CompleteMultipartUpload": "s3:PutObject",
    "s3:CopyObject": "s3:PutObject",
    "s3:CreateMultipartUpload": "s3:PutObject",
    "s3:DeleteObjects": "s3:DeleteObject",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "s3:ListBuckets": "s3:ListAllMyBuckets",
    "s3:ListObjects": "s3:ListBucket",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:UploadPart": "s3:PutObject",
}


@dataclass(frozen=True)
class Wish:
    """An action on a resource."""

    action: str
    resource: str


def session(build: Build) -> str:
    """The name of the session under which a build takes on its role."""
    return f"AWSCodeBuild-{build.uuid}"


def caller(build: Build) -> str:
    """The ARN under which a build calls AWS."""
    return session_arn(build.plan.settings["serviceRole"], session(build))


def refusal(world: World, build: Build, *wishes: Wish) -> str:
    """IAM's words for the first wish that the role of a build does not allow; "" when it allows them all."""
    if not world.settings.realism:
        return ""
    grants = _grants(world, build)
    for wish in wishes:
        if not allowed(grants, wish):
            return denial(caller(build), wish)
    return ""


def denial(who: str, wish: Wish) -> str:
    """IAM's words for what the policies of a role do not allow."""
    return (
        f"User: {who} is not authorized to perform: {wish.action} on resource: "
        f"{wish.resource or '*'} because no identity-based policy allows the {wish.action} action"
    )


def _grants(world: World, build: Build) -> Grants:
    from runbook_lib.sandbox.services.codedeploy import role

    iam = world.client("iam")
    try:
        return role.grants(world, build.plan.settings["serviceRole"])
    except iam.exceptions.NoSuchEntityException:
        return role.Grants()


def allowed(grants: Grants, wish: Wish) -> bool:
    """Whether a role allows a wish."""
    if wish.action in FREE:
        return True
    if wish.resource != ANY:
        return grants.allow(wish.action, wish.resource)
    allowing = [one for one in grants.statements if one.effect == "Allow"]
    return any(one.covers(wish.action, each) for one in allowing for each in one.resources)


def wishes(world: World, service: str, operation: str, target: str, body: bytes) -> tuple[Wish, ...]:
    """What a call needs; target is its path and query."""
    name = f"{PREFIXES.get(service, service)}:{operation}"
    resources = RESOURCES.get(service, _unknown)(world, target, body)
    return tuple(Wish(ACTIONS.get(name, name), resource) for resource in resources)


def _unknown(world: World, target: str, body: bytes) -> list[str]:
    return [ANY]


def _bucket_or_object(world: World, target: str, body: bytes) -> list[str]:
    path = unquote(urlsplit(target).path).strip("/")
    return [f"arn:{world.settings.partition}:s3:::{path}"] if path else ["*"]


def _repository(world: World, target: str, body: bytes) -> list[str]:
    name = _told(body).get("repositoryName")
    return [world.arn("ecr", f"repository/{name}")] if name else ["*"]


def parameters(world: World, names: Iterable[str]) -> list[str]:
    """The ARNs of parameters in Parameter Store."""
    return [world.arn("ssm", f"parameter/{name.removeprefix('/')}") for name in names]


def _parameters(world: World, target: str, body: bytes) -> list[str]:
    told = _told(body)
    names = told.get("Names") or [told.get("Name") or told.get("Path") or ""]
    return parameters(world, names) if all(names) else [ANY]


def _told(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


RESOURCES: dict[str, Callable[[World, str, bytes], list[str]]] = {
    "ecr": _repository,
    "s3": _bucket_or_object,
    "ssm": _parameters,
}
