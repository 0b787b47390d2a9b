"""Looking into a repository: files, folders, commits and what changed between two of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.codecommit import lookup
from runbook_lib.sandbox.services.codecommit.committing import FILE_SIZE, mode_name
from runbook_lib.sandbox.services.codecommit.git import FOLDER, SYMLINK, Committed, Entry, Files
from runbook_lib.sandbox.services.codecommit.store import Repository

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call

COMMITS = 100  # CodeCommit API reference, BatchGetCommits


def get_file(call: Call) -> dict[str, Any]:
    """GetFile."""
    repository, path = lookup.repository(call.world, call.params), lookup.path(call.params["filePath"])
    commit = lookup.commit(repository, call.params.get("commitSpecifier"))
    entry = lookup.files(repository, commit).get(path)
    if entry is None:
        raise AwsError(
            "FileDoesNotExistException",
            "The specified file does not exist. Verify that you have used the correct file name, full path, and "
            "extension.",
        )
    content = _content(repository, entry.blob)
    return {
        "commitId": commit.id,
        "blobId": entry.blob,
        "filePath": path,
        "fileMode": mode_name(entry.mode),
        "fileSize": len(content),
        "fileContent": content,
    }


def get_blob(call: Call) -> dict[str, Any]:
    """GetBlob."""
    repository = lookup.repository(call.world, call.params)
    if repository.git.blob(call.params["blobId"]) is None:
        raise AwsError("BlobIdDoesNotExistException", "The specified blob does not exist.")
    return {"content": _content(repository, call.params["blobId"])}


def _content(repository: Repository, blob: str) -> bytes:
    content = repository.git.blob(blob) or b""
    if len(content) > FILE_SIZE:
        raise AwsError(
            "FileTooLargeException",
            "The specified file exceeds the file size limit for AWS CodeCommit. For more information about limits in "
            "AWS CodeCommit, see AWS CodeCommit User Guide.",
        )
    return content


def get_folder(call: Call) -> dict[str, Any]:
    """GetFolder."""
    repository, path = lookup.repository(call.world, call.params), lookup.path(call.params["folderPath"])
    commit = lookup.commit(repository, call.params.get("commitSpecifier"))
    tree = _subtree(repository, commit.tree, path)
    answer: dict[str, Any] = {"commitId": commit.id, "folderPath": path, "treeId": tree, "subModules": []}
    entries = [(name, mode, sha, f"{path}/{name}" if path else name) for name, mode, sha in repository.git.tree(tree)]
    answer["subFolders"] = [
        {"treeId": sha, "absolutePath": full, "relativePath": name}
        for name, mode, sha, full in entries
        if mode == FOLDER
    ]
    for key, wanted in (("files", False), ("symbolicLinks", True)):
        answer[key] = [
            {"blobId": sha, "absolutePath": full, "relativePath": name, "fileMode": mode_name(mode)}
            for name, mode, sha, full in entries
            if mode != FOLDER and (mode == SYMLINK) == wanted
        ]
    return answer


def _subtree(repository: Repository, tree: str, path: str) -> str:
    for part in filter(None, path.split("/")):
        inner = next((sha for name, mode, sha in repository.git.tree(tree) if name == part and mode == FOLDER), None)
        if inner is None:
            raise AwsError(
                "FolderDoesNotExistException",
                "The specified folder does not exist. Either the folder name is not correct, or you did not enter the "
                "full path to the folder.",
            )
        tree = inner
    return tree


def get_commit(call: Call) -> dict[str, Any]:
    """GetCommit by its full id."""
    repository = lookup.repository(call.world, call.params)
    return {"commit": _shown(lookup.commit_by_id(repository, call.params["commitId"], "CommitIdDoesNotExistException"))}


def batch_get_commits(call: Call) -> dict[str, Any]:
    """BatchGetCommits: what is found and, apart, what is not."""
    repository, wanted = lookup.repository(call.world, call.params), call.params["commitIds"]
    if len(wanted) > COMMITS:
        raise AwsError("CommitIdsLimitExceededException", f"At most {COMMITS} commit IDs can be asked for at once.")
    found = {name: repository.git.commit(name) for name in wanted}
    return {
        "commits": [_shown(commit) for commit in found.values() if commit],
        "errors": [
            {
                "commitId": name,
                "errorCode": "CommitDoesNotExist",
                "errorMessage": "The specified commit ID does not exist.",
            }
            for name, commit in found.items()
            if commit is None
        ],
    }


def _shown(commit: Committed) -> dict[str, Any]:
    return {
        "commitId": commit.id,
        "treeId": commit.tree,
        "parents": list(commit.parents),
        "message": commit.message,
        "author": _person(commit.author, commit.author_time, commit.author_zone),
        "committer": _person(commit.committer, commit.commit_time, commit.commit_zone),
        "additionalData": "",
    }


def _person(text: str, time: int, zone: int) -> dict[str, str]:
    name, _, email = text.rstrip(">").partition(" <")
    sign, minutes = "-" if zone < 0 else "+", abs(zone) // 60
    return {"name": name, "email": email, "date": f"{time} {sign}{minutes // 60:02}{minutes % 60:02}"}


def get_differences(call: Call) -> dict[str, Any]:
    """GetDifferences between two commits, or of everything up to one."""
    repository, params = lookup.repository(call.world, call.params), call.params
    before: Files = {}
    if params.get("beforeCommitSpecifier"):
        before = lookup.files(repository, lookup.commit(repository, params["beforeCommitSpecifier"]))
    after = lookup.files(repository, lookup.commit(repository, params["afterCommitSpecifier"]))
    before, after = (
        _below(files, params.get(key, "")) for files, key in ((before, "beforePath"), (after, "afterPath"))
    )
    changed = [
        _difference(path, before.get(path), after.get(path))
        for path in sorted({*before, *after})
        if before.get(path) != after.get(path)
    ]
    return lookup.page(changed, params, "differences", token="NextToken", size=params.get("MaxResults", lookup.PAGE))


def _below(files: Files, folder: str) -> Files:
    prefix = lookup.path(folder)
    return {
        path: entry for path, entry in files.items() if not prefix or path == prefix or path.startswith(prefix + "/")
    }


def _difference(path: str, before: Entry | None, after: Entry | None) -> dict[str, Any]:
    found: dict[str, Any] = {"changeType": "D" if after is None else "A" if before is None else "M"}
    for key, entry in (("beforeBlob", before), ("afterBlob", after)):
        if entry is not None:
            found[key] = {"blobId": entry.blob, "path": path, "mode": f"{entry.mode:o}"}
    return found


OPERATIONS = {
    "GetFile": get_file,
    "GetBlob": get_blob,
    "GetFolder": get_folder,
    "GetCommit": get_commit,
    "BatchGetCommits": batch_get_commits,
    "GetDifferences": get_differences,
}
