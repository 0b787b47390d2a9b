"""A git host for tests: a bare repository on disk, a person who pushes to it, and a connection to it."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

NAME = "acme/orders"
ARN = "arn:aws:codeconnections:us-east-1:123456789012:connection/11111111-2222-3333-4444-555555555555"
ADA = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"} | {
    f"GIT_{role}_{key}": value
    for role in ("AUTHOR", "COMMITTER")
    for key, value in {"NAME": "Ada", "EMAIL": "ada@example.invalid", "DATE": "2026-03-01T12:00:00Z"}.items()
}


@dataclass(frozen=True)
class Hub:
    """A bare repository, and a clone of it in which a person works."""

    bare: Path
    clone: Path

    @property
    def remote(self) -> str:
        return str(self.bare)

    def git(self, *words: str, place: Path | None = None) -> str:
        done = subprocess.run(
            ["git", *words],
            cwd=place or self.clone,
            env={**os.environ, **ADA},
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def push(self, message: str = "a change", *, branch: str = "main", **files: str) -> str:
        """Commits files, of which a_b stands for a.b and a__b for a/b, and gives the commit's id."""
        if self.head(branch):
            self.git("fetch", "-q", "origin")
            self.git("checkout", "-qB", branch, f"origin/{branch}")
        else:
            self.git("checkout", "-qB", branch)
        for name, text in files.items():
            path = self.clone / name.replace("__", "/").replace("_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        self.git("add", "-A")
        self.git("commit", "-qm", message, "--allow-empty")
        self.git("push", "-q", "origin", branch)
        return self.git("rev-parse", "HEAD")

    def tag(self, name: str) -> None:
        """Puts an annotated tag on what was pushed last."""
        self.git("tag", "-am", name, name)
        self.git("push", "-q", "origin", name)

    def head(self, branch: str = "main") -> str:
        """The head of a branch, "" for none."""
        return self.git("for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}", place=self.bare)

    def log(self, branch: str = "main") -> list[str]:
        """The subjects of a branch, newest first."""
        return self.git("log", "--format=%s", branch, place=self.bare).splitlines()

    def file(self, path: str, branch: str = "main") -> str:
        return self.git("show", f"{branch}:{path}", place=self.bare)

    def protect(self, branch: str) -> None:
        """Lets nobody push to a branch, as a git host does."""
        hook = self.bare / "hooks/update"
        hook.parent.mkdir(exist_ok=True)
        words = "GH006: Protected branch update failed for refs/heads/" + branch
        hook.write_text(f'#!/bin/sh\n[ "$1" != refs/heads/{branch} ] || {{ echo "error: {words}" >&2; exit 1; }}\n')
        hook.chmod(0o755)

    def unprotect(self) -> None:
        (self.bare / "hooks/update").unlink()


def make(folder: Path) -> Hub:
    """An empty bare repository and a clone of it."""
    hub = Hub(folder / "hub.git", folder / "clone")
    for words in (["init", "-q", "--bare", "-b", "main", "hub.git"], ["init", "-q", "-b", "main", "clone"]):
        hub.git(*words, place=folder)
    hub.git("remote", "add", "origin", hub.remote)
    return hub


def parameters(hub: Hub) -> dict[str, object]:
    """What a run is told of it."""
    return {
        "repository.provider": "github",
        "repository.connection": ARN,
        "repository.full_name": NAME,
        "repository.remote": hub.remote,
    }
