"""The policies of a user, a group or a role, and its permissions boundary, as IAM keeps them now."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox import policy
from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.policy import Statement

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

KINDS = ("user", "group", "role")


@dataclass(frozen=True)
class Identity:
    """What the policies of a principal say; `boundary` is None without a permissions boundary."""

    statements: tuple[Statement, ...]
    boundary: tuple[Statement, ...] | None = None


def read(world: World, arn: str) -> Identity:
    """The identity behind the ARN of a user, a group or a role."""
    kind, _, path = arn.partition(":iam::")[2].partition(":")[2].partition("/")
    if kind not in KINDS or not path:
        raise AwsError("InvalidInput", f"Invalid Entity Arn: {arn} does not clearly define entity type and name.")
    name = path.rpartition("/")[2]
    statements = list(_of(world, kind, name))
    if kind == "user":
        groups = world.client("iam").list_groups_for_user(UserName=name)["Groups"]
        statements += [one for group in groups for one in _of(world, "group", group["GroupName"])]
    return Identity(tuple(statements), _boundary(world, kind, name))


def _of(world: World, kind: str, name: str) -> Iterator[Statement]:
    named = {f"{kind.capitalize()}Name": name}
    yield from _attached(world, kind, named)
    yield from _inline(world, kind, named)


def _attached(world: World, kind: str, named: dict[str, str]) -> Iterator[Statement]:
    for one in _asked(world, f"list_attached_{kind}_policies", named)["AttachedPolicies"]:
        source = "aws-managed" if ":iam::aws:" in one["PolicyArn"] else "user-managed"
        yield from policy.read(_managed(world, one["PolicyArn"]), policy=one["PolicyName"], kind=source)


def _inline(world: World, kind: str, named: dict[str, str]) -> Iterator[Statement]:
    for name in _asked(world, f"list_{kind}_policies", named)["PolicyNames"]:
        found = _asked(world, f"get_{kind}_policy", {**named, "PolicyName": name})
        yield from policy.read(found["PolicyDocument"], policy=name, kind=kind)


def _asked(world: World, operation: str, params: dict[str, str]) -> dict[str, Any]:
    iam = world.client("iam")
    try:
        answer: dict[str, Any] = getattr(iam, operation)(**params)
    except iam.exceptions.NoSuchEntityException as error:
        raise AwsError("NoSuchEntity", error.response["Error"]["Message"], 404) from error
    return answer


def _managed(world: World, arn: str) -> dict[str, Any]:
    iam = world.client("iam")
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    found: dict[str, Any] = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    return found


def _boundary(world: World, kind: str, name: str) -> tuple[Statement, ...] | None:
    if kind == "group":
        return None
    key = kind.capitalize()
    found = _asked(world, f"get_{kind}", {f"{key}Name": name})[key].get("PermissionsBoundary")
    if not found:
        return None
    arn = found["PermissionsBoundaryArn"]
    return policy.read(_managed(world, arn), policy=arn.rpartition("/")[2], kind="user-managed")
