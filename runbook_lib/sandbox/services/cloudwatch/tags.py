"""Tags of alarms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.cloudwatch.store import store

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call


def add(call: Call) -> dict[str, Any]:
    """Tag an alarm."""
    _of(call).update({tag["Key"]: tag["Value"] for tag in call.params["Tags"]})
    return {}


def remove(call: Call) -> dict[str, Any]:
    """Take tags from an alarm."""
    for name in call.params["TagKeys"]:
        _of(call).pop(name, None)
    return {}


def read(call: Call) -> dict[str, Any]:
    """The tags of an alarm."""
    return {"Tags": [{"Key": name, "Value": value} for name, value in sorted(_of(call).items())]}


def _of(call: Call) -> dict[str, str]:
    arn = call.params["ResourceARN"]
    if arn.rpartition(":alarm:")[2] not in store(call.world).alarms:
        raise AwsError("ResourceNotFoundException", f"{arn} does not exist", 404)
    return store(call.world).tags.setdefault(arn, {})
