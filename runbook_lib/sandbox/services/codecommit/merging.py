"""How two commits come together: their nearest common ancestor, and what a merge of their files gives.

Source: CodeCommit user guide, merge-conflicts and how-to-merge-branches. Conflicts are found file by file, which is
the default of the API; conflicts line by line are not simulated.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runbook_lib.sandbox.errors import AwsError, not_simulated
from runbook_lib.sandbox.services.codecommit import lookup
from runbook_lib.sandbox.services.codecommit.git import Committed, Files
from runbook_lib.sandbox.services.codecommit.store import Repository

MANUAL = (
    "The pull request cannot be merged automatically into the destination branch. You must manually merge the branches "
    "and resolve any conflicts."
)
STRATEGIES = ("NONE", "ACCEPT_SOURCE", "ACCEPT_DESTINATION")


@dataclass(frozen=True)
class Merge:
    """What comes of merging a source into a destination; `base` is None where they have no common commit."""

    source: Committed
    destination: Committed
    base: Committed | None
    files: Files
    conflicts: tuple[str, ...]  # paths

    @property
    def fast_forward(self) -> bool:
        """Whether the destination needs only to move ahead."""
        return self.base is not None and self.base.id == self.destination.id


def plan(repository: Repository, params: Mapping[str, Any], source: Committed, destination: Committed) -> Merge:
    """A merge as the call wants its conflicts resolved."""
    strategy = params.get("conflictResolutionStrategy", "NONE")
    if params.get("conflictDetailLevel", "FILE_LEVEL") != "FILE_LEVEL" or strategy not in STRATEGIES:
        raise not_simulated("codecommit: merging line by line (LINE_LEVEL, AUTOMERGE)")
    if params.get("conflictResolution"):
        raise not_simulated("codecommit: conflictResolution")
    base = _base(repository, source, destination)
    before, theirs, ours = (lookup.files(repository, one) for one in (base, source, destination))
    files: Files = {}
    conflicts = []
    for path in sorted({*before, *theirs, *ours}):
        old, new, kept = before.get(path), theirs.get(path), ours.get(path)
        clash = new != kept and old not in (new, kept)
        if clash and strategy == "NONE":
            conflicts.append(path)
        chosen = new if kept == old or (clash and strategy == "ACCEPT_SOURCE") else kept
        if chosen is not None:
            files[path] = chosen
    return Merge(source, destination, base, files, tuple(conflicts))


def _base(repository: Repository, one: Committed, other: Committed) -> Committed | None:
    """The nearest commit that both descend from, or that one of them is."""
    known = set(_ancestry(repository, one))
    return next((repository.git.commit(name) for name in _ancestry(repository, other) if name in known), None)


def _ancestry(repository: Repository, commit: Committed) -> list[str]:
    """A commit and all that it descends from, nearest first."""
    found: dict[str, None] = {}
    waiting = deque([commit.id])
    while waiting:
        name = waiting.popleft()
        read = None if name in found else repository.git.commit(name)
        if read is not None:
            found[name] = None
            waiting.extend(read.parents)
    return list(found)


def must_merge(merge: Merge, *, fast_forward: bool = False) -> None:
    """Raises ManualMergeRequiredException unless the merge needs nobody's decision."""
    if merge.conflicts or (fast_forward and not merge.fast_forward):
        raise AwsError("ManualMergeRequiredException", MANUAL)
