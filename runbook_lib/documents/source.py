"""A file as its owner wrote it: every document starts as one of these, and every error points into one."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from runbook_lib.errors import BadInput

BYTE_ORDER_MARK = "\ufeff"
LARGEST = 1 << 20  # characters
_LARGEST_BYTES = 4 * LARGEST  # UTF-8 has at most four for one
_LINE_END = re.compile(r"\r\n|\n|\r")
_BINARY = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_WIDE_MARKS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


@dataclass(frozen=True)
class Source:
    """Name and text of a file; line ends stay as they are, a byte-order mark is kept apart in `mark`."""

    name: str
    text: str
    mark: str = ""

    @property
    def whole(self) -> str:
        """The text as it stands in the file, byte-order mark included."""
        return self.mark + self.text

    @cached_property
    def newline(self) -> str:
        """The line end that this file uses most; a file of one line counts as a Unix one."""
        ends = _LINE_END.findall(self.text)
        return max(("\n", "\r\n", "\r"), key=ends.count) if ends else "\n"

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(end.end() for end in _LINE_END.finditer(self.text))]

    def position(self, index: int) -> tuple[int, int]:
        """Line and column of a character, both counted from 1 as editors do."""
        line = bisect_right(self._line_starts, index)
        return line, index - self._line_starts[line - 1] + 1

    def line(self, index: int) -> int:
        return self.position(index)[0]

    def where(self, index: int) -> str:
        """The place of a character as `file:line:column`."""
        line, column = self.position(index)
        return f"{self.name}:{line}:{column}"

    def nth_line(self, number: int) -> tuple[int, int]:
        """Start and end (before its line end) of a line, counted from 1."""
        start = self._line_starts[number - 1]
        return start, self.line_end(start)

    def line_start(self, index: int) -> int:
        return self._line_starts[bisect_right(self._line_starts, index) - 1]

    def line_end(self, index: int) -> int:
        """Where the line of this character ends, before its line end."""
        found = _LINE_END.search(self.text, index)
        return found.start() if found else len(self.text)

    def bad(self, index: int, *, seen: str, wanted: str, next_step: str) -> BadInput:
        """The error for what stands at this place; the caller raises it."""
        return BadInput(seen=seen, wanted=wanted, next_step=next_step, where=self.where(index))


def source_of(text: str | bytes | Source, *, name: str) -> Source:
    """Accept a file's bytes (UTF-8 is checked), its text, or what was accepted before; refuse what is no text."""
    if isinstance(text, Source):
        return text
    if not isinstance(text, str | bytes):
        raise BadInput(
            seen=f"a value of type {type(text).__name__}",
            wanted="the file's text",
            next_step="pass what the file holds, as str or bytes",
            where=name,
        )
    decoded = _decoded(text, name) if isinstance(text, bytes) else text
    _refuse_huge(len(decoded), name, limit=LARGEST)
    marked = decoded.startswith(BYTE_ORDER_MARK)
    source = Source(name, decoded.removeprefix(BYTE_ORDER_MARK), BYTE_ORDER_MARK if marked else "")
    _refuse_binary(source)
    _refuse_empty(source)
    return source


def read(path: Path, *, name: str | None = None) -> Source:
    """Read a file of the application; `name` is how errors call it (its file name unless told)."""
    shown = name or path.name
    try:
        with path.open("rb") as file:
            # One byte more than is accepted: a huge file is refused by its size, and never held.
            content = file.read(_LARGEST_BYTES + 1)
            size = max(len(content), path.stat().st_size)
    except OSError as problem:
        raise BadInput(
            seen=f"no readable file ({problem.strerror})",
            wanted=f"the file {shown}",
            next_step=f"put {shown} into {path.parent} or name the right file",
            where=shown,
        ) from problem
    _refuse_huge(size, shown, limit=_LARGEST_BYTES, what="bytes")
    return source_of(content, name=shown)


def _decoded(content: bytes, name: str) -> str:
    _refuse_huge(len(content), name, limit=_LARGEST_BYTES, what="bytes")
    if content[:2] in _WIDE_MARKS:
        raise BadInput(
            seen=f"a file in {_WIDE_MARKS[content[:2]]}", wanted="UTF-8", next_step="save the file as UTF-8", where=name
        )
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as problem:
        line = content.count(b"\n", 0, problem.start) + 1
        raise BadInput(
            seen=f"byte 0x{content[problem.start]:02x} at offset {problem.start}, which is not UTF-8",
            wanted="text in UTF-8",
            next_step="save the file as UTF-8, or name a text file",
            where=f"{name}:{line}",
        ) from problem


def _refuse_huge(size: int, name: str, *, limit: int, what: str = "characters") -> None:
    if size > limit:
        raise BadInput(
            seen=f"{size:,} {what}",
            wanted=f"a deployment file of at most {limit:,}",
            next_step="check that this is the right file",
            where=name,
        )


def _refuse_binary(source: Source) -> None:
    found = _BINARY.search(source.text) or re.search("[\ud800-\udfff]", source.text)
    if found:
        raise source.bad(
            found.start(),
            seen=f"the control character 0x{ord(found.group()):02x}, as binary files have",
            wanted="a text file",
            next_step="name a text file, or remove the character",
        )


def _refuse_empty(source: Source) -> None:
    if not source.text.strip():
        raise BadInput(
            seen="an empty file", wanted="a document", next_step="fill the file or name another", where=source.name
        )
