"""Files that keep a world: written at once or not at all, and read by their owner alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from runbook_lib.errors import BadInput


def replace_file(path: Path, content: bytes) -> None:
    """Write a file at once or not at all: it is on the disk under its name, or the former one still is."""
    with replacing(path) as file:
        file.write(content)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A new file to write into, which takes the place of the former one when all went well."""
    beside = path.with_name(path.name + ".new")
    try:
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read_own(path: Path, *, what: str) -> bytes:
    """The content of a file; refused when it is somebody else's or cannot be read."""
    try:
        owner = path.stat().st_uid
        data = path.read_bytes()
    except OSError as error:
        raise unusable(path, what=what, seen=f"it cannot be read ({error.strerror})", wanted=f"a {what}") from error
    if owner != os.getuid():
        wanted = "a file of your own, because loading it runs its code"
        raise unusable(path, what=what, seen=f"it belongs to user {owner}", wanted=wanted)
    return data


def unusable(path: str | Path, *, what: str, seen: str, wanted: str) -> BadInput:
    """The refusal of a file, by its name."""
    return BadInput(
        where=f"{what} {path}",
        seen=seen,
        wanted=wanted,
        next_step="name another file, or remove this one to begin anew",
    )
