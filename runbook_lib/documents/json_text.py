"""JSON with the place of every value; a byte-order mark and Windows line ends are no errors."""

from __future__ import annotations

import json
import re
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import NoReturn

from runbook_lib.documents.node import (
    DEEPEST,
    LARGEST_TREE,
    Document,
    Kind,
    Node,
    Scalar,
    first_repeated,
    repeated_key,
    too_deep,
)
from runbook_lib.documents.source import Source, source_of

_SPACE = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_WORDS: dict[str, tuple[Kind, Scalar]] = {"true": ("flag", True), "false": ("flag", False), "null": ("nothing", None)}
_WORD = re.compile(r"[A-Za-z_$<][\w$<>.-]*")
_TOKEN = re.compile(r"\$\{?\w+\}?|<\w+>|\{\{\s*[\w.]+\s*\}\}|__\w+__|%\w+%|@\w+@|[A-Z][A-Z0-9_]+")


def parse_json(text: str | bytes | Source, *, name: str) -> Document:
    """Read one JSON document; whatever is malformed is an error with its line, its column and a remedy."""
    source = source_of(text, name=name)
    return Document(source, _Reader(source).document())


def parse_template(text: str | bytes | Source, *, name: str) -> tuple[Document, tuple[Node, ...]]:
    """Read JSON in which a command replaces tokens before AWS sees it, and the places that are not JSON yet.

    Those places are bare tokens such as $PORT, <PORT>, {{port}} and PORT_NUMBER where a value is wanted, which are
    taken as texts, and commas before a closing bracket.
    """
    source = source_of(text, name=name)
    reader = _Reader(source, strict=False)
    return Document(source, reader.document()), tuple(reader.oddities)


class _Reader:
    """Reads one value after the other, at `index`."""

    def __init__(self, source: Source, *, strict: bool = True) -> None:
        self.source, self.text, self.index, self.depth, self.count = source, source.text, 0, 0, 0
        self.strict = strict
        self.oddities: list[Node] = []

    def document(self) -> Node:
        root = self._value()
        if self._next():
            self._refuse("more text after the document", "one JSON document", "remove what follows, or join the two")
        return root

    def _next(self) -> str:
        space = _SPACE.match(self.text, self.index)
        self.index = space.end() if space else self.index
        return self.text[self.index : self.index + 1]

    def _value(self) -> Node:
        first = self._next()
        self.count += 1
        if self.count > LARGEST_TREE:
            raise too_deep(self.source, self.index)
        if first == "{":
            return self._map()
        if first == "[":
            return self._list()
        return self._string() if first == '"' else self._bare(first)

    def _enter(self) -> int:
        self.depth += 1
        if self.depth > DEEPEST:
            raise too_deep(self.source, self.index)
        self.index += 1
        return self.index - 1

    def _map(self) -> Node:
        pairs: list[tuple[Node, Node]] = []
        start = self._enter()
        while self._more("}", bool(pairs)):
            if self._next() != '"':
                self._refuse(self._seen(), "a key in double quotes", self._comment_or('write the key as "key"'))
            key = self._string()
            if self._next() != ":":
                self._refuse(self._seen(), f"a colon after the key {key.raw!r}", "put ':' between key and value")
            self.index += 1
            pairs.append((key, self._value()))
        if repeated := first_repeated(tuple(pairs)):
            raise repeated_key(self.source, *repeated)
        self.depth -= 1
        return Node("map", start, self.index, pairs=tuple(pairs), style="flow")

    def _list(self) -> Node:
        items: list[Node] = []
        start = self._enter()
        while self._more("]", bool(items)):
            items.append(self._value())
        self.depth -= 1
        return Node("list", start, self.index, items=tuple(items), style="flow")

    def _more(self, closing: str, begun: bool) -> bool:
        """Whether another member follows; steps over the comma, or over the closing bracket."""
        found = self._next()
        if found == closing:
            self.index += 1
            return False
        if begun and found != ",":
            self._refuse(self._seen(), f"',' or '{closing}'", self._comment_or("put a comma between the values"))
        if begun:
            comma, self.index = self.index, self.index + 1
            if self._next() == closing:
                if self.strict:
                    self._refuse(f"'{closing}' after a comma", "another value", "remove the comma before it")
                self.oddities.append(Node("text", comma, comma + 1, raw=","))
                self.index += 1
                return False
        return True

    def _string(self) -> Node:
        start = self.index
        try:
            value, self.index = scanstring(self.text, start + 1, True)
        except json.JSONDecodeError as problem:
            self.index = min(problem.pos, len(self.text))
            self._refuse(problem.msg, "a text in double quotes", "close the quote on the same line, escape \\ as \\\\")
        return Node("text", start, self.index, raw=value, value=value, style='"')

    def _bare(self, first: str) -> Node:
        start = self.index
        number, word = _NUMBER.match(self.text, start), _WORD.match(self.text, start)
        if number:
            self.index, raw = number.end(), number.group()
            value: Scalar = float(raw) if number.group(2) or number.group(3) else _whole(raw)
            return Node("number", start, self.index, raw=raw, value=value)
        if word and word.group() in _WORDS:
            self.index, (kind, value) = word.end(), _WORDS[word.group()]
            return Node(kind, start, self.index, raw=word.group(), value=value)
        token = _TOKEN.match(self.text, start)
        if token and not self.strict:
            self.index, raw = token.end(), token.group()
            self.oddities.append(Node("text", start, self.index, raw=raw, value=raw))
            return self.oddities[-1]
        self._refuse(self._seen(), "a JSON value", self._comment_or(_bare_remedy(first)))

    def _seen(self) -> str:
        if self.index >= len(self.text):
            return "the end of the file"
        word = _WORD.match(self.text, self.index)
        return repr(word.group()[:40] if word else self.text[self.index])

    def _comment_or(self, remedy: str) -> str:
        commented = self.text[self.index : self.index + 1] in ("/", "#")
        return "remove the comment: JSON has none" if commented else remedy

    def _refuse(self, seen: str, wanted: str, next_step: str) -> NoReturn:
        raise self.source.bad(self.index, seen=seen, wanted=wanted, next_step=next_step)


def _whole(raw: str) -> int | float:
    # Python refuses to turn very long digit strings into an int; no figure of a deployment file has 40 digits.
    return int(raw) if len(raw) < 40 else float(raw)


def _bare_remedy(first: str) -> str:
    if first == "'":
        return "use double quotes"
    return 'quote the text: "..."' if first else "close the open bracket or quote"
