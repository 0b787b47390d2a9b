"""Who may invoke a function: principals by their own policies or the function's, AWS's services by the function's.

Sources: Lambda developer guide, access-control-resource-based; IAM user guide, reference_policies_evaluation-logic.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from runbook_lib.sandbox.policy import allows, on_behalf
from runbook_lib.sandbox.services.lambda_.store import Function

if TYPE_CHECKING:
    from runbook_lib.sandbox.services.codedeploy.role import Grants
    from runbook_lib.sandbox.world import World

ACTION = "lambda:InvokeFunction"
SESSION = ":assumed-role/"


def grants(world: World, role_arn: str) -> Grants:
    """What a role allows; nothing, when it is gone."""
    from runbook_lib.sandbox.services.codedeploy import role

    try:
        return role.grants(world, role_arn)
    except ClientError as gone:
        if gone.response["Error"]["Code"] != "NoSuchEntity":
            raise
        return role.Grants(role_arn)


def refusal(world: World, caller: str, function: Function) -> str:
    """Why a caller may not invoke a function, in IAM's words; "" when he may: the account's own users all do."""
    if SESSION not in caller or _allowed_by_role(world, caller, function) or _trusted(world, caller, function):
        return ""
    return (
        f"User: {caller} is not authorized to perform: {ACTION} on resource: {function.qualified} "
        f"because no identity-based policy allows the {ACTION} action"
    )


def _role_of(world: World, caller: str) -> str:
    name = caller.partition(SESSION)[2].partition("/")[0]
    return world.arn("iam", f"role/{name}", regional=False)


def _allowed_by_role(world: World, caller: str, function: Function) -> bool:
    return grants(world, _role_of(world, caller)).allow(ACTION, function.qualified)


def _trusted(world: World, caller: str, function: Function) -> bool:
    own = world.settings.account
    known = {"*", caller, _role_of(world, caller), own, world.arn("iam", "root", regional=False)}
    return any(known & set(_named(each, "AWS")) for each in _statements(world, function))


def service_may(world: World, function: Function, principal: str, source: str) -> bool:
    """Whether the function's policy lets a service invoke it on behalf of a rule, a topic ... (its ARN)."""
    question = on_behalf(principal, ACTION, function.qualified, source=source, account=world.settings.account)
    return allows(_policy(world, function), question)


def _policy(world: World, function: Function) -> str:
    try:
        return str(world.client("lambda").get_policy(FunctionName=function.name)["Policy"])
    except ClientError as none:
        if none.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        return ""


def _statements(world: World, function: Function) -> Iterable[Mapping[str, Any]]:
    policy = json.loads(_policy(world, function) or '{"Statement": []}')
    return [each for each in policy["Statement"] if _speaks_of(each, function)]


def _speaks_of(statement: Mapping[str, Any], function: Function) -> bool:
    invokes = statement["Action"].lower() in (ACTION.lower(), "lambda:*")
    return invokes and statement["Effect"] == "Allow" and statement["Resource"] == function.qualified


def _named(statement: Mapping[str, Any], kind: str) -> list[str]:
    principal = statement.get("Principal", {})
    if isinstance(principal, str):
        return [principal]
    found = principal.get(kind, [])
    return [found] if isinstance(found, str) else list(found)
