"""Tags of applications, deployment groups and configurations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.codedeploy import lookup

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

MAX_TAGS = 50


def from_list(listed: list[dict[str, str]]) -> dict[str, str]:
    """The tags of a call, by key; refuses reserved and missing keys."""
    tags = {tag.get("Key", ""): tag.get("Value", "") for tag in listed}
    for key in tags:
        if not key or len(key) > 128 or key.lower().startswith("aws:"):
            raise AwsError("InvalidTagsToAddException", f"The tag key {key!r} is not valid.")
    if len(tags) > MAX_TAGS:
        raise AwsError("InvalidTagsToAddException", f"At most {MAX_TAGS} tags can be set; there are {len(tags)}.")
    return tags


def arn(world: World, kind: str, name: str) -> str:
    """The ARN of an application, a deploymentgroup ("app/group") or a deploymentconfig."""
    return world.arn("codedeploy", f"{kind}:{name}")


def _tags_of(call: Call) -> dict[str, str]:
    wanted = call.params.get("ResourceArn") or ""
    if not wanted:
        raise AwsError("ResourceArnRequiredException", "The ARN of a resource is required, but was not found.")
    parts = wanted.split(":", 6)
    if len(parts) != 7 or parts[0] != "arn" or parts[2] != "codedeploy":
        raise AwsError("InvalidArnException", f"The specified ARN is not in a valid format: {wanted}")
    kind, name = parts[5], parts[6]
    if kind == "application":
        return lookup.application(call.world, {"applicationName": name}).tags
    if kind == "deploymentgroup" and "/" in name:
        app, group = name.split("/", 1)
        return lookup.group(call.world, {"applicationName": app, "deploymentGroupName": group})[1].tags
    if kind == "deploymentconfig":
        return lookup.config(call.world, name).tags
    raise AwsError("ArnNotSupportedException", f"The specified ARN is not supported: {wanted}")


def tag(call: Call) -> dict[str, Any]:
    """TagResource."""
    added = from_list(call.params.get("Tags") or [])
    if not added:
        raise AwsError("TagRequiredException", "A tag was not specified.")
    _tags_of(call).update(added)
    return {}


def untag(call: Call) -> dict[str, Any]:
    """UntagResource."""
    keys = call.params.get("TagKeys") or []
    if not keys:
        raise AwsError("TagRequiredException", "A tag was not specified.")
    tags = _tags_of(call)
    for key in keys:
        tags.pop(key, None)
    return {}


def list_(call: Call) -> dict[str, Any]:
    """ListTagsForResource."""
    return {"Tags": [{"Key": key, "Value": value} for key, value in _tags_of(call).items()]}


OPERATIONS = {"TagResource": tag, "UntagResource": untag, "ListTagsForResource": list_}
