"""Finds what a call names, or refuses it with ECR's error."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.ecr.store import EcrStore, Repository

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

NAME = r"(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*"
PAGE = 100


def repositories(world: World, region: str) -> dict[str, Repository]:
    """The repositories of a region."""
    store: EcrStore = world.store("ecr")
    return store.regions.setdefault(region, {})


def repository(call: Call) -> Repository:
    """The repository that the call names."""
    return named(call, call.params["repositoryName"])


def named(call: Call, name: str) -> Repository:
    """A repository of the registry that the call means, which is the account's own unless it says otherwise."""
    registry = call.params.get("registryId", call.account)
    found = repositories(call.world, call.region).get(name) if registry == call.account else None
    if found is None:
        raise AwsError(
            "RepositoryNotFoundException",
            f"The repository with name '{name}' does not exist in the registry with id '{registry}'",
        )
    return found


def by_arn(call: Call) -> Repository:
    """The repository whose ARN the call names."""
    arn = call.params["resourceArn"]
    known = {each.arn: each for each in repositories(call.world, call.region).values()}
    if arn not in known:
        raise AwsError(
            "RepositoryNotFoundException",
            f"The repository with name '{arn.partition('repository/')[2]}' does not exist in the registry with id "
            f"'{call.account}'",
        )
    return known[arn]


def check_name(name: str) -> None:
    """Refuse a name that ECR would not take."""
    if not re.fullmatch(NAME, name) or not 2 <= len(name) <= 256:
        raise invalid("repositoryName", f"must satisfy regular expression '{NAME}'")


def invalid(parameter: str, wanted: str) -> AwsError:
    """ECR's refusal of a parameter."""
    return AwsError(
        "InvalidParameterException", f"Invalid parameter at '{parameter}' failed to satisfy constraint: '{wanted}'"
    )


def place(repository: Repository, account: str) -> str:
    """How ECR's messages name a repository."""
    return f"repository with name '{repository.name}' in the registry with id '{account}'"


def page(items: Sequence[Any], params: dict[str, Any], key: str) -> dict[str, Any]:
    """One page of a list under the answer's key, with nextToken where there is more."""
    token = params.get("nextToken") or "0"
    if not token.isdigit() or int(token) > len(items):
        raise invalid("nextToken", "Invalid token")
    start, size = int(token), params.get("maxResults", PAGE)
    answer: dict[str, Any] = {key: list(items[start : start + size])}
    if start + size < len(items):
        answer["nextToken"] = str(start + size)
    return answer
