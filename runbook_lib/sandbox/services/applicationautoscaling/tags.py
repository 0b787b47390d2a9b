"""Tags of scalable targets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.applicationautoscaling.store import store

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call


def add(call: Call) -> dict[str, Any]:
    """TagResource."""
    _tags(call).update(call.params["Tags"])
    return {}


def remove(call: Call) -> dict[str, Any]:
    """UntagResource."""
    for key in call.params["TagKeys"]:
        _tags(call).pop(key, None)
    return {}


def read(call: Call) -> dict[str, Any]:
    """ListTagsForResource."""
    return {"Tags": dict(_tags(call))}


def _tags(call: Call) -> dict[str, str]:
    arn = call.params["ResourceARN"]
    if arn not in store(call.world).tags:
        text = f"The scalable target with ARN {arn} does not exist"
        raise AwsError("ResourceNotFoundException", text)
    return store(call.world).tags[arn]


OPERATIONS = {"TagResource": add, "UntagResource": remove, "ListTagsForResource": read}
