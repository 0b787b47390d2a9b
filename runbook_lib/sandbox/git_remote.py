"""The git repository behind a connection: its branches and tags, a commit's files, and a clone of it.

A folder is read where it lies. What a URL names is mirrored into a folder of this process, fetched anew at each look;
who may read it is for the git configuration of the person who started the sandbox to say.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from runbook_lib.sandbox.errors import AwsError

PATIENCE = 60.0  # seconds of the wall for one command: a remote on a network may be slow, and nobody is asked anything
HEADS, TAGS = "refs/heads/", "refs/tags/"
# Where the sandbox is started from within git (a hook, a rebase), these speak of another repository.
FOREIGN = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY")
SETTINGS = {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C", "TZ": "UTC"}
# One thread and no names of people: the same commits make the same clone, byte for byte.
STEADY = ("-c", "pack.threads=1", "-c", "core.logAllRefUpdates=false", "-c", "protocol.ext.allow=never")
FILE_MODES = {"100644": 0o100644, "100755": 0o100755, "120000": 0o120000}


def refs(remote: str) -> dict[str, str]:
    """Every branch and tag by its whole name, with the commit that it stands for."""
    listed = _git(_folder(remote), "show-ref", "--dereference", may_fail=True).decode().splitlines()
    found: dict[str, str] = {}
    for line in listed:
        id, _, name = line.partition(" ")
        if name.startswith((HEADS, TAGS)):
            # An annotated tag comes twice: as itself, and with ^{} as the commit that it is put on.
            found[name.removesuffix("^{}")] = id
    return found


def resolved(remote: str, revision: str) -> str | None:
    """The id of the commit that a branch, a tag or an id stands for; None when there is none."""
    words = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    return _git(_folder(remote), *words, may_fail=True).decode().strip() or None


def described(remote: str, id: str) -> tuple[str, str]:
    """The date of a commit's author in seconds with the zone after it, and the whole message."""
    text = _git(_folder(remote), "log", "-1", "--format=%ad%n%B", "--date=raw", id).decode()
    date, _, message = text.partition("\n")
    return date, message.strip()


def changed(remote: str, id: str, known: Iterable[str]) -> tuple[str, ...]:
    """The paths that the commits up to this one changed, without those that were known before."""
    folder = _folder(remote)
    before = [one for one in sorted(set(known)) if resolved(remote, one)]
    listed = _git(folder, "log", "--format=", "--name-only", "-m", "-z", id, "--not", *before)
    return tuple(sorted({path for path in listed.decode().replace("\n", "\0").split("\0") if path}))


def archive(remote: str, id: str) -> bytes:
    """The files of a commit as a ZIP."""
    return _git(_folder(remote), "archive", "--format=zip", id)


def clone(remote: str, id: str) -> dict[str, tuple[int, bytes]]:
    """A clone with a commit checked out: path -> mode and content, the whole history below .git included."""
    folder = _folder(remote)
    with tempfile.TemporaryDirectory(prefix="runbook-clone-") as place:
        _git(place, "init", "--quiet", "--template=", "--initial-branch=main")
        _git(place, "fetch", "--quiet", "--update-shallow", folder, *_all_refs(), id)
        Path(place, ".git", "FETCH_HEAD").unlink()
        Path(place, ".git", "HEAD").write_text(f"{id}\n", encoding="ascii")
        _git(place, "repack", "-a", "-d", "--quiet")
        _git(place, "read-tree", id)
        return _checked_out(place, id) | _below(Path(place), Path(place, ".git"))


def _all_refs() -> tuple[str, ...]:
    return "+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"


def _checked_out(place: str, id: str) -> dict[str, tuple[int, bytes]]:
    found = {}
    for line in _git(place, "ls-tree", "-r", "-z", id).decode().split("\0"):
        about, _, path = line.partition("\t")
        mode = about.partition(" ")[0]
        if mode in FILE_MODES:  # a submodule is a folder that nobody fills
            found[path] = (FILE_MODES[mode], _git(place, "cat-file", "blob", f"{id}:{path}"))
    return found


def _below(root: Path, folder: Path) -> dict[str, tuple[int, bytes]]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): (0o100644, path.read_bytes()) for path in files}


def _folder(remote: str) -> str:
    if Path(remote).is_dir():
        return str(Path(remote).absolute())
    if "://" not in remote and ":" not in remote:
        raise _unreadable(remote, "there is no such folder")
    folder = _mirror(remote).name
    _git(folder, "fetch", "--quiet", "--prune", remote, "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
    return folder


@cache
def _mirror(remote: str) -> tempfile.TemporaryDirectory[str]:
    """A folder for a remote; it belongs to this process, and no world is saved with it."""
    folder = tempfile.TemporaryDirectory(prefix="runbook-mirror-")
    _git(folder.name, "init", "--quiet", "--bare", "--template=")
    return folder


def _git(folder: str, *words: str, may_fail: bool = False) -> bytes:
    command = ["git", *STEADY, "-C", folder, *words]
    environment = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    try:
        done = subprocess.run(
            command,
            env={**environment, **SETTINGS},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=PATIENCE,
        )
    except subprocess.TimeoutExpired:
        raise _unreadable(folder, f"git {words[0]} took more than {PATIENCE:g} seconds") from None
    if done.returncode and not (may_fail and not done.stderr):
        raise _unreadable(folder, _last_line(done.stderr))
    return done.stdout if not done.returncode else b""


def _last_line(error: bytes) -> str:
    lines = error.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "git said nothing"


def _unreadable(remote: str, why: str) -> AwsError:
    return AwsError("ResourceUnavailableException", f"The git repository {remote} cannot be read: {why}")
