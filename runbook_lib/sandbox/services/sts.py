"""STS: who am I, and credentials for a role; the rest is moto's.

Sources: STS API reference, GetCallerIdentity and AssumeRole; IAM user guide, reference_identifiers (assumed-role ARNs).
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox import permissions
from runbook_lib.sandbox.errors import AwsError

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call

# Real clients renew credentials by the wall clock, which may be far from the world's: these never seem old to them.
EXPIRATION = datetime(2099, 1, 1, tzinfo=UTC)
MOTO = frozenset(
    {
        "AssumeRoleWithSAML",
        "AssumeRoleWithWebIdentity",
        "GetAccessKeyInfo",
        "GetFederationToken",
        "GetSessionToken",
    }
)


def unique_id(prefix: str, arn: str) -> str:
    """The id of a principal: AIDA... of a user, AROA... of a role."""
    return prefix + hashlib.sha256(arn.encode()).hexdigest()[:17].upper()


def session_arn(role_arn: str, session: str) -> str:
    """The ARN under which somebody calls who assumed a role."""
    partition, account, name = role_arn.split(":")[1], role_arn.split(":")[4], role_arn.rsplit("/", 1)[1]
    return f"arn:{partition}:sts::{account}:assumed-role/{name}/{session}"


def get_caller_identity(call: Call) -> dict[str, Any]:
    """GetCallerIdentity: the principal whose access key signed the call."""
    prefix = "AROA" if ":assumed-role/" in call.caller else "AIDA"
    session = ":" + call.caller.rsplit("/", 1)[1] if prefix == "AROA" else ""
    return {"UserId": unique_id(prefix, call.caller) + session, "Account": call.account, "Arn": call.caller}


def assume_role(call: Call) -> dict[str, Any]:
    """AssumeRole: refused for a role that does not exist, does not trust the caller or was made a moment ago."""
    role, session = call.params["RoleArn"], call.params["RoleSessionName"]
    if permissions.assumable(call.world, role, call.caller):
        raise AwsError(
            "AccessDenied",
            f"User: {call.caller} is not authorized to perform: sts:AssumeRole on resource: {role}",
            403,
        )
    arn = session_arn(role, session)
    key, secret = call.world.gateway.credentials_for(arn)
    return {
        "Credentials": {"AccessKeyId": key, "SecretAccessKey": secret, "SessionToken": key, "Expiration": EXPIRATION},
        "AssumedRoleUser": {"AssumedRoleId": f"{unique_id('AROA', role)}:{session}", "Arn": arn},
    }


OPERATIONS = {"GetCallerIdentity": get_caller_identity, "AssumeRole": assume_role}
HANDLERS: dict[str, Any] = {}
STORE = dict
