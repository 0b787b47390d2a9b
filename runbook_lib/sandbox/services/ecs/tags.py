"""Tags of clusters, services, task definitions and tasks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.ecs.store import store

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

MOST = 50


def read(tags: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """A list of keys and values as a dictionary; raises AwsError where they break a rule."""
    listed = list(tags)
    found = {tag.get("key", ""): tag.get("value", "") for tag in listed}
    if len(found) != len(listed):
        raise AwsError(
            "InvalidParameterException", "Duplicate tag keys found. Please note that Tag keys are case insensitive."
        )
    if any(key.lower().startswith("aws:") for key in found):
        raise AwsError("InvalidParameterException", "Tag keys that begin with aws: are reserved")
    if len(found) > MOST:
        raise AwsError("InvalidParameterException", f"The maximum number of tags is {MOST}")
    return found


def shown(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as the API lists them."""
    return [{"key": key, "value": value} for key, value in tags.items()]


def of(world: World, arn: str) -> list[dict[str, str]]:
    """The tags of a resource as the API lists them."""
    return shown(store(world).tags.get(arn, {}))


def keep(world: World, arn: str, tags: Mapping[str, str]) -> None:
    """Give a resource its tags."""
    store(world).tags[arn] = dict(tags)


def tag(call: Call) -> dict[str, Any]:
    """TagResource."""
    known = _known(call.world, call.params["resourceArn"])
    new = {**known, **read(call.params["tags"])}
    read(shown(new))
    known.update(new)
    return {}


def untag(call: Call) -> dict[str, Any]:
    """UntagResource."""
    known = _known(call.world, call.params["resourceArn"])
    for key in call.params["tagKeys"]:
        known.pop(key, None)
    return {}


def list_(call: Call) -> dict[str, Any]:
    """ListTagsForResource."""
    return {"tags": shown(_known(call.world, call.params["resourceArn"]))}


def _known(world: World, arn: str) -> dict[str, str]:
    tags = store(world).tags
    if arn not in tags:
        raise AwsError(
            "InvalidParameterException", "The specified resource was not found. Verify the ARN and try again."
        )
    return tags[arn]


OPERATIONS = {"TagResource": tag, "UntagResource": untag, "ListTagsForResource": list_}
