"""A git remote by the git command: what is read of it, and commits that are pushed and never forced."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hub_stage import Hub, make
from manual_clock import ManualClock

from runbook_lib.errors import BadInput, CheckFailed, GateClosed
from runbook_lib.git import Git


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    """A repository with one commit on main."""
    made = make(tmp_path)
    made.push("first", app_py="print(1)\n", run_sh="#!/bin/sh\n")
    return made


@pytest.fixture
def git() -> Git:
    return Git(ManualClock())


def commit(hub: Hub, *, branch: str = "main", parent: str | None = None, **files: str) -> dict[str, Any]:
    """The arguments of a push that goes on from the head of a branch."""
    put = [{"filePath": name.replace("_", "."), "fileContent": text.encode()} for name, text in files.items()]
    return {
        "remote": hub.remote,
        "branchName": branch,
        "commitMessage": "Release 2",
        "author": "runbook <runbook@example.invalid>",
        "putFiles": put,
        "asideBranch": "runbook/release-2",
        "parentCommitId": parent or hub.head(branch) or None,
    }


def read(git: Git, hub: Hub, branch: str = "main") -> str:
    """Reads the head of a branch, as a plan does, and gives its id."""
    head = git.head(hub.remote, branch)
    assert head is not None
    git.message(hub.remote, branch, head)
    return head


# ---- reading


def test_the_head_of_a_branch_is_read_with_its_files(git: Git, hub: Hub) -> None:
    """Its id, its message, its parent, and a file byte for byte."""
    first, second = hub.head(), hub.push("second\n\nwith a body", app_py="print(2)\r\n")
    assert read(git, hub) == second
    assert git.message(hub.remote, "main", second) == ("second\n\nwith a body", first)
    assert git.file(second, "app.py") == b"print(2)\r\n"


def test_what_is_not_there_is_none(git: Git, hub: Hub) -> None:
    """A branch, a file, and a folder, which is no file."""
    hub.push("folder", src__a_py="1")
    head = read(git, hub)
    assert git.head(hub.remote, "other") is None
    assert (git.file(head, "other.py"), git.file(head, "src")) == (None, None)


def test_a_remote_that_git_cannot_read_is_bad_input(git: Git, tmp_path: Path) -> None:
    """The message has git's own words and where credentials come from."""
    with pytest.raises(BadInput, match="does not appear to be a git repository") as refused:
        git.head(str(tmp_path), "main")
    assert "credentials are those of your git configuration" in str(refused.value)


