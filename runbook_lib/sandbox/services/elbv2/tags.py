"""Tags of load balancers, target groups, listeners and rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.elbv2.store import store

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

MOST = 50
KINDS = {
    "loadbalancer": ("LoadBalancerNotFound", "One or more load balancers not found"),
    "targetgroup": ("TargetGroupNotFound", "One or more target groups not found"),
    "listener": ("ListenerNotFound", "One or more listeners not found"),
    "listener-rule": ("RuleNotFound", "One or more rules not found"),
}


def read(tags: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """A list of keys and values as a dictionary; raises AwsError where a key stands twice."""
    found: dict[str, str] = {}
    for tag in tags:
        if tag["Key"] in found:
            raise AwsError("DuplicateTagKeys", "A tag key was specified more than once")
        found[tag["Key"]] = tag.get("Value", "")
    if len(found) > MOST:
        raise AwsError("TooManyTags", f"The maximum number of tags is {MOST}")
    return found


def keep(world: World, arn: str, tags: Mapping[str, str]) -> None:
    """Give a new thing its tags."""
    store(world).tags[arn] = dict(tags)


def add(call: Call) -> dict[str, Any]:
    """AddTags."""
    new = read(call.params["Tags"])
    for arn in call.params["ResourceArns"]:
        tags = _tags(call.world, arn)
        if len({**tags, **new}) > MOST:
            raise AwsError("TooManyTags", f"The maximum number of tags is {MOST}")
        tags.update(new)
    return {}


def remove(call: Call) -> dict[str, Any]:
    """RemoveTags."""
    for arn in call.params["ResourceArns"]:
        for key in call.params["TagKeys"]:
            _tags(call.world, arn).pop(key, None)
    return {}


def describe(call: Call) -> dict[str, Any]:
    """DescribeTags."""
    found = [(arn, _tags(call.world, arn)) for arn in call.params["ResourceArns"]]
    return {
        "TagDescriptions": [
            {"ResourceArn": arn, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}
            for arn, tags in found
        ]
    }


def _tags(world: World, arn: str) -> dict[str, str]:
    tags = store(world).tags
    if arn not in tags:
        kind = arn.split(":", 5)[-1].partition("/")[0]
        raise AwsError(*KINDS.get(kind, ("ValidationError", f"'{arn}' is not a valid ARN")))
    return tags[arn]


OPERATIONS = {"AddTags": add, "RemoveTags": remove, "DescribeTags": describe}
