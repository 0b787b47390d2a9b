"""The journal of a served world: a file to which every input is appended, whole and in order.

It begins with one line that names the save which it continues; after it come the entries:

    mark (2 bytes)  length (4)  checksum of the content (4)  checksum of the ten bytes before (4)  content

An entry that was being written when its writer was killed is the last one and ends too early; nobody was told that it
was kept, and it is left out. Everything else that does not fit is damage, and the file is refused.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runbook_lib.errors import BadInput
from runbook_lib.sandbox.files import read_own, replace_file

MARK = b"\xa5J"
HEAD = struct.Struct(">2sII")  # mark, length, checksum of the content
SUM = struct.Struct(">I")
HEAD_SIZE = HEAD.size + SUM.size
TITLE = b"runbook sandbox journal, format 1, continues "
DIGITS = 64  # of the name of a save


@dataclass(frozen=True)
class Entry:
    """What was written at once, and where in the file."""

    offset: int
    content: bytes


@dataclass(frozen=True)
class Found:
    """What a journal holds: entries up to `end`; behind it `torn` bytes of one that was not finished."""

    continues: str
    entries: tuple[Entry, ...]
    end: int
    torn: int


class Journal:
    """A journal that is open for writing; what was appended is kept once sync() has returned."""

    def __init__(self, path: Path, *, end: int) -> None:
        self.path, self.end = path, end
        self._synced = end
        self._file = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        os.ftruncate(self._file, end)
        os.lseek(self._file, end, os.SEEK_SET)

    @classmethod
    def begin(cls, path: Path, *, continues: str) -> Journal:
        """A new journal behind a save, in the place of the former one."""
        title = TITLE + continues.encode() + b"\n"
        replace_file(path, title)
        return cls(path, end=len(title))

    def append(self, content: bytes) -> None:
        """Write an entry; it survives the end of this process at once, and that of the machine after sync()."""
        head = HEAD.pack(MARK, len(content), zlib.crc32(content))
        entry = head + SUM.pack(zlib.crc32(head)) + content
        written = 0
        while written < len(entry):
            written += os.write(self._file, entry[written:])
        self.end += len(entry)

    @property
    def synced(self) -> bool:
        """Whether everything that was appended is on the disk."""
        return self._synced == self.end

    def sync(self) -> None:
        """Have everything on the disk that was appended."""
        if not self.synced:
            os.fdatasync(self._file)
            self._synced = self.end

    def close(self) -> None:
        os.close(self._file)


def read(path: Path) -> Found:
    """What a journal holds; refused where it is damaged, with the file and the offset."""
    data = read_own(path, what="journal")
    start = len(TITLE) + DIGITS + 1
    if not data.startswith(TITLE) or data[start - 1 : start] != b"\n":
        raise _damaged(path, 0, f"it begins with {data[:60]!r}", f"a line that begins with {TITLE.decode()!r}")
    entries = tuple(_entries(path, data, start))
    end = entries[-1].offset + HEAD_SIZE + len(entries[-1].content) if entries else start
    return Found(data[len(TITLE) : start - 1].decode(), entries, end, torn=len(data) - end)


def _entries(path: Path, data: bytes, offset: int) -> Iterator[Entry]:
    # A machine that lost its power leaves zeros where it had not written yet.
    written = len(data.rstrip(b"\0"))
    while offset < len(data):
        try:
            content = _content(data, offset)
        except _Misfit as misfit:
            if written < misfit.end:
                return
            raise _damaged(path, offset, str(misfit), "the file as it was written") from None
        yield Entry(offset, content)
        offset += HEAD_SIZE + len(content)


def _content(data: bytes, offset: int) -> bytes:
    """The content of the entry that begins there."""
    start = offset + HEAD_SIZE
    head, told = data[offset : offset + HEAD.size], data[offset + HEAD.size : start]
    if len(told) < SUM.size or SUM.unpack(told)[0] != zlib.crc32(head):
        raise _Misfit("the head of an entry does not fit its checksum", start)
    _, length, checksum = HEAD.unpack(head)
    content = data[start : start + length]
    if zlib.crc32(content) != checksum or len(content) < length:
        raise _Misfit("the content of an entry does not fit its checksum", start + length)
    return content


class _Misfit(Exception):
    """An entry that does not fit its checksums; it would have ended there."""

    def __init__(self, text: str, end: int) -> None:
        super().__init__(text)
        self.end = end


def _damaged(path: Path, offset: int, seen: str, wanted: str) -> BadInput:
    return BadInput(
        where=f"journal {path}, offset {offset}",
        seen=f"it is damaged: {seen}",
        wanted=wanted,
        next_step="put the file back from a copy, or remove it to go on from the last save alone",
    )
