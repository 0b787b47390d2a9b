"""Patterns over JSON events: { $.status = 5* && ($.latency > 200 || $.path NOT EXISTS) }.

Source: CloudWatch Logs user guide, FilterAndPatternSyntax, "Filter patterns for JSON log events".
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

TOKEN = re.compile(
    r"""\s*(?:
    (?P<selector>\$(?:\.[\w\-]+|\[\d+\]|\.?\[(?:"[^"]*"|'[^']*')\])*)
    |(?P<mark>&&|\|\||\(|\)|!=|<=|>=|=|<|>)
    |(?P<text>"(?:[^"\\]|\\.)*")
    |%(?P<expression>(?:[^%\\]|\\.)*)%
    |(?P<word>[^\s()&|=<>!]+)
    )""",
    re.VERBOSE,
)
STEP = re.compile(r"""\.([\w\-]+)|\[(\d+)\]|\.?\[["']([^"']*)["']\]""")
ABSENT = object()
ORDER: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
Test = Callable[[Any, dict[str, str]], bool]


@dataclass
class Reader:
    """Reads a pattern token by token."""

    tokens: list[tuple[str, str]]
    at: int = 0
    selectors: list[str] = field(default_factory=list)

    def peek(self) -> tuple[str, str]:
        return self.tokens[self.at] if self.at < len(self.tokens) else ("end", "")

    def take(self) -> tuple[str, str]:
        token = self.peek()
        self.at += 1
        return token

    def word(self, *words: str) -> bool:
        """Take these words if they come next."""
        following = [text.upper() for _, text in self.tokens[self.at : self.at + len(words)]]
        if following != list(words):
            return False
        self.at += len(words)
        return True


def compiled(text: str) -> Callable[[str], Mapping[str, str] | None]:
    """What finds the events of a pattern in braces."""
    if not text.endswith("}"):
        raise ValueError("a pattern over JSON ends with }")
    reader = Reader(_tokens(text[1:-1]))
    test = _either(reader)
    if reader.peek()[0] != "end":
        raise ValueError(f"{reader.peek()[1]!r} was not expected")

    def find(message: str) -> Mapping[str, str] | None:
        try:
            event = json.loads(message)
        except ValueError:
            return None
        seen: dict[str, str] = {}
        return seen if isinstance(event, dict | list) and test(event, seen) else None

    return find


def _tokens(text: str) -> list[tuple[str, str]]:
    found, position = [], 0
    while text[position:].strip():
        token = TOKEN.match(text, position)
        if token is None or token.lastgroup is None:
            raise ValueError(f"{text[position:].strip()!r} cannot be read")
        found.append((token.lastgroup, token[token.lastgroup]))
        position = token.end()
    return found


def _either(reader: Reader) -> Test:
    tests = [_both(reader)]
    while reader.word("||"):
        tests.append(_both(reader))
    return lambda event, seen: any([test(event, seen) for test in tests])


def _both(reader: Reader) -> Test:
    tests = [_single(reader)]
    while reader.word("&&"):
        tests.append(_single(reader))
    return lambda event, seen: all([test(event, seen) for test in tests])


def _single(reader: Reader) -> Test:
    if reader.word("("):
        inner = _either(reader)
        if not reader.word(")"):
            raise ValueError("a parenthesis is not closed")
        return inner
    kind, path = reader.take()
    if kind != "selector":
        raise ValueError(f"{path!r} stands where a selector such as $.status should")
    for words, test in PHRASES.items():
        if reader.word(*words):
            return lambda event, seen, test=test: test(_look(event, path, seen))  # type: ignore[misc]
    return _comparison(reader, path)


PHRASES: Mapping[tuple[str, ...], Callable[[Any], bool]] = {
    ("IS", "NULL"): lambda value: value is None,
    ("IS", "TRUE"): lambda value: value is True,
    ("IS", "FALSE"): lambda value: value is False,
    ("NOT", "EXISTS"): lambda value: value is ABSENT,
}


def _comparison(reader: Reader, path: str) -> Test:
    _, mark = reader.take()
    kind, text = reader.take()
    if mark in ORDER:
        limit = float(text)
        return lambda event, seen: _compares(_look(event, path, seen), ORDER[mark], limit)
    if mark not in ("=", "!=") or kind not in ("text", "word", "expression"):
        raise ValueError(f"{path} {mark} {text} is no comparison")
    wanted = re.compile(text if kind == "expression" else _wildcards(json.loads(text) if kind == "text" else text))
    match = wanted.search if kind == "expression" else wanted.fullmatch

    def test(event: Any, seen: dict[str, str]) -> bool:
        value = _look(event, path, seen)
        if value is ABSENT or isinstance(value, dict | list):
            return False
        same = match(_text(value)) is not None or (kind == "word" and _compares(value, operator.eq, text))
        return same == (mark == "=")

    return test


def _wildcards(text: str) -> str:
    return re.escape(text).replace(r"\*", ".*")


def _compares(value: Any, compare: Callable[[float, float], bool], limit: Any) -> bool:
    if isinstance(value, bool):
        return False
    try:
        return compare(float(value), float(limit))
    except (TypeError, ValueError):
        return False


def _look(event: Any, path: str, seen: dict[str, str]) -> Any:
    value = select(event, path)
    if value is not ABSENT:
        seen[path] = _text(value)
    return value


def select(event: Any, path: str) -> Any:
    """What a selector such as $.a.b[0] finds in an event; ABSENT when there is nothing."""
    for name, index, quoted in STEP.findall(path):
        if index:
            event = event[int(index)] if isinstance(event, list) and int(index) < len(event) else ABSENT
        else:
            event = event.get(name or quoted, ABSENT) if isinstance(event, dict) else ABSENT
    return event


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
