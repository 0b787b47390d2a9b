"""Splices for one value of a JSON or YAML file: in the file's own style, and nothing beside it.

None where a change could touch more than its value: behind an anchor or alias, in a block text, without a place.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator

from runbook_lib.documents.edit import Splice
from runbook_lib.documents.node import Document, Node

_QUOTES = ("'", '"')


def text_written(document: Document, node: Node, value: str) -> Splice | None:
    """Another text in the place of a value; quotes stay as they are, a plain value stays plain.

    The caller vouches that the text is safe without quotes, as names, numbers and `<TASK_DEFINITION>` are.
    """
    if not _is_alone(node):
        return None
    if is_json(document):
        return Splice(node.start, node.end, json.dumps(value, ensure_ascii=False))
    return Splice(node.start, node.end, f"{node.style}{value}{node.style}")


def bare_written(document: Document, node: Node, value: str) -> Splice | None:
    """A number or flag without quotes in the place of a value."""
    return Splice(node.start, node.end, value) if _is_alone(node) else None


def value_filled(document: Document, key: Node, node: Node, value: str) -> Splice | None:
    """The same for a key of YAML that may have nothing behind its colon."""
    if node.kind != "nothing" or node.raw or is_json(document):
        return text_written(document, node, value)
    text = document.source.text
    colon = text.find(":", key.end)
    if colon < 0 or text[key.end : colon].strip() or node.anchor or node.alias:
        return None
    return Splice(colon + 1, colon + 1, f" {value}")


def keys_removed(parent: Node, names: Collection[str]) -> Iterator[Splice]:
    """A JSON object without these keys: their commas go with them, what stands around stays."""
    pairs = parent.pairs
    gone = [number for number, (key, _) in enumerate(pairs) if key.raw in names]
    if len(gone) == len(pairs):
        yield Splice(parent.start + 1, parent.end - 1, "")
        return
    for first, last in _runs(gone):
        if last + 1 < len(pairs):
            yield Splice(pairs[first][0].start, pairs[last + 1][0].start, "")
        else:
            yield Splice(pairs[first - 1][1].end, pairs[last][1].end, "")


def key_added(document: Document, parent: Node, name: str, value: str) -> Splice:
    """A JSON object with another key at its end, indented as the keys before it; `value` is JSON text."""
    written = f"{json.dumps(name)}: {value}"
    if not parent.pairs:
        return Splice(parent.start + 1, parent.end - 1, written)
    key, last = parent.pairs[-1]
    before = document.source.text[parent.start + 1 : key.start]
    space = before[len(before.rstrip()) :] or " "
    return Splice(last.end, last.end, f",{space}{written}")


def is_json(document: Document) -> bool:
    """Whether the file is JSON: an object whose keys all stand in double quotes, from brace to brace."""
    return document.source.text.lstrip().startswith("{")


def _is_alone(node: Node) -> bool:
    return not (node.anchor or node.alias) and node.style in ("", *_QUOTES) and node.end > node.start


def _runs(numbers: list[int]) -> Iterator[tuple[int, int]]:
    """Neighbouring numbers as first and last."""
    first = last = -2
    for number in numbers:
        if number != last + 1:
            if first >= 0:
                yield first, last
            first = number
        last = number
    if first >= 0:
        yield first, last
