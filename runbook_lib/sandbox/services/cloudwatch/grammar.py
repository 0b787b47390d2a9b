"""How an expression of metric math or the rule of a composite alarm is written: its words, and their order.

Source: CloudWatch user guide, using-metric-math: Ids begin with a lower-case letter, functions are capitals.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

TOKEN = re.compile(
    r"""\s*(?:(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)|(?P<name>[a-z][a-zA-Z0-9_]*)|(?P<word>[A-Z][A-Z0-9_]*)
    |"(?P<text>[^"]*)"|'(?P<single>[^']*)'|(?P<sign>&&|\|\||[=!<>]=|[-+*/^<>()\[\],]))""",
    re.VERBOSE,
)
# From the loosest to the tightest; what stands on one line is read from left to right.
LEVELS = (("OR",), ("AND",), ("<", ">", "<=", ">=", "==", "!="), ("+", "-"), ("*", "/"))
SAME = {"&&": "AND", "||": "OR"}


class Malformed(Exception):
    """A text that cannot be read, and why."""


@dataclass(frozen=True)
class Number:
    """A number."""

    value: float


@dataclass(frozen=True)
class Name:
    """The Id of a metric or another expression."""

    name: str


@dataclass(frozen=True)
class Word:
    """A word in capitals that is no function: REPEAT, DESC ..."""

    word: str


@dataclass(frozen=True)
class Text:
    """A text in quotes."""

    text: str


@dataclass(frozen=True)
class Group:
    """Several series in brackets."""

    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Negative:
    """The opposite of a number or series."""

    of: Node


@dataclass(frozen=True)
class Joined:
    """Two parts and the sign between them."""

    sign: str
    left: Node
    right: Node


@dataclass(frozen=True)
class Applied:
    """A function and what it is applied to."""

    function: str
    to: tuple[Node, ...]


Node = Number | Name | Word | Text | Group | Negative | Joined | Applied
Token = tuple[str, str]  # kind and text


@lru_cache(maxsize=512)
def parsed(text: str) -> Node:
    """What a text says; raises Malformed."""
    reader = _Reader(list(_tokens(text)))
    found = reader.joined(0)
    if reader.kind != "end":
        raise Malformed(f"{reader.text!r} is not expected there")
    return found


def names(node: Node) -> Iterator[str]:
    """The Ids that an expression names."""
    if isinstance(node, Name):
        yield node.name
    for part in _parts(node):
        yield from names(part)


def functions(node: Node) -> Iterator[str]:
    """The functions that an expression uses."""
    if isinstance(node, Applied):
        yield node.function
    for part in _parts(node):
        yield from functions(part)


def _parts(node: Node) -> tuple[Node, ...]:
    if isinstance(node, Joined):
        return (node.left, node.right)
    if isinstance(node, Negative):
        return (node.of,)
    return node.parts if isinstance(node, Group) else node.to if isinstance(node, Applied) else ()


def _tokens(text: str) -> Iterator[Token]:
    at, end = 0, len(text.rstrip())
    while at < end:
        found = TOKEN.match(text, at)
        if found is None:
            raise Malformed(f"{text[at:].strip()[:20]!r} cannot be read")
        kind = str(found.lastgroup)
        yield ("text" if kind == "single" else kind), SAME.get(found[kind], found[kind])
        at = found.end()
    yield "end", "the end"


class _Reader:
    """Reads words one after the other."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens, self._at = tokens, 0

    @property
    def kind(self) -> str:
        return self._tokens[self._at][0]

    @property
    def text(self) -> str:
        return self._tokens[self._at][1]

    def _next(self) -> str:
        text = self.text
        self._at += 1
        return text

    def _want(self, sign: str) -> None:
        if self.text != sign or self.kind == "text":
            raise Malformed(f"{sign!r} is expected before {self.text!r}")
        self._at += 1

    def joined(self, level: int) -> Node:
        """A part whose signs are of this level or a tighter one."""
        if level == len(LEVELS):
            return self._powered()
        left = self.joined(level + 1)
        while self.kind in ("sign", "word") and self.text in LEVELS[level]:
            left = Joined(self._next(), left, self.joined(level + 1))
        return left

    def _powered(self) -> Node:
        if self.kind == "sign" and self.text in "+-":
            return Negative(self._powered()) if self._next() == "-" else self._powered()
        base = self._single()
        return Joined(self._next(), base, self._powered()) if (self.kind, self.text) == ("sign", "^") else base

    def _single(self) -> Node:
        kind, read = self.kind, _SINGLE.get(self.kind)
        if read is not None:
            return read(self._next())
        if kind == "word":
            return self._word()
        if kind == "sign" and self.text in ("(", "["):
            return self._inside()
        raise Malformed(f"{self.text!r} is not expected there")

    def _word(self) -> Node:
        word = self._next()
        if (self.kind, self.text) != ("sign", "("):
            return Word(word)
        self._next()
        return Applied(word, self._list(")"))

    def _inside(self) -> Node:
        if self._next() == "[":
            return Group(self._list("]"))
        found = self.joined(0)
        self._want(")")
        return found

    def _list(self, end: str) -> tuple[Node, ...]:
        found: list[Node] = []
        while self.text != end or self.kind == "text":
            if found:
                self._want(",")
            found.append(self.joined(0))
        self._next()
        return tuple(found)


_SINGLE: dict[str, Callable[[str], Node]] = {
    "number": lambda text: Number(float(text)),
    "name": Name,
    "text": Text,
}
