"""Bytes that are seldom read lie in a file of this process, and not in its memory: a world that lives long stays small.

The file has no name and ends with the process. It is no part of what is saved: a save has the bytes themselves. Nothing
is taken out of it before then; what a release lays down is some 100 KB.
"""

from __future__ import annotations

import os
import tempfile
from typing import BinaryIO


class _File:
    """A file to which bytes are added at its end."""

    def __init__(self) -> None:
        self.process, self._end = os.getpid(), 0
        self._file: BinaryIO = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - it lives as long as what lies in it

    def add(self, content: bytes) -> int:
        """Where it begins in the file."""
        at, view = self._end, memoryview(content)
        while view:
            written = os.pwrite(self._file.fileno(), view, self._end)
            self._end += written
            view = view[written:]
        return at

    def read(self, at: int, size: int) -> bytes:
        content = os.pread(self._file.fileno(), size, at)
        if len(content) != size:
            seen = f"{len(content)} bytes at {at} of a temporary file"
            raise OSError(f"seen: {seen}; wanted: {size}, as they were laid down")
        return content


class Laid:
    """Bytes that were laid down; equal to others of the same content."""

    __slots__ = ("_at", "_file", "size")

    def __init__(self, content: bytes) -> None:
        self._file, self.size = _own(), len(content)
        self._at = self._file.add(content)

    def read(self) -> bytes:
        """The bytes."""
        return self._file.read(self._at, self.size)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Laid) and self.read() == other.read()

    def __hash__(self) -> int:
        return hash(self.read())

    def __reduce__(self) -> tuple[type[Laid], tuple[bytes]]:
        return Laid, (self.read(),)


_files: list[_File] = []


def _own() -> _File:
    """The file of this process: one that was forked reads on in its parent's, and adds to its own."""
    if not _files or _files[-1].process != os.getpid():
        _files[:] = [_File()]
    return _files[-1]
