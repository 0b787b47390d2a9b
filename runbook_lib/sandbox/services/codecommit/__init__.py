"""CodeCommit on real git objects: its API, git over HTTP, and the archive that a pipeline takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook_lib.sandbox.services.codecommit import branches, committing, lookup, reading, repositories, web
from runbook_lib.sandbox.services.codecommit.archive import Member, pack
from runbook_lib.sandbox.services.codecommit.store import CodeCommitStore

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

__all__ = ["HANDLERS", "OPERATIONS", "STORE", "WSGI", "archive"]

STORE = CodeCommitStore
OPERATIONS = {
    **repositories.OPERATIONS,
    **branches.OPERATIONS,
    **committing.OPERATIONS,
    **reading.OPERATIONS,
}
HANDLERS: dict[str, object] = {}
WSGI = {web.PREFIX: web.application}


def archive(world: World, repository: str, branch: str) -> tuple[str, str, bytes]:
    """The head of a branch: its commit id, its message, and its files as a zip; raises CodeCommit's errors."""
    found = lookup.named(world, repository)
    commit = lookup.commit(found, lookup.tip(found, branch))
    members = {
        path: Member(entry.mode, found.git.blob(entry.blob) or b"")
        for path, entry in lookup.files(found, commit).items()
    }
    return commit.id, commit.message, pack(members)
