"""What a variable holds, as far as the file says it: texts with holes where only the build knows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from runbook_lib.documents.shell.statements import Statement
from runbook_lib.documents.shell.words import Piece, Word

_NUMBERS = re.compile(r"\s*(\d+)(?::(\d+))?\s*")
_LONGEST = 4096


@dataclass(frozen=True)
class Hole:
    """Something that only the build knows: a variable the file does not set, or (name empty) a command's output."""

    raw: str
    name: str = ""


Part = str | Hole


class Scope:
    """The variables that a buildspec sets, in the order in which it sets them."""

    def __init__(self, known: Mapping[str, str]) -> None:
        self.values: dict[str, tuple[Part, ...]] = {name: (value,) for name, value in known.items()}

    def run(self, statement: Statement) -> None:
        """Take over what a statement assigns; VAR=x before a command counts for that command alone."""
        if not statement.words or statement.words[0].literal in ("export", "declare", "readonly", "typeset"):
            for name, word in statement.assignments:
                self.values[name] = self.value(word)
        if statement.program == "read":
            for word in statement.arguments:
                self.values[word.literal or ""] = (Hole(word.raw),)

    def value(self, word: Word) -> tuple[Part, ...]:
        """What the shell makes of a word."""
        return self.pieces(word.pieces)

    def pieces(self, pieces: tuple[Piece, ...]) -> tuple[Part, ...]:
        parts: list[Part] = []
        for piece in pieces:
            parts.extend(self._expansion(piece) if piece.expands else [piece.text])
        return joined(parts)

    def _expansion(self, piece: Piece) -> tuple[Part, ...]:
        held = self.values.get(piece.name) if piece.name else None
        if not piece.name:
            return (Hole(piece.text),)
        if not piece.operator:
            return held if held is not None else (Hole(f"${piece.name}", piece.name),)
        if piece.operator in (":-", ":=", "-", "="):
            unset = held is None or (piece.operator.startswith(":") and held in ((), ("",)))
            return self.pieces(piece.default) if unset or held is None else held
        text = held[0] if held and len(held) == 1 and isinstance(held[0], str) else None
        made = None if text is None else _cut(text, piece.operator, piece.argument)
        return (made,) if made is not None else (Hole(piece.text, "" if held else piece.name),)


def joined(parts: list[Part]) -> tuple[Part, ...]:
    """Neighbouring texts joined; empty ones left out."""
    result: list[Part] = []
    for part in parts:
        if isinstance(part, str) and result and isinstance(result[-1], str):
            result[-1] = (result[-1] + part)[:_LONGEST]
        elif part != "":
            result.append(part)
    return tuple(result[:64])


def text_of(parts: tuple[Part, ...]) -> str | None:
    """The text when nothing in it is left to the build."""
    return "".join(map(str, parts)) if all(isinstance(part, str) for part in parts) else None


def _cut(text: str, operator: str, argument: str) -> str | None:
    """bash's ${VAR:offset:length}, ${VAR%pattern} and ${VAR#pattern}, for plain patterns."""
    if operator == ":":
        found = _NUMBERS.fullmatch(argument)
        return text[int(found[1]) :][: int(found[2]) if found[2] else None] if found else None
    if "$" in argument or "`" in argument or operator in ("/", "//", ":+", "+", ":?", "?"):
        return None
    ends = range(len(text) + 1)
    if operator.startswith("%"):
        fitting = [end for end in ends if fnmatchcase(text[end:], argument)]
        return text[: (min if operator == "%%" else max)(fitting, default=len(text))]
    fitting = [end for end in ends if fnmatchcase(text[:end], argument)]
    return text[(max if operator == "##" else min)(fitting, default=0) :]


def used_by(statement: Statement) -> Iterator[str]:
    """The variables that a statement looks up, in its words, assignments, redirections and here-documents."""
    words = (*statement.words, *(word for _, word in statement.assignments))
    for pieces in (*(word.pieces for word in words), *_redirected(statement)):
        yield from (name for piece in pieces for name in piece.uses)


def _redirected(statement: Statement) -> Iterator[tuple[Piece, ...]]:
    for redirect in statement.redirects:
        yield redirect.target.pieces
        yield redirect.body or ()
