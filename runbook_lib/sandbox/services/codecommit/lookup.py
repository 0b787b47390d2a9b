"""Finds what a call names, or refuses it with CodeCommit's error (CodeCommit API reference)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.codecommit.git import Committed, Files
from runbook_lib.sandbox.services.codecommit.store import CodeCommitStore, Repository

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

NAME = re.compile(r"[\w.-]{1,100}", re.ASCII)
HASH = re.compile(r"[0-9a-f]{40}")
PAGE = 1000


def store(world: World) -> CodeCommitStore:
    """The service's state."""
    found: CodeCommitStore = world.store("codecommit")
    return found


def check_name(name: str) -> str:
    """A repository's name that CodeCommit would take."""
    if not NAME.fullmatch(name) or name.endswith(".git"):
        raise AwsError("InvalidRepositoryNameException", f"The repository name {name} is not valid")
    return name


def named(world: World, name: str) -> Repository:
    """A repository by its name."""
    found = store(world).repositories.get(check_name(name))
    if found is None:
        raise AwsError("RepositoryDoesNotExistException", f"{name} does not exist")
    return found


def repository(world: World, params: dict[str, Any]) -> Repository:
    """The repository that the call names."""
    if "repositoryName" not in params:  # botocore's model does not require it everywhere, CodeCommit does
        raise AwsError("RepositoryNameRequiredException", "A repository name is required, but was not specified.")
    return named(world, params["repositoryName"])


def check_branch(name: str) -> str:
    """A branch's name that git would take."""
    refused = ("..", "~", "^", ":", "?", "*", "[", "\\", " ", "//", "@{")
    if not name or name.startswith(("/", "-")) or name.endswith(("/", ".", ".lock")) or any(r in name for r in refused):
        raise AwsError("InvalidBranchNameException", f"The branch name {name} is not valid")
    return name


def tip(repository: Repository, branch: str) -> str:
    """The commit at the head of a branch."""
    found = repository.git.branches.get(check_branch(branch))
    if found is None:
        raise AwsError("BranchDoesNotExistException", f"Branch {branch} does not exist")
    return found


def commit_by_id(repository: Repository, wanted: str, code: str) -> Committed:
    """A commit by its full hash."""
    if not HASH.fullmatch(wanted):
        raise AwsError("InvalidCommitIdException", f"The commit ID {wanted} is not valid")
    found = repository.git.commit(wanted)
    if found is None:
        raise AwsError(code, "The specified commit ID does not exist.")
    return found


def commit(repository: Repository, specifier: str | None) -> Committed:
    """The commit that a branch, a full reference or a hash stands for; the default branch without one."""
    wanted = specifier or repository.default_branch or ""
    branches = repository.git.branches
    found = repository.git.commit(branches.get(wanted.removeprefix("refs/heads/"), wanted))
    if found is None:
        raise AwsError(
            "CommitDoesNotExistException",
            "The specified commit does not exist or no commit was specified, and the specified repository has no "
            "default branch.",
        )
    return found


def files(repository: Repository, commit: Committed | None) -> Files:
    """The files of a commit; none before the first one."""
    return repository.git.files(commit.tree) if commit else {}


def path(text: str) -> str:
    """A path inside a repository; a leading slash is taken away, as CodeCommit does."""
    found = text.removeprefix("/").rstrip("/")
    if any(part in ("", ".", "..", ".git") for part in found.split("/")) and found:
        raise AwsError("InvalidPathException", f"The specified path {text} is not valid")
    return found


def page(
    items: Sequence[Any], params: dict[str, Any], key: str, *, token: str = "nextToken", size: int = PAGE
) -> dict[str, Any]:
    """One page of a list under the answer's key, with a token where there is more."""
    given = params.get(token) or "0"
    if not given.isdigit() or int(given) > len(items):
        raise AwsError("InvalidContinuationTokenException", "The specified continuation token is not valid.")
    start = int(given)
    answer: dict[str, Any] = {key: list(items[start : start + size])}
    if start + size < len(items):
        answer[token] = str(start + size)
    return answer
