"""Makes the folder in which a child lives: its commands, and nothing else of this machine."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from runbook_lib.sandbox.shims.docker.flags import names
from runbook_lib.sandbox.shims.seat import Seat

SEARCHED = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin:/opt/homebrew/bin"
# Commands of this machine that a build may use: they read and write files and texts, and never leave the machine.
ALLOWED = names(
    "awk base64 basename bash cat chmod cksum cmp comm cp cut diff dirname dos2unix echo egrep env envsubst expand "
    "expr false fgrep file find fold gawk git grep gunzip gzip head jq ln ls make md5sum mkdir mktemp mv nl od "
    "paste printenv printf pwd readlink realpath rev rm rmdir sed seq sh sha1sum sha256sum shuf sort split stat sum "
    "tac tail tar tee test timeout touch tr true tsort uniq unexpand unzip wc which xargs xxd yes yq zcat zip"
)
# Commands that scripts find on their own, without the shell that would say that they are skipped.
SKIPPED = names(
    "ant apk apt apt-get bundle cargo cmake composer curl dockerd dotnet gcc gem go gradle helm java javac kubectl "
    "mvn ng node npm npx pip pip3 pipenv pnpm podman poetry pytest python python3 rpm ruby sam sbt serverless "
    "systemctl terraform tsc uv wget yarn yum"
)
SUDO = 'while [ "${1#-}" != "$1" ]; do shift; done; exec "$@"'  # a build is root already
FORKED = ("aws", "date", "docker", "sleep")  # the keys of COMMANDS in zygote.py, which is too slow to import here
CLIENT = Path(__file__).with_name("client.py")


@dataclass
class Zygote:
    """The process that forks the commands of all children of this process."""

    process: subprocess.Popen[bytes]
    folder: str

    @property
    def socket(self) -> str:
        return os.path.join(self.folder, "socket")

    def close(self) -> None:
        """End it and everything that it runs."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


_zygote: tuple[int, Zygote] | None = None


def zygote() -> Zygote:
    """The zygote of this process, started when it is first needed."""
    global _zygote
    if _zygote is None or _zygote[0] != os.getpid() or _zygote[1].process.poll() is not None:
        _zygote = os.getpid(), _start()
    return _zygote[1]


def _start() -> Zygote:
    folder = tempfile.mkdtemp(prefix="runbook-zygote-")
    clean = {"PATH": SEARCHED, "LC_ALL": "C.UTF-8", "TZ": "UTC", "PYTHONHASHSEED": "0", "HOME": folder}
    process = subprocess.Popen(
        [sys.executable, "-m", "runbook_lib.sandbox.shims.zygote", os.path.join(folder, "socket")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**clean, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        cwd=folder,
    )
    started = Zygote(process, folder)
    atexit.register(started.close)
    assert process.stdout is not None
    if process.stdout.readline() != b"ready\n":
        raise RuntimeError("the process that runs the AWS CLI for builds did not start; its message stands above")
    return started


def furnish(seat: Seat) -> str:
    """Make the folders and commands of a child; gives its PATH."""
    root = Path(seat.root)
    ours, theirs = root / "usr/local/bin", root / "usr/bin"
    for folder in (ours, theirs, root / "root", root / "tmp", root / "codebuild/output/tmp"):
        folder.mkdir(parents=True)
    for name in FORKED:
        _script(ours / name, f'exec {sys.executable} -I -S -B {CLIENT} {seat.root} {name} "$@"')
    _script(ours / "sudo", SUDO)
    for name in SKIPPED - set(seat.allowed):
        _script(ours / name, f'echo "skipped in the sandbox: {name} $*" >&2')
    missing = _link(theirs, [*ALLOWED, *seat.allowed])
    for name in missing:
        _script(
            theirs / name, f'echo "{name}: command not found (builds may use it, this machine lacks it)" >&2; exit 127'
        )
    seat.save()
    (seat.folder / "zygote").write_text(zygote().socket)
    return f"{ours}:{theirs}"


def _link(folder: Path, names: Iterable[str]) -> list[str]:
    missing = []
    for name in sorted(set(names)):
        found = shutil.which(name, path=SEARCHED)
        if found:
            (folder / name).symlink_to(found)
        else:
            missing.append(name)
    return missing


def _script(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)
