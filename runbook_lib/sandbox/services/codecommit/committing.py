"""Commits made through the API: what may be committed where, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.codecommit import branches, lookup
from runbook_lib.sandbox.services.codecommit.git import EXECUTABLE, NORMAL, SYMLINK, Entry, Files, Person
from runbook_lib.sandbox.services.codecommit.store import Repository

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call

MODES = {"NORMAL": NORMAL, "EXECUTABLE": EXECUTABLE, "SYMLINK": SYMLINK}
ENTRIES = 100  # CodeCommit user guide, limits: files changed in one commit
FILE_SIZE = 6 * 1024 * 1024  # same page: a file committed by API, CLI or console


@dataclass(frozen=True)
class Change:
    """The files before and after, and the folders named in messages."""

    before: Files
    after: Files

    def added(self) -> list[str]:
        return [path for path in self.after if path not in self.before]

    def updated(self) -> list[str]:
        return [path for path, entry in self.after.items() if path in self.before and self.before[path] != entry]

    def deleted(self) -> list[str]:
        return [path for path in self.before if path not in self.after]


def create_commit(call: Call) -> dict[str, Any]:
    """CreateCommit: several files put, deleted or given another mode, all at once."""
    repository, params = lookup.repository(call.world, call.params), call.params
    parent = _parent(repository, params)
    before = _files_at(repository, parent)
    change = Change(before, _changed(repository, before, params))
    if change.before == change.after:
        raise _no_change()
    author = person(call, params.get("authorName"))
    commit, tree = _commit(call, repository, change.after, parent, author, params.get("commitMessage", ""))
    return {
        "commitId": commit,
        "treeId": tree,
        "filesAdded": _metadata(change.after, change.added()),
        "filesUpdated": _metadata(change.after, change.updated()),
        "filesDeleted": _metadata(change.before, change.deleted()),
    }


def put_file(call: Call) -> dict[str, Any]:
    """PutFile: one file; the same content again is refused."""
    repository, params = lookup.repository(call.world, call.params), call.params
    parent, path = _parent(repository, params), lookup.path(params["filePath"])
    before = _files_at(repository, parent)
    entry = _entry(repository, params["fileContent"], params.get("fileMode", "NORMAL"))
    if before.get(path) == entry:
        raise AwsError(
            "SameFileContentException",
            "The file was not added or updated because the content of the file is exactly the same as the content "
            "of that file in the repository and branch that you specified.",
        )
    message = params.get("commitMessage") or f"{'Edited' if path in before else 'Added'} {path}"
    after = _checked({**before, path: entry})
    commit, tree = _commit(call, repository, after, parent, person(call, params.get("name")), message)
    return {"commitId": commit, "blobId": entry.blob, "treeId": tree}


def delete_file(call: Call) -> dict[str, Any]:
    """DeleteFile."""
    repository, params = lookup.repository(call.world, call.params), call.params
    parent, path = _parent(repository, params), lookup.path(params["filePath"])
    before = _files_at(repository, parent)
    if path not in before:
        raise _no_file()
    after = {name: entry for name, entry in before.items() if name != path}
    message = params.get("commitMessage") or f"Deleted {path}"
    commit, tree = _commit(call, repository, after, parent, person(call, params.get("name")), message)
    return {"commitId": commit, "blobId": before[path].blob, "treeId": tree, "filePath": path}


def _parent(repository: Repository, params: dict[str, Any]) -> str | None:
    """The tip of the branch, which the caller must know; None in a repository without any commit."""
    branch = lookup.check_branch(params["branchName"])
    if not repository.git.branches:
        return None
    current, given = lookup.tip(repository, branch), params.get("parentCommitId")
    if given is None:
        raise AwsError(
            "ParentCommitIdRequiredException",
            "A parent commit ID is required. To view the full commit ID of a branch in a repository, use GetBranch or "
            "a Git command (for example, git pull or git log).",
        )
    if repository.git.commit(given) is None:
        raise AwsError(
            "ParentCommitDoesNotExistException",
            "The parent commit ID is not valid because it does not exist. The specified parent commit ID does not "
            "exist in the specified branch of the repository.",
        )
    if given != current:
        raise AwsError(
            "ParentCommitIdOutdatedException",
            "The file could not be added because the provided parent commit ID is not the current tip of the specified "
            "branch. To view the full commit ID of the current head of the branch, use GetBranch.",
        )
    return current


def _files_at(repository: Repository, commit: str | None) -> Files:
    return lookup.files(repository, repository.git.commit(commit)) if commit else {}


def _changed(repository: Repository, before: Files, params: dict[str, Any]) -> Files:
    after = dict(before)
    entries = [(kind, entry) for kind in CHANGES for entry in params.get(kind, ())]
    _check_entries([lookup.path(entry["filePath"]) for _, entry in entries])
    for kind, entry in entries:
        CHANGES[kind](repository, after, before, entry)
    return _checked(after)


def _check_entries(paths: list[str]) -> None:
    if not paths:
        raise AwsError(
            "FileEntryRequiredException",
            "The commit cannot be created because no files have been specified as added, updated, or changed (PutFile "
            "or DeleteFile) for the commit.",
        )
    if len(paths) > ENTRIES:
        raise AwsError(
            "MaximumFileEntriesExceededException",
            "The number of specified files to change as part of this commit exceeds the maximum number of files that "
            "can be changed in a single commit. Consider using a Git client for these changes.",
        )
    if len(set(paths)) < len(paths):
        raise AwsError(
            "SamePathRequestException",
            "The commit cannot be created because one or more changes in this commit duplicate actions in the same "
            "file path.",
        )


def _put(repository: Repository, after: Files, before: Files, entry: dict[str, Any]) -> None:
    path, source = lookup.path(entry["filePath"]), entry.get("sourceFile")
    if ("fileContent" in entry) == (source is not None):
        code = "FileContentAndSourceFileSpecifiedException" if source else "SourceFileOrContentRequiredException"
        raise AwsError(code, f"The commit needs either the content of {path} or a source file for it, and one only.")
    if source is None:
        mode = entry.get("fileMode") or _mode_of(before.get(path))
        after[path] = _entry(repository, entry["fileContent"], mode)
        return
    origin = lookup.path(source["filePath"])
    if origin not in before:
        raise _no_file()
    after[path] = before[origin]
    if source.get("isMove"):
        after.pop(origin, None)


def _delete(repository: Repository, after: Files, before: Files, entry: dict[str, Any]) -> None:
    if after.pop(lookup.path(entry["filePath"]), None) is None:
        raise _no_file()


def _set_mode(repository: Repository, after: Files, before: Files, entry: dict[str, Any]) -> None:
    path = lookup.path(entry["filePath"])
    if path not in after:
        raise _no_file()
    after[path] = Entry(MODES[entry["fileMode"]], after[path].blob)


CHANGES: dict[str, Callable[[Repository, Files, Files, dict[str, Any]], None]] = {
    "putFiles": _put,
    "deleteFiles": _delete,
    "setFileModes": _set_mode,
}


def mode_name(mode: int) -> str:
    """CodeCommit's name of a file's mode."""
    return next(name for name, number in MODES.items() if number == mode)


def _mode_of(entry: Entry | None) -> str:
    return mode_name(entry.mode) if entry else "NORMAL"


def _entry(repository: Repository, content: bytes, mode: str) -> Entry:
    if len(content) > FILE_SIZE:
        raise AwsError(
            "FileContentSizeLimitExceededException",
            "The file cannot be added because it is too large. The maximum file size is 6 MB, and the combined file "
            "content change size is 7 MB. Consider making these changes using a Git client.",
        )
    return Entry(MODES[mode], repository.git.put_blob(content))


def _checked(files: Files) -> Files:
    """The files, unless one would have to be a folder too."""
    for path in files:
        parts = path.split("/")
        clash = next((p for p in ("/".join(parts[:n]) for n in range(1, len(parts))) if p in files), None)
        if clash:
            raise AwsError(
                "FileNameConflictsWithDirectoryNameException",
                f"The file {clash} cannot be there beside {path}: a file and a folder cannot have the same name.",
            )
    return dict(sorted(files.items()))


def person(call: Call, name: str | None) -> Person:
    """Who makes a commit: the name given, or the caller's."""
    return Person(name or call.caller.rpartition("/")[2].rpartition(":")[2], call.params.get("email", ""))


def _commit(
    call: Call, repository: Repository, files: Files, parent: str | None, author: Person, message: str
) -> tuple[str, str]:
    tree = repository.git.put_tree(files)
    commit = repository.git.put_commit(
        tree=tree, parents=[parent] if parent else [], author=author, message=message, time=call.world.now
    )
    branches.move(call.world, repository, call.params["branchName"], commit, caller=call.caller)
    return commit, tree


def _metadata(files: Files, paths: list[str]) -> list[dict[str, str]]:
    return [
        {"absolutePath": path, "blobId": files[path].blob, "fileMode": mode_name(files[path].mode)} for path in paths
    ]


def _no_file() -> AwsError:
    return AwsError(
        "FileDoesNotExistException",
        "The specified file does not exist. Verify that you have used the correct file name, full path, and extension.",
    )


def _no_change() -> AwsError:
    return AwsError(
        "NoChangeException",
        "The commit cannot be created because no changes will be made to the repository as a result of this commit. "
        "A commit must contain at least one change.",
    )


OPERATIONS = {"CreateCommit": create_commit, "PutFile": put_file, "DeleteFile": delete_file}
