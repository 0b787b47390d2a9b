"""The source repository: its files, its commits, and the one commit that brings several files at once.

It is CodeCommit's, read and written by its API, or a git host's, by git; plans have the same steps for both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from runbook_lib.account import Account
from runbook_lib.errors import BadInput
from runbook_lib.inventory import Item
from runbook_lib.planning import change, make
from runbook_lib.step import Made, Ref, Step
from runbook_lib.system import System

AUTHOR = "runbook"
EMAIL = "runbook@example.invalid"
KEPT = "kept: history is never rewritten; a further commit takes it back"


@dataclass(frozen=True)
class Commit:
    """A commit; `id` is its full hash."""

    id: str
    message: str
    parent: str | None


@dataclass(frozen=True)
class Repository:
    """What exists of the source repository; `head` is None while the branch has no commit."""

    name: str
    exists: bool
    branch: str
    head: Commit | None
    files: Mapping[str, bytes]  # of those that were asked for, the ones that are there


def read_repository(
    account: Account, system: System, paths: Iterable[str] = (), *, branch: str | None = None
) -> Repository:
    """The repository, the head of a branch (the pipeline's, unless another is named) and the files at these paths."""
    source = _SOURCES[system.params.repository.provider](account, system)
    branch = branch or system.branch
    if not source.exists():
        return Repository(system.repository, False, branch, None, {})
    head = source.head(branch)
    files = {path: source.file(head, path) for path in paths} if head else {}
    present = {path: content for path, content in files.items() if content is not None}
    return Repository(system.repository, True, branch, head, present)


def plan_repository(system: System, repository: Repository, items: Iterable[Item]) -> tuple[Step, ...]:
    """The steps that make the repository and bring the application's files into it as its first commit.

    A git host's repository is there already and never made; it gets the files only when its branch has no commit.
    """
    folder = system.application.directory
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder_files(folder)}
    create = () if system.from_git_host else (_plan_create(system, repository, items),)
    first = plan_commit(
        system,
        repository,
        {} if repository.head else files,
        step="repository.first_commit",
        message=f"The application {folder.name}",
        why="the pipeline needs something to build",
    )
    return *create, first, *_repairs(system, repository)


def _plan_create(system: System, repository: Repository, items: Iterable[Item]) -> Step:
    return make(
        "repository",
        "Make the source repository",
        "codecommit:create_repository",
        {"repositoryName": system.repository, "tags": system.tags},
        made=Made("codecommit:repository", system.repository),
        found={} if repository.exists else None,
        items=items,
    )


def _repairs(system: System, repository: Repository) -> tuple[Step, ...]:
    """A commit of its own for what the buildspec cannot succeed without; nothing else of the application is touched."""
    required = [repair for repair in system.application.repairs if repair.required]
    path = system.application.buildspec_path
    unmended = required and repository.files.get(path) == required[-1].edit.before.encode()
    if not required or (repository.head and not (system.from_git_host and unmended)):
        return ()
    repaired = replace(repository, files={})
    step = plan_commit(
        system,
        repaired,
        {path: required[-1].edit.after.encode()},
        step="repository.repairs",
        message="; ".join(repair.title for repair in required),
        why="; ".join(repair.reason for repair in required),
    )
    if repository.head:
        return (step,)
    return (replace(step, arguments={**step.arguments, "parentCommitId": commit_ref("repository.first_commit")}),)


def plan_commit(
    system: System, repository: Repository, files: Mapping[str, bytes], *, step: str, message: str, why: str
) -> Step:
    """One commit that brings all these files at once; nothing to do when they are there, byte for byte."""
    missing = {path: content for path, content in files.items() if repository.files.get(path) != content}
    call, place = _COMMIT[system.params.repository.provider](system, message)
    arguments: dict[str, Any] = {
        **place,
        "branchName": repository.branch,
        "commitMessage": message,
        "putFiles": [{"filePath": path, "fileContent": content} for path, content in sorted(missing.items())],
    }
    if repository.head:
        arguments["parentCommitId"] = repository.head.id
    return change(
        step,
        f"Commit {', '.join(sorted(missing)) if len(missing) < 5 else f'{len(missing)} files'} to {repository.branch}"
        if missing
        else f"Commit to {repository.branch}",
        call,
        arguments,
        touches=f"{system.repository}@{repository.branch}",
        needed=why if missing else None,
        already="the files are there already, byte for byte",
        present={"commitId": repository.head.id} if repository.head else {},
        undo=KEPT,
    )