def test_reading_is_not_misled_by_the_repository_around_it(git: Git, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that a git hook starts has GIT_DIR in its environment."""
    monkeypatch.setitem(os.environ, "GIT_DIR", "/nowhere")
    assert git.head(hub.remote, "main")


# ---- committing


def test_a_commit_is_pushed_onto_the_head(git: Git, hub: Hub) -> None:
    """With all its files; what it does not name stays as it was, and so do modes."""
    hub.git("update-index", "--chmod=+x", "run.sh")
    hub.git("commit", "-qm", "executable")
    hub.git("push", "-q", "origin", "main")
    read(git, hub)
    made = git.push_commit(**commit(hub, run_sh="#!/bin/bash\n", taskdef_json="{}"))
    assert made == {"commitId": hub.head()}
    listed = hub.git("ls-tree", "main", place=hub.bare).splitlines()
    assert [line.split()[0] + " " + line.split("\t")[1] for line in listed] == [
        "100644 app.py",
        "100755 run.sh",
        "100644 taskdef.json",
    ]


def test_the_same_run_makes_the_same_commit(tmp_path: Path) -> None:
    """Author, committer and dates come from the run: two repositories get the same id."""
    ids = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        hub, git = make(tmp_path / name), Git(ManualClock())
        hub.push("first", app_py="1")
        read(git, hub)
        ids.append(git.push_commit(**commit(hub, app_py="2"))["commitId"])
        about = hub.git("log", "-1", "--format=%an %ae %ad %cn %cd", "--date=iso", "main", place=hub.bare)
    assert ids[0] == ids[1]
    when = "2026-03-02 09:00:00 +0000"
    assert about == f"runbook runbook@example.invalid {when} runbook {when}"


def test_an_empty_repository_gets_its_first_commit(git: Git, tmp_path: Path) -> None:
    """There is no parent."""
    hub = make(tmp_path)
    git.push_commit(**commit(hub, app_py="1"))
    assert (hub.log(), hub.file("app.py")) == (["Release 2"], "1")


def test_a_branch_that_moved_meanwhile_is_left_alone(git: Git, hub: Hub) -> None:
    """Somebody pushed between plan and apply: nothing is pushed, nothing is forced."""
    planned = read(git, hub)
    other = hub.push("somebody's", app_py="other")
    with pytest.raises(CheckFailed, match="the branch moved meanwhile") as refused:
        git.push_commit(**commit(hub, parent=planned, app_py="ours"))
    assert (f"its head is {other[:7]}", planned[:7]) == (
        str(refused.value).partition("meanwhile: ")[2].partition(";")[0],
        refused.value.wanted,
    )
    assert hub.head() == other


def test_a_branch_that_moves_under_the_push_is_left_alone(git: Git, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """The remote itself refuses what does not go on from its head."""
    planned, push = read(git, hub), Git._push

    def late(self: Git, remote: str, made: str, branch: str) -> Any:
        hub.push("quicker", app_py="other")
        return push(self, remote, made, branch)

    monkeypatch.setattr(Git, "_push", late)
    with pytest.raises(CheckFailed, match="the branch moved meanwhile"):
        git.push_commit(**commit(hub, parent=planned, app_py="ours"))
    assert hub.log() == ["quicker", "first"]


# ---- branches


def test_a_branch_is_made_once(git: Git, hub: Hub) -> None:
    """Making it again at the same commit does nothing."""
    head = read(git, hub)
    for _ in range(2):
        assert git.push_branch(remote=hub.remote, branchName="draft", commitId=head) == {"commitId": head}
    assert hub.head("draft") == head


def test_a_branch_of_somebody_else_is_left_alone(git: Git, hub: Hub) -> None:
    """Also one that could be brought forward."""
    old = hub.head()
    hub.git("push", "-q", "origin", f"{old}:refs/heads/draft")
    hub.push("second", app_py="2")
    head = read(git, hub)
    with pytest.raises(CheckFailed, match="the branch moved meanwhile"):
        git.push_branch(remote=hub.remote, branchName="draft", commitId=head)
    assert hub.head("draft") == old


# ---- protected branches


def test_a_protected_branch_leaves_the_commit_for_a_pull_request(git: Git, hub: Hub) -> None:
    """The error has the host's words and says what a person must do."""
    read(git, hub)
    hub.protect("main")
    with pytest.raises(GateClosed) as closed:
        git.push_commit(**commit(hub, app_py="2"))
    assert closed.value.seen == (
        "the branch is protected: error: GH006: Protected branch update failed for refs/heads/main"
    )
    assert "open a pull request, have it merged" in str(closed.value)
    assert (hub.log(), hub.file("app.py", "runbook/release-2")) == (["first"], "2")


def test_what_waits_for_a_pull_request_is_left_once(hub: Hub) -> None:
    """Run again before the merge, by a new process at a later time: the same error, no second commit."""
    hub.protect("main")
    for hour in range(2):
        git = Git(ManualClock())
        git.clock.sleep(hour * 3600)
        read(git, hub)
        with pytest.raises(GateClosed):
            git.push_commit(**commit(hub, app_py="2"))
    assert hub.log("runbook/release-2") == ["Release 2", "first"]


def test_a_branch_that_is_left_over_is_not_overwritten(git: Git, hub: Hub) -> None:
    """The branch for the pull request holds something else: the error names it."""
    hub.push("other", branch="runbook/release-2", app_py="other")
    read(git, hub)
    hub.protect("main")
    with pytest.raises(CheckFailed, match=r"branch runbook/release-2: .*delete the branch when it is left over"):
        git.push_commit(**commit(hub, app_py="2"))
    assert hub.log("runbook/release-2") == ["other", "first"]


def test_a_push_that_nobody_may_make_says_so(git: Git, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """No access is no protection: the error has git's words, and nothing is left aside."""
    read(git, hub)
    for key, value in {"COUNT": "1", "KEY_0": "url./nowhere.pushInsteadOf", "VALUE_0": hub.remote}.items():
        monkeypatch.setenv(f"GIT_CONFIG_{key}", value)
    with pytest.raises(CheckFailed, match="'/nowhere' does not appear to be a git repository"):
        git.push_commit(**commit(hub, app_py="2"))
    monkeypatch.undo()
    assert (hub.log(), hub.head("runbook/release-2")) == (["first"], "")
