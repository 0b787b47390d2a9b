"""Words of a shell command: what is literal, what the shell expands, and what stood between quotes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

META = frozenset(" \t\n;|&<>()")
_NAME = re.compile(r"[A-Za-z_]\w*|[0-9@*#?$!-]")
_ANSI = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"', "0": "\0"}
_DEEPEST = 30


class ShellError(Exception):
    """A command that the shell could not read: an open quote or bracket, at `index`."""

    def __init__(self, index: int, seen: str) -> None:
        self.index, self.seen = index, seen
        super().__init__(seen)


@dataclass(frozen=True)
class Piece:
    """A part of a word: literal text without its quotes, or an expansion ($NAME, ${...}, $(...), `...`) as written."""

    text: str
    expands: bool = False
    quoted: bool = False


@dataclass(frozen=True)
class Word:
    """One word of a command and its place in the command's text."""

    raw: str
    start: int
    pieces: tuple[Piece, ...]

    @property
    def end(self) -> int:
        return self.start + len(self.raw)

    @property
    def literal(self) -> str | None:
        """The word after quote removal; None when the shell puts something into it."""
        return None if any(piece.expands for piece in self.pieces) else "".join(piece.text for piece in self.pieces)


def read_word(text: str, start: int) -> Word:
    """The word that begins here and ends before a blank or an operator."""
    index, pieces = start, []
    while index < len(text) and text[index] not in META:
        found, index = _piece(text, index)
        pieces.extend(found)
    return Word(text[start:index], start, merged(pieces))


def merged(pieces: list[Piece]) -> tuple[Piece, ...]:
    """Neighbouring literal pieces of the same kind joined into one."""
    joined: list[Piece] = []
    for piece in pieces:
        last = joined[-1] if joined else None
        if last and not last.expands and not piece.expands and last.quoted == piece.quoted:
            joined[-1] = Piece(last.text + piece.text, quoted=piece.quoted)
        else:
            joined.append(piece)
    return tuple(joined)


def _piece(text: str, index: int) -> tuple[list[Piece], int]:
    first = text[index]
    if first == "'":
        end = _closing(text, index, "'")
        return [Piece(text[index + 1 : end], quoted=True)], end + 1
    if first == '"':
        end = quote_end(text, index)
        return list(inside_double(text[index + 1 : end])), end + 1
    if first == "\\":
        return (
            [] if text[index + 1 : index + 2] == "\n" else [Piece(text[index + 1 : index + 2], quoted=True)]
        ), index + 2
    if text.startswith("$'", index):
        return _ansi(text, index)
    if text.startswith('$"', index):
        return _piece(text, index + 1)
    end = expansion_end(text, index)
    return [Piece(text[index:end], expands=end > index + 1 or first == "`")], end


def _closing(text: str, index: int, quote: str) -> int:
    end = text.find(quote, index + 1)
    if end < 0:
        raise ShellError(index, f"a {quote} that is never closed")
    return end


def _ansi(text: str, start: int) -> tuple[list[Piece], int]:
    found = re.compile(r"\$'((?:[^'\\]|\\.)*)'", re.DOTALL).match(text, start)
    if not found:
        raise ShellError(start, "a $' that is never closed")
    value = re.sub(r"\\(.)", lambda one: _ANSI.get(one[1], one[0]), found[1], flags=re.DOTALL)
    return [Piece(value, quoted=True)], found.end()


def inside_double(body: str, *, quote: str = '"') -> Iterator[Piece]:
    """The pieces of what stands between double quotes, or (quote="") of a here-document."""
    index, literal = 0, ""
    while index < len(body):
        end = expansion_end(body, index) if body[index] in "$`" else index
        if end > index + 1:
            yield from [Piece(literal, quoted=True)] * bool(literal)
            yield Piece(body[index:end], expands=True, quoted=True)
            index, literal = end, ""
        elif body[index] == "\\" and body[index + 1 : index + 2] in ("$", "`", "\\", "\n", quote or "\\"):
            literal += "" if body[index + 1] == "\n" else body[index + 1]
            index += 2
        else:
            literal, index = literal + body[index], index + 1
    yield from [Piece(literal, quoted=True)] * bool(literal)


def quote_end(text: str, start: int, depth: int = 0) -> int:
    """Where the double quote that opens here is closed."""
    index = start + 1
    while index < len(text) and text[index] != '"':
        if text[index] == "\\":
            index += 2
        elif text[index] in "$`":
            index = expansion_end(text, index, depth + 1)
        else:
            index += 1
    if index >= len(text):
        raise ShellError(start, 'a " that is never closed')
    return index


def expansion_end(text: str, start: int, depth: int = 0) -> int:
    """Where the expansion that begins with $ or ` ends; one character on when it is no expansion."""
    if depth > _DEEPEST:
        raise ShellError(start, "expansions inside expansions, too many to follow")
    if text[start] == "`":
        found = re.compile(r"`(?:[^`\\]|\\.)*`", re.DOTALL).match(text, start)
        if not found:
            raise ShellError(start, "a ` that is never closed")
        return found.end()
    following = text[start + 1 : start + 2]
    if text[start] == "$" and following in ("(", "{"):
        return bracket_end(text, start + 1, depth)
    name = _NAME.match(text, start + 1) if text[start] == "$" else None
    return name.end() if name else start + 1


def bracket_end(text: str, start: int, depth: int = 0) -> int:
    """Behind the bracket that closes the ( or { at `start`; quotes and expansions inside are stepped over."""
    closing = {"(": ")", "{": "}"}[text[start]]
    index, open_ones = start + 1, 1
    while index < len(text):
        if text[index] == "\\":
            index += 1
        elif text[index] == "'" and closing == ")":
            index = _closing(text, index, "'")
        elif text[index] == '"':
            index = quote_end(text, index, depth + 1)
        elif text[index] in "$`":
            index = expansion_end(text, index, depth + 1) - 1
        elif text[index] in (text[start], closing):
            open_ones += 1 if text[index] == text[start] else -1
        index += 1
        if open_ones == 0:
            return index
    raise ShellError(start, f"a {text[start]} that is never closed")
