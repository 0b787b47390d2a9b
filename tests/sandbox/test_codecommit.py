"""CodeCommit: commits, branches and files by its API, and git itself."""

from __future__ import annotations

import io
import os
import pickle
import subprocess
import threading
import zipfile
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from botocore.exceptions import ClientError

from runbook_lib.sandbox.services import codecommit
from runbook_lib.sandbox.settings import Settings
from runbook_lib.sandbox.world import World

ME = "arn:aws:iam::123456789012:user/ada"


@pytest.fixture
def world() -> World:
    return World(Settings())


@pytest.fixture
def git(world: World) -> Any:
    client = world.gateway.client("codecommit", caller=ME)
    client.create_repository(repositoryName="orders")
    return client


def put(git: Any, path: str, content: str, **more: Any) -> Any:
    return git.put_file(repositoryName="orders", branchName="main", filePath=path, fileContent=content.encode(), **more)


def refused(call: Any, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(*args, **kwargs)
    return str(caught.value.response["Error"]["Code"])


def test_the_first_commit_makes_the_default_branch(git: Any) -> None:
    """A repository without commits takes a commit without a parent, on any branch."""
    made = put(git, "app.py", "print(1)\n", name="Ada", email="ada@example.invalid", commitMessage="first")
    assert git.get_repository(repositoryName="orders")["repositoryMetadata"]["defaultBranch"] == "main"
    assert git.get_branch(repositoryName="orders", branchName="main")["branch"]["commitId"] == made["commitId"]


def test_the_same_commit_has_the_same_id_in_every_world(git: Any) -> None:
    """Ids depend on content, author and the world's time only: they are git's own hashes."""
    made = put(git, "app.py", "print(1)\n", name="Ada", email="ada@example.invalid", commitMessage="first")
    assert made["blobId"] == "b917a726c93f902e43291d9009d6488385133b67"
    assert made["commitId"] == "eac552bcc387e2dfaf4b3f23296e3a2c8c4751ab"
    assert git.get_commit(repositoryName="orders", commitId=made["commitId"])["commit"]["author"] == {
        "name": "Ada",
        "email": "ada@example.invalid",
        "date": "1772442000 +0000",
    }


def test_a_later_commit_must_name_the_tip(git: Any) -> None:
    """A missing, an outdated and an unknown parent are told apart."""
    first = put(git, "a", "1")["commitId"]
    second = put(git, "a", "2", parentCommitId=first)["commitId"]
    assert refused(put, git, "a", "3") == "ParentCommitIdRequiredException"
    assert refused(put, git, "a", "3", parentCommitId=first) == "ParentCommitIdOutdatedException"
    assert refused(put, git, "a", "3", parentCommitId="0" * 40) == "ParentCommitDoesNotExistException"
    assert refused(put, git, "a", "2", parentCommitId=second) == "SameFileContentException"


def test_create_commit_changes_several_files_at_once(git: Any) -> None:
    """Put, move, delete and a mode in one commit; the answer says what became of each file."""
    first = git.create_commit(
        repositoryName="orders",
        branchName="main",
        putFiles=[{"filePath": path, "fileContent": path.encode()} for path in ("a", "b/c", "run.sh")],
    )
    made = git.create_commit(
        repositoryName="orders",
        branchName="main",
        parentCommitId=first["commitId"],
        putFiles=[{"filePath": "b/d", "sourceFile": {"filePath": "b/c", "isMove": True}}],
        deleteFiles=[{"filePath": "a"}],
        setFileModes=[{"filePath": "run.sh", "fileMode": "EXECUTABLE"}],
    )
    assert [entry["absolutePath"] for entry in made["filesAdded"]] == ["b/d"]
    assert [entry["absolutePath"] for entry in made["filesUpdated"]] == ["run.sh"]
    assert [entry["absolutePath"] for entry in made["filesDeleted"]] == ["a", "b/c"]


def test_a_commit_without_a_change_is_refused(git: Any) -> None:
    """CreateCommit says NoChange where PutFile says SameFileContent."""
    same = {"repositoryName": "orders", "branchName": "main", "putFiles": [{"filePath": "a", "fileContent": b"1"}]}
    first = git.create_commit(**same)["commitId"]
    assert refused(git.create_commit, **same, parentCommitId=first) == "NoChangeException"
    same["putFiles"] = [{"filePath": "a/b", "fileContent": b"1"}]
    assert refused(git.create_commit, **same, parentCommitId=first) == "FileNameConflictsWithDirectoryNameException"


def test_what_is_missing_is_named(git: Any) -> None:
    """Files, branches, commits, blobs and repositories that are not there have their own errors."""
    put(git, "a", "1")
    known = {"repositoryName": "orders"}
    assert refused(git.get_file, **known, filePath="b") == "FileDoesNotExistException"
    assert refused(git.get_folder, **known, folderPath="b") == "FolderDoesNotExistException"
    assert refused(git.get_branch, **known, branchName="dev") == "BranchDoesNotExistException"
    assert refused(git.get_commit, **known, commitId="0" * 40) == "CommitIdDoesNotExistException"
    assert refused(git.get_blob, **known, blobId="0" * 40) == "BlobIdDoesNotExistException"
    assert refused(git.get_repository, repositoryName="x") == "RepositoryDoesNotExistException"


def test_differences_between_two_commits(git: Any) -> None:
    """Added, modified and deleted files, by path."""
    first = put(git, "a", "1")["commitId"]
    second = put(git, "b", "1", parentCommitId=first)["commitId"]
    third = git.delete_file(repositoryName="orders", branchName="main", filePath="a", parentCommitId=second)["commitId"]
    found = git.get_differences(repositoryName="orders", beforeCommitSpecifier=first, afterCommitSpecifier=third)
    assert [(d["changeType"], d.get("afterBlob", d.get("beforeBlob"))["path"]) for d in found["differences"]] == [
        ("D", "a"),
        ("A", "b"),
    ]


def test_branches_are_made_listed_and_deleted(git: Any) -> None:
    """The default branch stays until another one is the default."""
    tip = put(git, "a", "1")["commitId"]
    git.create_branch(repositoryName="orders", branchName="dev", commitId=tip)
    assert git.list_branches(repositoryName="orders")["branches"] == ["dev", "main"]
    assert refused(git.delete_branch, repositoryName="orders", branchName="main") == (
        "DefaultBranchCannotBeDeletedException"
    )
    git.update_default_branch(repositoryName="orders", defaultBranchName="dev")
    assert git.delete_branch(repositoryName="orders", branchName="main")["deletedBranch"]["commitId"] == tip


def test_the_archive_is_the_same_for_the_same_commit(world: World, git: Any) -> None:
    """Sorted, dated 1980, stored: a pipeline's source artifact is reproducible byte for byte."""
    put(git, "b/run.sh", "#!/bin/sh\n", fileMode="EXECUTABLE")
    commit, _, packed = codecommit.archive(world, "orders", "main")
    assert codecommit.archive(pickle.loads(pickle.dumps(world)), "orders", "main")[2] == packed
    (entry,) = zipfile.ZipFile(io.BytesIO(packed)).infolist()
    assert (entry.date_time[0], entry.external_attr >> 16, entry.compress_type) == (1980, 0o100755, 0)
    assert commit == git.get_branch(repositoryName="orders", branchName="main")["branch"]["commitId"]


class Quiet(WSGIRequestHandler):
    """A request handler that logs nothing."""

    def log_message(self, format: str, *args: Any) -> None:
        return


def test_git_clones_and_pushes(world: World, git: Any, tmp_path: Path) -> None:
    """git itself reads what the API committed, and its push is seen by the API."""
    put(git, "a", "1")
    server = make_server("127.0.0.1", 0, codecommit.WSGI["/v1/repos/"](world), handler_class=Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    script = (
        f"git clone -q http://127.0.0.1:{server.server_port}/v1/repos/orders . && echo 2 > b && git add b && "
        "git -c user.name=Ada -c user.email=a@b commit -qm second && git push -q origin main && git rev-parse HEAD"
    )
    alone = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1"}
    command = ["bash", "-c", f"mkdir work && cd work && {script}"]
    done = subprocess.run(command, cwd=tmp_path, env=alone, capture_output=True, text=True, timeout=60)
    server.shutdown()
    assert done.returncode == 0, done.stderr
    assert git.get_branch(repositoryName="orders", branchName="main")["branch"]["commitId"] == done.stdout.strip()
    assert git.get_file(repositoryName="orders", filePath="b")["fileContent"] == b"2\n"
