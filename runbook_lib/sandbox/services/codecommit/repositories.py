"""Repositories and their tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.codecommit import lookup
from runbook_lib.sandbox.services.codecommit.store import Repository

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World


def arn(world: World, repository: Repository) -> str:
    """The ARN of a repository."""
    return world.arn("codecommit", repository.name)


def create(call: Call) -> dict[str, Any]:
    """CreateRepository: without a branch until the first commit."""
    name = lookup.check_name(call.params["repositoryName"])
    _must_be_free(call.world, name)
    made = Repository(
        name=name,
        id=call.world.ids.uuid("codecommit repository"),
        description=call.params.get("repositoryDescription"),
        created=call.world.now,
        modified=call.world.now,
        tags=dict(call.params.get("tags", {})),
        kms_key=call.params.get("kmsKeyId"),
    )
    lookup.store(call.world).repositories[name] = made
    return {"repositoryMetadata": _shown(call.world, made)}


def _must_be_free(world: World, name: str) -> None:
    if name in lookup.store(world).repositories:
        raise AwsError("RepositoryNameExistsException", f"Repository named {name} already exists")


def _shown(world: World, repository: Repository) -> dict[str, Any]:
    own = world.settings
    host = f"git-codecommit.{own.region}.amazonaws.com"
    shown = {
        "accountId": own.account,
        "repositoryId": repository.id,
        "repositoryName": repository.name,
        "repositoryDescription": repository.description,
        "defaultBranch": repository.default_branch,
        "lastModifiedDate": world.datetime(repository.modified),
        "creationDate": world.datetime(repository.created),
        "cloneUrlHttp": f"https://{host}/v1/repos/{repository.name}",
        "cloneUrlSsh": f"ssh://{host}/v1/repos/{repository.name}",
        "Arn": arn(world, repository),
        "kmsKeyId": repository.kms_key,
    }
    return {key: value for key, value in shown.items() if value is not None}


def get(call: Call) -> dict[str, Any]:
    """GetRepository."""
    return {"repositoryMetadata": _shown(call.world, lookup.repository(call.world, call.params))}


def batch_get(call: Call) -> dict[str, Any]:
    """BatchGetRepositories."""
    known = lookup.store(call.world).repositories
    names = call.params["repositoryNames"]
    return {
        "repositories": [_shown(call.world, known[name]) for name in names if name in known],
        "repositoriesNotFound": [name for name in names if name not in known],
        "errors": [],
    }


def list_(call: Call) -> dict[str, Any]:
    """ListRepositories, by name or by the time of the last change."""
    known = lookup.store(call.world).repositories.values()
    by_time = call.params.get("sortBy", "repositoryName") == "lastModifiedDate"
    ordered = sorted(known, key=lambda each: (each.modified if by_time else 0.0, each.name))
    if call.params.get("order", "ascending") == "descending":
        ordered.reverse()
    shown = [{"repositoryName": each.name, "repositoryId": each.id} for each in ordered]
    return lookup.page(shown, call.params, "repositories")


def delete(call: Call) -> dict[str, Any]:
    """DeleteRepository: an unknown name is no error."""
    gone = lookup.store(call.world).repositories.pop(lookup.check_name(call.params["repositoryName"]), None)
    return {"repositoryId": gone.id} if gone else {}


def rename(call: Call) -> dict[str, Any]:
    """UpdateRepositoryName."""
    found = lookup.named(call.world, call.params["oldName"])
    name = lookup.check_name(call.params["newName"])
    _must_be_free(call.world, name)
    known = lookup.store(call.world).repositories
    known[name] = known.pop(found.name)
    found.name, found.modified = name, call.world.now
    return {}


def describe(call: Call) -> dict[str, Any]:
    """UpdateRepositoryDescription."""
    found = lookup.repository(call.world, call.params)
    found.description, found.modified = call.params.get("repositoryDescription"), call.world.now
    return {}


def _by_arn(call: Call) -> Repository:
    return lookup.named(call.world, call.params["resourceArn"].rpartition(":")[2])


def tag(call: Call) -> dict[str, Any]:
    """TagResource."""
    _by_arn(call).tags.update(call.params["tags"])
    return {}


def untag(call: Call) -> dict[str, Any]:
    """UntagResource."""
    tags = _by_arn(call).tags
    for key in call.params["tagKeys"]:
        tags.pop(key, None)
    return {}


def list_tags(call: Call) -> dict[str, Any]:
    """ListTagsForResource."""
    return {"tags": dict(sorted(_by_arn(call).tags.items()))}


OPERATIONS = {
    "CreateRepository": create,
    "GetRepository": get,
    "BatchGetRepositories": batch_get,
    "ListRepositories": list_,
    "DeleteRepository": delete,
    "UpdateRepositoryName": rename,
    "UpdateRepositoryDescription": describe,
    "TagResource": tag,
    "UntagResource": untag,
    "ListTagsForResource": list_tags,
}
