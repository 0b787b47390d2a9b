"""Merging branches: by fast forward, as one commit, or with both parents; and what would come of it.

Source: CodeCommit API reference, MergeBranchesBy..., GetMergeOptions and GetMergeConflicts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.services.codecommit import branches, committing, lookup, merging
from runbook_lib.sandbox.services.codecommit.merging import Merge
from runbook_lib.sandbox.services.codecommit.store import Repository

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call

FAST_FORWARD, SQUASH, THREE_WAY = "FAST_FORWARD_MERGE", "SQUASH_MERGE", "THREE_WAY_MERGE"
OPTIONS = (FAST_FORWARD, SQUASH, THREE_WAY)


def merge_branches(call: Call) -> dict[str, Any]:
    """MergeBranchesByFastForward, ...BySquash and ...ByThreeWay; the target branch moves where one is named."""
    repository, merge = _asked(call)
    option = next(name for ending, name in ENDINGS.items() if call.operation.endswith(ending))
    commit = perform(call, repository, merge, option)
    branch = call.params.get("targetBranch") or _branch(repository, call.params["destinationCommitSpecifier"])
    if branch:
        lookup.tip(repository, branch)
        branches.move(call.world, repository, branch, commit, caller=call.caller)
    made = repository.git.commit(commit)
    return {"commitId": commit, "treeId": made.tree if made else ""}


ENDINGS = {"ByFastForward": FAST_FORWARD, "BySquash": SQUASH, "ByThreeWay": THREE_WAY}


def _asked(call: Call) -> tuple[Repository, Merge]:
    repository, params = lookup.repository(call.world, call.params), call.params
    source = lookup.commit(repository, params["sourceCommitSpecifier"])
    destination = lookup.commit(repository, params["destinationCommitSpecifier"])
    return repository, merging.plan(repository, params, source, destination)


def _branch(repository: Repository, specifier: str) -> str:
    name = specifier.removeprefix("refs/heads/")
    return name if name in repository.git.branches else ""


def perform(call: Call, repository: Repository, merge: Merge, option: str) -> str:
    """Make the commit that a merge gives; its id. The destination's own branch is not moved."""
    merging.must_merge(merge, fast_forward=option == FAST_FORWARD)
    if option == FAST_FORWARD:
        return merge.source.id
    parents = [merge.destination.id] + ([merge.source.id] if option == THREE_WAY else [])
    return repository.git.put_commit(
        tree=repository.git.put_tree(merge.files),
        parents=parents,
        author=committing.person(call, call.params.get("authorName")),
        message=call.params.get("commitMessage", ""),
        time=call.world.now,
    )


def get_options(call: Call) -> dict[str, Any]:
    """GetMergeOptions: the ways that need nobody's decision."""
    _, merge = _asked(call)
    possible = [option for option in OPTIONS if _possible(merge, option)]
    return {"mergeOptions": possible, **_ids(merge)}


def _possible(merge: Merge, option: str) -> bool:
    return merge.fast_forward if option == FAST_FORWARD else not merge.conflicts


def _ids(merge: Merge) -> dict[str, str]:
    base = {"baseCommitId": merge.base.id} if merge.base else {}
    return {"sourceCommitId": merge.source.id, "destinationCommitId": merge.destination.id, **base}


def get_conflicts(call: Call) -> dict[str, Any]:
    """GetMergeConflicts, file by file."""
    _, merge = _asked(call)
    found = [_conflict(path) for path in merge.conflicts]
    size = call.params.get("maxConflictFiles", lookup.PAGE)
    page = lookup.page(found, call.params, "conflictMetadataList", size=size)
    return {"mergeable": _possible(merge, call.params["mergeOption"]), **_ids(merge), **page}


def _conflict(path: str) -> Mapping[str, Any]:
    return {"filePath": path, "numberOfConflicts": 1, "contentConflict": True}


OPERATIONS = {
    "MergeBranchesByFastForward": merge_branches,
    "MergeBranchesBySquash": merge_branches,
    "MergeBranchesByThreeWay": merge_branches,
    "GetMergeOptions": get_options,
    "GetMergeConflicts": get_conflicts,
}
