"""A git remote of any host, by the git command: what is on a branch, and one commit pushed onto it, never by force.

It is the command and not a library, because who may push is said in the person's own git configuration: credential
helpers, SSH keys and agents, proxies and certificates.  None of that is ever a parameter of a run.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runbook_lib.clock import Clock
from runbook_lib.errors import BadInput, CheckFailed, GateClosed, RunbookError

PATIENCE = 120.0  # seconds of the wall for one command; git asks nobody for a password meanwhile
HEADS = "refs/heads/"
SETTINGS = {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
NEW_FILE = "100644"
# Where a run is started from within git (a hook, a rebase), these speak of another repository.
FOREIGN = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY")


@dataclass(frozen=True)
class Done:
    """What a git command answered."""

    code: int
    output: bytes
    error: str

    @property
    def text(self) -> str:
        return self.output.decode().strip()

    @property
    def said(self) -> str:
        """The line of an error that says most: the host's own first, else git's."""
        lines = [line.strip() for line in self.error.splitlines() if line.strip()]
        host = [line.removeprefix("remote:").strip() for line in lines if line.startswith("remote:")]
        worst = [line for line in host if line.startswith(("error", "fatal"))]
        own = [line for line in lines if line.startswith(("fatal:", "error:"))]
        return next((line for line in (*worst, *host, *own, *reversed(lines)) if line), "git said nothing")


@dataclass
class Git:
    """Reads and pushes; objects are kept in a folder that ends with the process, times come from the run's clock."""

    clock: Clock
    folder: tempfile.TemporaryDirectory[str] | None = field(default=None, repr=False)  # None until it is needed

    # ---- looking

    def head(self, remote: str, branch: str) -> str | None:
        """The commit at the head of a branch, None while there is no such branch; raises BadInput for no repository."""
        done = self._run("ls-remote", "--heads", _place(remote), HEADS + branch)
        if done.code:
            raise BadInput(
                where=f"repository {remote}",
                seen=done.said,
                wanted="a git repository that your own git reads",
                next_step=f"try `git ls-remote {remote}`: credentials are those of your git configuration",
            )
        return done.text.partition("\t")[0] or None

    def message(self, remote: str, branch: str, id: str) -> tuple[str, str | None]:
        """The message and the first parent of the commit at the head of a branch."""
        self._fetch(remote, branch, id)
        about, _, message = self._must("cat-file", "commit", id).output.decode(errors="replace").partition("\n\n")
        parent = re.search(r"^parent ([0-9a-f]+)$", about, re.MULTILINE)
        return message.strip(), parent[1] if parent else None

    def file(self, id: str, path: str) -> bytes | None:
        """A file of a commit that was read, None when it is not in it."""
        listed = self._must("ls-tree", "-z", id, "--", path).text
        return self._must("cat-file", "blob", f"{id}:{path}").output if " blob " in listed else None

    # ---- doing; called by `step.apply` alone

    def push_branch(self, *, remote: str, branchName: str, commitId: str) -> Mapping[str, Any]:
        """Make a branch at a commit that was read; a branch of that name with other commits is left as it is."""
        if self.head(remote, branchName) != commitId:
            self._check_unmoved(remote, branchName, None)
            done = self._push(remote, commitId, branchName)
            if done.code:
                raise self._not_taken(remote, branchName, done)
        return {"commitId": commitId}

    def push_commit(
        self,
        *,
        remote: str,
        branchName: str,
        commitMessage: str,
        author: str,
        putFiles: Iterable[Mapping[str, Any]],
        asideBranch: str,
        parentCommitId: str | None = None,
    ) -> Mapping[str, Any]:
        """Push one commit with these files onto a branch whose head is the parent.

        Raises CheckFailed when the branch has moved, and GateClosed when it is protected: then the commit waits on
        the branch `asideBranch` for a pull request.
        """
        self._check_unmoved(remote, branchName, parentCommitId)
        files = {one["filePath"]: one["fileContent"] for one in putFiles}
        made = self._commit(files, parent=parentCommitId, message=commitMessage, author=author)
        done = self._push(remote, made, branchName)
        if not done.code:
            return {"commitId": made}
        self._check_unmoved(remote, branchName, parentCommitId)
        if "[remote rejected]" not in done.output.decode():
            raise self._not_taken(remote, branchName, done)
        self._leave_aside(remote, asideBranch, made, files)
        raise _protected(remote, branchName, asideBranch, done)

    # ---- steps

    def _check_unmoved(self, remote: str, branch: str, parent: str | None) -> None:
        found = self.head(remote, branch)
        if found != parent:
            raise CheckFailed(
                where=f"{remote}, branch {branch}",
                seen=f"the branch moved meanwhile: its head is {_short(found)}",
                wanted=_short(parent),
                next_step="make the plan again: run its cell and this one; nothing was pushed",
            )

    def _commit(self, files: Mapping[str, bytes], *, parent: str | None, message: str, author: str) -> str:
        with tempfile.TemporaryDirectory(prefix="runbook-index-") as place:
            index = {"GIT_INDEX_FILE": str(Path(place, "index"))}
            self._must("read-tree", parent or "--empty", more=index)
            for path, content in sorted(files.items()):
                blob = self._must("hash-object", "-w", "--stdin", given=content).text
                entry = f"{self._mode(parent, path)},{blob},{path}"
                self._must("update-index", "--add", "--cacheinfo", entry, more=index)
            tree = self._must("write-tree", more=index).text
        parents = ("-p", parent) if parent else ()
        return self._must("commit-tree", tree, *parents, "-m", message, more=self._signature(author)).text

    def _mode(self, parent: str | None, path: str) -> str:
        listed = self._must("ls-tree", parent, "--", path).text if parent else ""
        return listed.partition(" ")[0] or NEW_FILE

    def _signature(self, author: str) -> dict[str, str]:
        """Who and when: the run's clock, so that the same run makes the same commits."""
        name, _, email = author.partition(" <")
        date = f"{int(self.clock.now().timestamp())} +0000"
        values = {"NAME": name, "EMAIL": email.rstrip(">"), "DATE": date}
        return {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in values.items()}

    def _push(self, remote: str, commit: str, branch: str) -> Done:
        return self._run("push", "--porcelain", _place(remote), f"{commit}:{HEADS}{branch}")

    def _leave_aside(self, remote: str, branch: str, made: str, files: Mapping[str, bytes]) -> None:
        """Push the commit for a pull request; nothing when an earlier run has left the same files there."""
        found = self.head(remote, branch)
        if found is not None:
            self._fetch(remote, branch, found)
            if all(self.file(found, path) == content for path, content in files.items()):
                return
        done = self._push(remote, made, branch)
        if done.code:
            raise self._not_taken(remote, branch, done)

    def _not_taken(self, remote: str, branch: str, done: Done) -> RunbookError:
        found = self.head(remote, branch)
        there = f"; the branch is there, at {_short(found)}" if found else ""
        return CheckFailed(
            where=f"{remote}, branch {branch}",
            seen=f"the push was not taken: {done.said}{there}",
            wanted="a push that goes on from the branch's head; nothing is pushed by force",
            next_step="see who may push there, or delete the branch when it is left over, and run this cell again",
        )

    def _fetch(self, remote: str, branch: str, id: str) -> None:
        """Bring the head of a branch; older commits stay where they are."""
        if self._run("cat-file", "-e", f"{id}^{{commit}}").code:
            self._must("fetch", "--quiet", "--no-tags", "--depth=1", _place(remote), HEADS + branch)

    def _must(self, *words: str, given: bytes = b"", more: Mapping[str, str] | None = None) -> Done:
        done = self._run(*words, given=given, more=more)
        if done.code:
            raise RunbookError(
                where=f"git {words[0]}",
                seen=done.said,
                wanted="a git command that does its work",
                next_step="mend what git says and run this cell again",
            )
        return done

    def _run(self, *words: str, given: bytes = b"", more: Mapping[str, str] | None = None) -> Done:
        command = ["git", "-C", self._kept(), *words]
        own = {name: value for name, value in os.environ.items() if name not in FOREIGN}
        environment = {**own, **SETTINGS, **(more or {})}
        try:
            done = subprocess.run(
                command, env=environment, input=given, capture_output=True, check=False, timeout=PATIENCE
            )
        except subprocess.TimeoutExpired:
            return Done(-1, b"", f"git {words[0]} took more than {PATIENCE:g} seconds")
        return Done(done.returncode, done.stdout, done.stderr.decode(errors="replace"))

    def _kept(self) -> str:
        if self.folder is None:
            self.folder = tempfile.TemporaryDirectory(prefix="runbook-git-")
            command = ["git", "init", "--quiet", "--bare", "--template=", self.folder.name]
            subprocess.run(command, check=True, capture_output=True)
        return self.folder.name


def _protected(remote: str, branch: str, aside: str, done: Done) -> GateClosed:
    return GateClosed(
        where=f"{remote}, branch {branch}",
        seen=f"the branch is protected: {done.said}",
        wanted=f"a pull request from {aside} that somebody merges into {branch}",
        next_step=f"the commit waits on {aside}: open a pull request, have it merged, and run the cell of the plan "
        "and this one again: they find the files there",
    )


def _place(remote: str) -> str:
    """A path is meant from where the run was started; a URL is what it is."""
    return str(Path(remote).absolute()) if Path(remote).exists() else remote


def _short(commit: str | None) -> str:
    return commit[:7] if commit else "no commit"
