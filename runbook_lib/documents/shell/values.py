"""What a variable holds, as far as the file says it: texts with holes where only the build knows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from runbook_lib.documents.shell.statements import Statement, read_statements
from runbook_lib.documents.shell.words import Piece, ShellError, Word, inside_double

_PLAIN = re.compile(r"\$(\w+)|\$\{(\w+)\}")
_OPERAND = re.compile(r"\$\{(\w+)(:?[-=+?]|%%?|##?|:|/)(.*)\}", re.DOTALL)
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
            parts.extend(self._expansion(piece.text) if piece.expands else [piece.text])
        return joined(parts)

    def _expansion(self, raw: str) -> tuple[Part, ...]:
        if plain := _PLAIN.fullmatch(raw):
            name = plain[1] or plain[2]
            return self.values.get(name, (Hole(f"${name}", name),))
        operand = _OPERAND.fullmatch(raw)
        return self._operand(raw, *operand.groups()) if operand else (Hole(raw),)

    def _operand(self, raw: str, name: str, operator: str, argument: str) -> tuple[Part, ...]:
        held = self.values.get(name)
        if operator in (":-", ":=", "-", "="):
            return held if held else self.pieces(tuple(inside_double(argument)))
        text = held[0] if held and len(held) == 1 and isinstance(held[0], str) else None
        made = None if text is None else _cut(text, operator, argument)
        if made is not None:
            return (made,)
        return (Hole(raw, "" if held else name),)


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
    if "$" in argument or "`" in argument or operator in ("/", ":+", "+", ":?", "?"):
        return None
    ends = range(len(text) + 1)
    if operator.startswith("%"):
        fitting = [end for end in ends if fnmatchcase(text[end:], argument)]
        return text[: (min if operator == "%%" else max)(fitting, default=len(text))]
    fitting = [end for end in ends if fnmatchcase(text[:end], argument)]
    return text[(max if operator == "##" else min)(fitting, default=0) :]


def variables_in(pieces: tuple[Piece, ...]) -> Iterator[str]:
    """The names of the variables that the shell looks up in these pieces, commands inside $( ) included."""
    for piece in pieces:
        if piece.expands:
            yield from _names(piece.text)


def _names(raw: str) -> Iterator[str]:
    if raw.startswith(("$(", "`")) and not raw.startswith("$(("):
        yield from _inside(raw[2:-1] if raw.startswith("$(") else raw[1:-1])
    elif found := re.match(r"\$\{?#?([A-Za-z_]\w*)", raw):
        yield found[1]
        operand = _OPERAND.fullmatch(raw)
        yield from variables_in(tuple(inside_double(operand[3]))) if operand else ()


def _inside(command: str) -> Iterator[str]:
    try:
        statements = read_statements(command)
    except ShellError:
        return
    for statement in statements:
        yield from used_by(statement)


def used_by(statement: Statement) -> Iterator[str]:
    """The variables that a statement looks up, in its words, assignments, redirections and here-documents."""
    words = (*statement.words, *(word for _, word in statement.assignments))
    for pieces in (*(word.pieces for word in words), *_redirected(statement)):
        yield from variables_in(pieces)


def _redirected(statement: Statement) -> Iterator[tuple[Piece, ...]]:
    for redirect in statement.redirects:
        yield redirect.target.pieces
        yield redirect.body or ()
