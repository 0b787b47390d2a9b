"""YAML with the place of every value, so that edits can be made on the text and errors can point."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

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
from runbook_lib.errors import BadInput

LARGEST_YAML = 128 << 10
MOST_WRITTEN = 10_000  # values as they stand in the file; the reader needs a fraction of a millisecond for each
_NOTHING = ("", "~", "null", "Null", "NULL")
_FLAGS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_TEXT_TAGS = ("!", "tag:yaml.org,2002:str")


def parse_yaml(text: str | bytes | Source, *, name: str) -> Document:
    """Read one YAML document; whatever is malformed is an error with its line, its column and a remedy."""
    return _read(source_of(text, name=name))


@lru_cache(maxsize=8)
def _read(source: Source) -> Document:
    """A document is never changed, and its facts, its checks and its repairs each begin with it."""
    if len(source.text) > LARGEST_YAML:
        raise source.bad(
            0,
            seen=f"{len(source.text):,} characters",
            wanted=f"a deployment file of at most {LARGEST_YAML:,}",
            next_step="check that this is the right file",
        )
    return Document(source, _Builder(source).root())


def _events(source: Source) -> Iterator[Any]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        yield from YAML(typ="safe", pure=True).parse(source.text)
    except YAMLError as problem:
        raise _unreadable(source, problem) from problem


def _unreadable(source: Source, problem: Exception) -> BadInput:
    mark = getattr(problem, "problem_mark", None)
    index = mark.index if mark else getattr(problem, "position", None) or 0
    said = getattr(problem, "problem", None) or getattr(problem, "reason", None) or str(problem)
    context = getattr(problem, "context", None)
    return source.bad(
        min(index, len(source.text)),
        seen=f"{said}{f' ({context})' if context else ''}",
        wanted="valid YAML",
        next_step=_remedy(source, index, said),
    )


def _remedy(source: Source, index: int, said: str) -> str:
    line = source.text[source.line_start(index) : source.line_end(index)]
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return "indent with spaces: YAML allows no tab there"
    if "mapping values" in said:
        return "quote the whole value: an unquoted ': ' starts a map"
    return "mend this line, or the one before it (indentation, quotes, brackets)"


class _Builder:
    """Turns the reader's events into nodes."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.events = _events(source)
        self.anchors: dict[str, Node] = {}
        self.depth = self.count = 0

    def root(self) -> Node:
        found: Node | None = None
        for event in self.events:
            kind = type(event).__name__
            if kind in ("StreamStartEvent", "StreamEndEvent", "DocumentEndEvent"):
                continue
            if kind == "DocumentStartEvent":
                self._refuse_second(found, event)
            else:
                found = self._node(event)
        if found is None:
            raise self.source.bad(0, seen="only comments", wanted="a document", next_step="fill the file")
        return found

    def _refuse_second(self, found: Node | None, event: Any) -> None:
        if found is not None:
            raise self.source.bad(
                event.start_mark.index,
                seen="a second document after '---'",
                wanted="one YAML document in the file",
                next_step="remove the '---' line or split the file",
            )

    def _node(self, event: Any) -> Node:
        self.count += 1
        if self.count > MOST_WRITTEN:
            raise too_deep(self.source, event.start_mark.index, most=MOST_WRITTEN)
        node = _MAKERS[type(event).__name__](self, event)
        if node.weight > LARGEST_TREE or node.height > DEEPEST:
            raise too_deep(self.source, node.start)
        if node.anchor and not node.alias:
            self.anchors[node.anchor] = node
        return node

    def scalar(self, event: Any) -> Node:
        self._refuse_tag(event)
        raw, style, anchor = event.value, event.style or "", event.anchor or ""
        plain = not style and event.tag not in _TEXT_TAGS
        kind, value = resolve(raw) if plain else _text(raw)
        start, end = event.start_mark.index, event.end_mark.index
        return Node(kind, start, end, raw=raw, value=value, style=style, anchor=anchor)

    def alias(self, event: Any) -> Node:
        target = self.anchors.get(event.anchor)
        if target is None:
            raise self.source.bad(
                event.start_mark.index,
                seen=f"*{event.anchor}, which no &{event.anchor} before it explains",
                wanted="an alias of an anchor above",
                next_step="write the value out",
            )
        place = {"start": event.start_mark.index, "end": event.end_mark.index, "alias": event.anchor}
        return Node(**(target.__dict__ | place))

    def sequence(self, event: Any) -> Node:
        items = tuple(self._children(event, "SequenceEndEvent"))
        return self._collection("list", event, items=items, **_size(items))

    def mapping(self, event: Any) -> Node:
        nodes = list(self._children(event, "MappingEndEvent"))
        pairs = tuple(zip(nodes[::2], nodes[1::2], strict=True))
        for key, _ in pairs:
            if key.kind in ("map", "list"):
                raise self.source.bad(
                    key.start, seen=f"{key.shown()} as a key", wanted="a text as key", next_step="quote the key"
                )
        if repeated := first_repeated(pairs):
            raise repeated_key(self.source, *repeated)
        return self._collection("map", event, pairs=pairs, **_size(nodes))

    def _children(self, event: Any, end: str) -> Iterator[Node]:
        self._refuse_tag(event)
        self.depth += 1
        if self.depth > DEEPEST:
            raise too_deep(self.source, event.start_mark.index)
        for child in self.events:
            if type(child).__name__ == end:
                self.last_end = child.end_mark.index
                break
            yield self._node(child)
        self.depth -= 1

    def _collection(self, kind: Kind, event: Any, **content: Any) -> Node:
        style = "flow" if event.flow_style else "block"
        return Node(kind, event.start_mark.index, self.last_end, style=style, anchor=event.anchor or "", **content)

    def _refuse_tag(self, event: Any) -> None:
        if event.tag and event.tag not in _TEXT_TAGS and not str(event.tag).startswith("tag:yaml.org,2002:"):
            raise self.source.bad(
                event.start_mark.index,
                seen=f"the tag {event.tag}",
                wanted="plain YAML without tags",
                next_step="write the value itself: AWS reads this file before any template engine",
            )


def _size(nodes: Sequence[Node]) -> dict[str, int]:
    weight, height = (node.weight for node in nodes), (node.height for node in nodes)
    return {"weight": 1 + sum(weight), "height": 1 + max(height, default=0)}


_MAKERS = {
    "ScalarEvent": _Builder.scalar,
    "AliasEvent": _Builder.alias,
    "SequenceStartEvent": _Builder.sequence,
    "MappingStartEvent": _Builder.mapping,
}


def resolve(raw: str) -> tuple[Kind, Scalar]:
    """What an unquoted scalar means (YAML 1.2 core schema, https://yaml.org/spec/1.2.2/#103-core-schema)."""
    if raw in _NOTHING:
        return "nothing", None
    if raw in _FLAGS:
        return "flag", _FLAGS[raw]
    if _INTEGER.fullmatch(raw) and len(raw) < 40:
        return "number", int(raw)
    if _FLOAT.fullmatch(raw) and len(raw) < 40:
        return "number", float(raw)
    return "text", raw


def _text(raw: str) -> tuple[Kind, Scalar]:
    return "text", raw
