"""CodeCommit on real git objects: its API, git over HTTP, and the archive that a pipeline takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook_lib.sandbox.services.codecommit import (
    branches,
    committing,
    lookup,
    merges,
    pull_requests,
    reading,
    repositories,
    triggers,
    web,
)
from runbook_lib.sandbox.services.codecommit.archive import Member, pack
from runbook_lib.sandbox.services.codecommit.git import Committed
from runbook_lib.sandbox.services.codecommit.store import CodeCommitStore, Repository

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

__all__ = ["HANDLERS", "OPERATIONS", "STORE", "WSGI", "archive", "archive_of", "default_branch"]

STORE = CodeCommitStore
OPERATIONS = {
    **repositories.OPERATIONS,
    **branches.OPERATIONS,
    **committing.OPERATIONS,
    **reading.OPERATIONS,
    **merges.OPERATIONS,
    **pull_requests.OPERATIONS,
    **triggers.OPERATIONS,
}
HANDLERS: dict[str, object] = {}
WSGI = {web.PREFIX: web.application}


def archive(world: World, repository: str, branch: str) -> tuple[str, str, bytes]:
    """The head of a branch: its commit id, its message, and its files as a zip; raises CodeCommit's errors."""
    found = lookup.named(world, repository)
    commit = lookup.commit(found, lookup.tip(found, branch))
    return commit.id, commit.message, _packed(found, commit)


def archive_of(world: World, repository: str, specifier: str) -> tuple[str, bytes]:
    """A branch's or a commit's id and its files as a zip; raises CodeCommit's errors."""
    found = lookup.named(world, repository)
    commit = lookup.commit(found, specifier)
    return commit.id, _packed(found, commit)


def default_branch(world: World, repository: str) -> str:
    """The default branch of a repository; "" before its first commit."""
    return lookup.named(world, repository).default_branch or ""


def _packed(repository: Repository, commit: Committed) -> bytes:
    files = lookup.files(repository, commit)
    return pack({path: Member(entry.mode, repository.git.blob(entry.blob) or b"") for path, entry in files.items()})
