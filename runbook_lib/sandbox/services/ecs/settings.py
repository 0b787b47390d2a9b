"""Account settings of ECS, for the account or for one principal.

Source: ECS developer guide, ecs-account-settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.ecs import lookup
from runbook_lib.sandbox.services.ecs.store import store

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call

ON_OFF = ("enabled", "disabled", "on", "off")
DEFAULTS = {
    "serviceLongArnFormat": "enabled",
    "taskLongArnFormat": "enabled",
    "containerInstanceLongArnFormat": "enabled",
    "awsvpcTrunking": "disabled",
    "containerInsights": "disabled",
    "fargateFIPSMode": "disabled",
    "tagResourceAuthorization": "on",
    "fargateTaskRetirementWaitPeriod": "7",
    "guardDutyActivate": "off",
    "defaultLogDriverMode": "non-blocking",
}
VALUES: Mapping[str, tuple[str, ...]] = {
    "containerInsights": ("enabled", "enhanced", "disabled"),
    "fargateTaskRetirementWaitPeriod": ("0", "7", "14"),
    "defaultLogDriverMode": ("blocking", "non-blocking"),
}
ACCOUNT = ""  # the key of what holds for every principal


def put(call: Call) -> dict[str, Any]:
    """PutAccountSetting, for the caller or the principal that is named."""
    return _put(call, call.params.get("principalArn", call.caller))


def put_default(call: Call) -> dict[str, Any]:
    """PutAccountSettingDefault."""
    return _put(call, ACCOUNT)


def _put(call: Call, principal: str) -> dict[str, Any]:
    name, value = call.params["name"], call.params["value"]
    if name not in DEFAULTS or value not in VALUES.get(name, ON_OFF):
        raise AwsError("InvalidParameterException", f"'{value}' is not a valid value for the account setting '{name}'.")
    store(call.world).account_settings.setdefault(principal, {})[name] = value
    return {"setting": _shown(call, principal, name, value)}


def list_(call: Call) -> dict[str, Any]:
    """ListAccountSettings: what was set, or everything that holds when effective settings are asked for."""
    principal, known = call.params.get("principalArn", call.caller), store(call.world).account_settings
    values = {**known.get(ACCOUNT, {}), **known.get(principal, {})}
    if call.params.get("effectiveSettings"):
        values = {**DEFAULTS, **values}
    wanted, value = call.params.get("name"), call.params.get("value")
    found = [
        _shown(call, principal, name, held)
        for name, held in values.items()
        if wanted in (None, name) and value in (None, held)
    ]
    return lookup.page(found, call.params, "settings")


def delete(call: Call) -> dict[str, Any]:
    """DeleteAccountSetting: the account's default holds again."""
    principal, name = call.params.get("principalArn", call.caller), call.params["name"]
    known = store(call.world).account_settings
    known.get(principal, {}).pop(name, None)
    held = {**DEFAULTS, **known.get(ACCOUNT, {})}.get(name)
    if held is None:
        raise AwsError("InvalidParameterException", f"There is no account setting '{name}'.")
    return {"setting": _shown(call, principal, name, held)}


def _shown(call: Call, principal: str, name: str, value: str) -> dict[str, Any]:
    owner = principal or call.world.arn("iam", "root", regional=False)
    return {"name": name, "value": value, "principalArn": owner, "type": "user"}


OPERATIONS = {
    "PutAccountSetting": put,
    "PutAccountSettingDefault": put_default,
    "ListAccountSettings": list_,
    "DeleteAccountSetting": delete,
}
