"""Saves a whole world in one file and loads it again, in mid-deployment too.

The file is good for the same version of moto only, and it is code: a file of somebody else is refused. Its name among
journals is its checksum; it says itself which journal it holds already, so that one of the two may be newer.
"""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TextIO

from runbook_lib.errors import BadInput, Refused
from runbook_lib.sandbox import moto_state
from runbook_lib.sandbox.files import read_own, replacing, unusable
from runbook_lib.sandbox.world import World

HEADER = f"runbook sandbox world, format 6, moto {moto_state.VERSION}\n".encode()
DIGEST = 32
LINE = b"\n"
WHAT = "saved world"


@dataclass(frozen=True)
class Saved:
    """A world as it was saved: its name, and the name of the save whose journal it holds already ("" for none)."""

    world: World
    name: str
    holds: str


def save(world: World, path: str | Path, *, holds: str = "") -> str:
    """Write a world into a file, at once or not at all; refused while a child process lives in it. Gives its name."""
    target = Path(path).absolute()
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as file:
        file.write(HEADER + bytes(DIGEST))
        content = _Summed(file)
        content.write(holds.encode() + LINE)
        moto_state.write(world, content)
        file.seek(len(HEADER))
        file.write(content.digest.digest())
    _give_back_memory()
    return content.digest.hexdigest()


def _give_back_memory() -> None:
    """What writing took goes back to the system: glibc keeps it for later, a world that is saved again and again grows.

    Other C libraries have no malloc_trim.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


class _Summed:
    """Writes through to a file and sums up: a world is never in memory a second time, or saving would leave gaps."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.digest = file, hashlib.sha256()

    def write(self, content: bytes | bytearray | memoryview) -> int:
        self.digest.update(content)
        return self._file.write(content)


def load(path: str | Path) -> World:
    """The world in a file; refused when the file is damaged, of another version or somebody else's."""
    return read(path).world


def read(path: str | Path) -> Saved:
    """A world and what its file says of it; refused as by load()."""
    data = read_own(Path(path), what=WHAT)
    if not data.startswith(HEADER):
        seen = f"it begins with {data.partition(LINE)[0][:60]!r}"
        raise unusable(path, what=WHAT, seen=seen, wanted=f"a world saved with {HEADER.decode().strip()}")
    told, content = data[len(HEADER) : len(HEADER) + DIGEST], data[len(HEADER) + DIGEST :]
    digest = hashlib.sha256(content)
    if digest.digest() != told:
        seen = "it is damaged: its content does not fit its checksum"
        raise unusable(path, what=WHAT, seen=seen, wanted="the file as it was saved")
    holds, _, dumped = content.partition(LINE)
    return Saved(moto_state.load(dumped), digest.hexdigest(), holds.decode())


@contextmanager
def locked(path: Path | None) -> Iterator[None]:
    """Hold a state file for this process alone; refused while another process holds it."""
    if path is None:
        yield
        return
    beside = path.with_name(path.name + ".lock")
    with _opened(beside) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _held(path, beside) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield  # the lock ends with the process, however that ends; the file stays, or two could hold one each


def _opened(beside: Path) -> TextIO:
    """The lock of a state file, opened; refused where nothing can be kept."""
    try:
        beside.parent.mkdir(parents=True, exist_ok=True)
        return beside.open("a+")
    except OSError as error:
        raise BadInput(
            where=f"folder {beside.parent}",
            seen=f"nothing can be kept in it ({error.strerror})",
            wanted="a folder for the state file that can be written to",
            next_step="choose another with --state",
        ) from error


def _held(path: Path, beside: Path) -> Refused:
    return Refused(
        where=f"state file {path}",
        seen=f"process {beside.read_text().strip() or 'unknown'} serves it",
        wanted="one server for a state file",
        next_step="use the server that runs (runbook sandbox status), or stop it first",
    )
