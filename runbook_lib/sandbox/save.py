"""Saves a whole world in one file and loads it again, in mid-deployment too.

The file is good for the same version of moto only, and it is code: a file of somebody else is refused.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runbook_lib.errors import BadInput, Refused
from runbook_lib.sandbox import moto_state
from runbook_lib.sandbox.world import World

HEADER = f"runbook sandbox world, format 1, moto {moto_state.VERSION}\n".encode()
DIGEST = 32
LINE = b"\n"


def save(world: World, path: str | Path) -> None:
    """Write a world into a file, at once or not at all; refused while a child process lives in it."""
    data = moto_state.dump(world)
    target = Path(path).absolute()
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=target.name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(HEADER + hashlib.sha256(data).digest() + data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, target)
    except OSError:
        os.unlink(name)
        raise


def load(path: str | Path) -> World:
    """The world in a file; refused when the file is damaged, of another version or somebody else's."""
    data = _read(Path(path))
    if not data.startswith(HEADER):
        raise _unusable(
            path, f"it begins with {data.partition(LINE)[0][:60]!r}", f"a world saved with {HEADER.decode().strip()}"
        )
    digest, content = data[len(HEADER) : len(HEADER) + DIGEST], data[len(HEADER) + DIGEST :]
    if hashlib.sha256(content).digest() != digest:
        raise _unusable(path, "it is damaged: its content does not fit its checksum", "the file as it was saved")
    return moto_state.load(content)


def _read(path: Path) -> bytes:
    try:
        owner = path.stat().st_uid
        data = path.read_bytes()
    except OSError as error:
        raise _unusable(path, f"it cannot be read ({error.strerror})", "a saved world") from error
    if owner != os.getuid():
        raise _unusable(path, f"it belongs to user {owner}", "a file of your own, because loading it runs its code")
    return data


def _unusable(path: str | Path, seen: str, wanted: str) -> BadInput:
    return BadInput(
        where=f"saved world {path}",
        seen=seen,
        wanted=wanted,
        next_step="name another file, or remove this one to begin anew",
    )


@contextmanager
def locked(path: Path | None) -> Iterator[None]:
    """Hold a state file for this process alone; refused while another process holds it."""
    if path is None:
        yield
        return
    beside = path.with_name(path.name + ".lock")
    beside.parent.mkdir(parents=True, exist_ok=True)
    with beside.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _held(path, beside) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
        beside.unlink(missing_ok=True)


def _held(path: Path, beside: Path) -> Refused:
    return Refused(
        where=f"state file {path}",
        seen=f"process {beside.read_text().strip() or 'unknown'} serves it",
        wanted="one server for a state file",
        next_step="use the server that runs (runbook sandbox status), or stop it first",
    )