def plan_branch(system: System, source: Repository, draft: Repository) -> Step:
    """The step that makes a branch off the head of the pipeline's branch."""
    call, place = _BRANCH[system.params.repository.provider](system)
    return change(
        f"repository.branch.{draft.branch}",
        f"Make the branch {draft.branch}",
        call,
        {**place, "branchName": draft.branch, "commitId": source.head.id if source.head else ""},
        touches=f"{system.repository}@{draft.branch}",
        needed=None if draft.head else "no pipeline watches it: all files reach the pipeline's branch in one commit",
        undo="delete the branch",
    )


def commit_ref(step: str) -> Ref:
    """The id of the commit that a step of the same plan makes or finds."""
    return Ref(step, "commitId")


def folder_files(folder: Path) -> tuple[Path, ...]:
    """The files of an application's folder, without version control and caches, in order."""
    hidden = {".git", "__pycache__", ".pytest_cache", "node_modules", ".venv"}
    found = tuple(sorted(p for p in folder.rglob("*") if p.is_file() and not hidden & set(p.relative_to(folder).parts)))
    if not found:
        raise BadInput(
            where=str(folder),
            seen="a folder without files",
            wanted="the application's source with its Dockerfile and buildspec",
            next_step="name the right folder in the parameter application",
        )
    return found


def _commit_by_api(system: System, message: str) -> tuple[str, dict[str, Any]]:
    del message
    return "codecommit:create_commit", {
        "repositoryName": system.repository,
        "authorName": AUTHOR,
        "email": EMAIL,
    }


def _commit_by_git(system: System, message: str) -> tuple[str, dict[str, Any]]:
    # A protected branch takes no push: the commit waits on this one for a pull request.
    aside = f"runbook/{re.sub(r'[^A-Za-z0-9.]+', '-', message).strip('-.').lower()}"
    return "git:push_commit", {"remote": system.remote, "author": f"{AUTHOR} <{EMAIL}>", "asideBranch": aside}


@dataclass(frozen=True)
class CodeCommit:
    """How a repository of CodeCommit is read."""

    account: Account
    system: System

    @property
    def client(self) -> Any:
        return self.account.client("codecommit")

    def exists(self) -> bool:
        try:
            self.client.get_repository(repositoryName=self.system.repository)
        except self.client.exceptions.RepositoryDoesNotExistException:
            return False
        return True

    def head(self, branch: str) -> Commit | None:
        name = {"repositoryName": self.system.repository}
        try:
            found = self.client.get_branch(**name, branchName=branch)["branch"]
        except self.client.exceptions.BranchDoesNotExistException:
            return None
        commit = self.client.get_commit(**name, commitId=found["commitId"])["commit"]
        parents = commit.get("parents") or [None]
        return Commit(commit["commitId"], commit.get("message", "").strip(), parents[0])

    def file(self, commit: Commit, path: str) -> bytes | None:
        name = {"repositoryName": self.system.repository, "commitSpecifier": commit.id}
        try:
            return self.client.get_file(**name, filePath=path)["fileContent"]
        except self.client.exceptions.FileDoesNotExistException:
            return None


@dataclass(frozen=True)
class GitHost:
    """How a repository of a git host is read."""

    account: Account
    system: System

    def exists(self) -> bool:
        """It was not made by us: one that cannot be read is an error, said by `head`."""
        return True

    def head(self, branch: str) -> Commit | None:
        git = self.account.client("git")
        id = git.head(self.system.remote, branch)
        return Commit(id, *git.message(self.system.remote, branch, id)) if id else None

    def file(self, commit: Commit, path: str) -> bytes | None:
        found: bytes | None = self.account.client("git").file(commit.id, path)
        return found


_SOURCES: dict[str, Callable[[Account, System], CodeCommit | GitHost]] = {"codecommit": CodeCommit, "github": GitHost}
_COMMIT = {"codecommit": _commit_by_api, "github": _commit_by_git}
_BRANCH: dict[str, Callable[[System], tuple[str, dict[str, Any]]]] = {
    "codecommit": lambda system: ("codecommit:create_branch", {"repositoryName": system.repository}),
    "github": lambda system: ("git:push_branch", {"remote": system.remote}),
}
