"""What a task definition's `secrets` stand for, read as the task's execution role; in ECS's words where that fails.

Sources: ECS developer guide, specifying-sensitive-data, and stopped-task-error-codes for ResourceInitializationError;
what follows the beginning of such a text is the error of the service that was asked. The wording for a parameter that
is not there and for a missing JSON key is that of the ECS agent's source, not of the guide.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from runbook_lib.sandbox import permissions
from runbook_lib.sandbox.policy import Question
from runbook_lib.sandbox.services.ecs.store import Task, store
from runbook_lib.sandbox.services.sts import session_arn

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

FAILED = "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "
FROM_MANAGER = FAILED + "unable to retrieve secret from asm: "
FROM_STORE = FAILED + "unable to retrieve secrets from ssm: "
RETRIED = "service call has been retried 1 time(s): "


class NotRead(Exception):
    """Why a secret could not be read, in ECS's words."""


@dataclass(frozen=True)
class Reader:
    """Who reads: the execution role, and the session in which it calls (both ARNs)."""

    role: str
    caller: str

    def refusal(self, world: World, action: str, resource: str) -> str:
        """Why the role may not do that, in IAM's words; "" when it may."""
        if permissions.refused(world, self.role, [Question(action, resource)]) is None:
            return ""
        return (
            f"AccessDeniedException: User: {self.caller} is not authorized to perform: {action} on resource: "
            f"{resource} because no identity-based policy allows the {action} action"
        )


def read(world: World, task: Task) -> dict[str, dict[str, str]]:
    """The values by container and variable; raises NotRead. They go to the process and are kept nowhere."""
    definition = store(world).task_definitions[task.task_definition_arn]
    wanted = {one["name"]: one.get("secrets", ()) for one in definition["containerDefinitions"]}
    if not any(wanted.values()):
        return {}
    role = definition.get("executionRoleArn")
    if not role:
        raise NotRead(FAILED + "the task definition has no execution role")
    reader = Reader(role_arn(world, role), session_arn(role_arn(world, role), task.id))
    return {
        container: {one["name"]: _value(world, reader, one["valueFrom"]) for one in secrets}
        for container, secrets in wanted.items()
    }


def role_arn(world: World, role: str) -> str:
    """The ARN of a role that a task definition names, by its name or by its ARN."""
    return role if role.startswith("arn:") else world.arn("iam", f"role/{role}", regional=False)


def _value(world: World, reader: Reader, source: str) -> str:
    return (_secret if ":secretsmanager:" in source else _parameter)(world, reader, source)


def _secret(world: World, reader: Reader, source: str) -> str:
    """arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME[:JSON KEY[:STAGE[:VERSION]]]"""
    words = source.split(":")
    arn, more = ":".join(words[:7]), [*words[7:], "", "", ""]
    refusal = reader.refusal(world, "secretsmanager:GetSecretValue", arn)
    if refusal:
        raise NotRead(f"{FROM_MANAGER}{RETRIED}failed to fetch secret {arn} from secrets manager: {refusal}")
    asked = {"SecretId": arn, "VersionStage": more[1], "VersionId": more[2]}
    try:
        told = world.gateway.client("secretsmanager", caller=reader.caller, region=words[3]).get_secret_value(
            **{key: value for key, value in asked.items() if value}
        )
    except ClientError as error:
        why = f"failed to fetch secret {arn} from secrets manager: {_said(error)}"
        raise NotRead(FROM_MANAGER + RETRIED + why) from error
    text = str(told.get("SecretString", ""))
    return _member(text, more[0]) if more[0] else text


def _member(text: str, key: str) -> str:
    try:
        found: Mapping[str, Any] = json.loads(text)
        value = found[key]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise NotRead(f"{FROM_MANAGER}retrieved secret from Secrets Manager did not contain json key {key}") from error
    return value if isinstance(value, str) else json.dumps(value)


def _parameter(world: World, reader: Reader, source: str) -> str:
    """A parameter by its name, or by its ARN: arn:aws:ssm:REGION:ACCOUNT:parameter/NAME."""
    name, region = source, None
    if source.startswith("arn:"):
        region, path = source.split(":")[3], source.partition(":parameter/")[2]
        name = f"/{path}" if "/" in path else path
    arn = world.arn("ssm", f"parameter/{name.removeprefix('/')}")
    refusal = reader.refusal(world, "ssm:GetParameters", arn if region is None else source)
    if refusal:
        raise NotRead(FROM_STORE + RETRIED + refusal)
    try:
        told = world.gateway.client("ssm", caller=reader.caller, region=region).get_parameters(
            Names=[name], WithDecryption=True
        )
    except ClientError as error:
        raise NotRead(FROM_STORE + RETRIED + _said(error)) from error
    if not told["Parameters"]:
        raise NotRead(f"{FROM_STORE}{RETRIED}invalid parameters: {name}")
    return str(told["Parameters"][0]["Value"])


def _said(error: ClientError) -> str:
    told = error.response["Error"]
    return f"{told['Code']}: {told['Message']}"
