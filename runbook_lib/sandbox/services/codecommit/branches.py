"""Branches, and the event that tells of every change of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox import services
from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.codecommit import lookup, repositories, triggers
from runbook_lib.sandbox.services.codecommit.store import Repository

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

CREATED, UPDATED, DELETED = "referenceCreated", "referenceUpdated", "referenceDeleted"


def move(world: World, repository: Repository, branch: str, commit: str | None, *, caller: str) -> None:
    """Let a branch point to a commit, or to nothing; the first branch of a repository becomes its default."""
    former = repository.git.branches.pop(branch, None)
    if commit is not None:
        repository.git.branches[branch] = commit
        repository.default_branch = repository.default_branch or branch
    repository.modified = world.now
    event = DELETED if commit is None else UPDATED if former else CREATED
    triggers.fire(world, repository, triggers.Moved(branch, event, commit, caller))
    _announce(world, repository, branch, former, commit, caller)


def _announce(
    world: World, repository: Repository, branch: str, former: str | None, commit: str | None, caller: str
) -> None:
    """The event of CodeCommit user guide, monitoring-events."""
    events = services.module("events")
    if events is None:
        return
    detail = {
        "callerUserArn": caller,
        "event": DELETED if commit is None else UPDATED if former else CREATED,
        "referenceFullName": f"refs/heads/{branch}",
        "referenceName": branch,
        "referenceType": "branch",
        "repositoryId": repository.id,
        "repositoryName": repository.name,
        **({"commitId": commit} if commit else {}),
        **({"oldCommitId": former} if former else {}),
    }
    events.emit(
        world,
        source="aws.codecommit",
        detail_type="CodeCommit Repository State Change",
        resources=[repositories.arn(world, repository)],
        detail=detail,
    )


def get(call: Call) -> dict[str, Any]:
    """GetBranch."""
    name = call.params.get("branchName", "")
    found = lookup.tip(lookup.repository(call.world, call.params), name)
    return {"branch": {"branchName": name, "commitId": found}}


def list_(call: Call) -> dict[str, Any]:
    """ListBranches."""
    return lookup.page(sorted(lookup.repository(call.world, call.params).git.branches), call.params, "branches")


def create(call: Call) -> dict[str, Any]:
    """CreateBranch at a commit."""
    repository, name = lookup.repository(call.world, call.params), lookup.check_branch(call.params["branchName"])
    commit = lookup.commit_by_id(repository, call.params["commitId"], "CommitDoesNotExistException")
    if name in repository.git.branches:
        raise AwsError(
            "BranchNameExistsException",
            "Cannot create the branch with the specified name because the commit conflicts with an existing branch "
            "with the same name. Branch names must be unique.",
        )
    move(call.world, repository, name, commit.id, caller=call.caller)
    return {}


def delete(call: Call) -> dict[str, Any]:
    """DeleteBranch: never the default one; an unknown one is no error."""
    repository, name = lookup.repository(call.world, call.params), lookup.check_branch(call.params["branchName"])
    if name == repository.default_branch:
        raise AwsError(
            "DefaultBranchCannotBeDeletedException",
            "The specified branch is the default branch for the repository, and cannot be deleted. To delete this "
            "branch, you must first set another branch as the default branch.",
        )
    commit = repository.git.branches.get(name)
    if commit is None:
        return {}
    move(call.world, repository, name, None, caller=call.caller)
    return {"deletedBranch": {"branchName": name, "commitId": commit}}


def update_default(call: Call) -> dict[str, Any]:
    """UpdateDefaultBranch."""
    repository = lookup.repository(call.world, call.params)
    lookup.tip(repository, call.params["defaultBranchName"])
    repository.default_branch, repository.modified = call.params["defaultBranchName"], call.world.now
    return {}


OPERATIONS = {
    "GetBranch": get,
    "ListBranches": list_,
    "CreateBranch": create,
    "DeleteBranch": delete,
    "UpdateDefaultBranch": update_default,
}
