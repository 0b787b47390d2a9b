"""Values and the places where they stand: what the JSON and the YAML reader give to every document."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from runbook_lib.documents.source import Source
from runbook_lib.errors import BadInput

Kind = Literal["map", "list", "text", "number", "flag", "nothing"]
Scalar = str | int | float | bool | None
_KIND_NAMES = {"map": "a map", "list": "a list", "text": "a text", "number": "a number", "flag": "true or false"}
DEEPEST = 50
LARGEST_TREE = 50_000


@dataclass(frozen=True, eq=False)
class Node:
    """One value of a file: `start` and `end` are its place in the text, `style` how it is written.

    Style of a scalar: "" (plain), "'", '"', "|" or ">"; of a map or list: "flow" or "block".
    An `alias` stands where an `anchor` is used again; its content is that of the anchor.
    """

    kind: Kind
    start: int
    end: int
    raw: str = ""
    value: Scalar = None
    style: str = ""
    pairs: tuple[tuple[Node, Node], ...] = ()
    items: tuple[Node, ...] = ()
    anchor: str = ""
    alias: str = ""
    weight: int = 1  # values in it, those of aliases counted each time
    height: int = 1  # levels below it and its own, those of aliases included

    def key(self, name: str) -> Node | None:
        """The node of a key itself, where an error about its value can point."""
        return next((key for key, _ in self.pairs if key.raw == name), None)

    def get(self, name: str) -> Node | None:
        """The value of a key, merged maps (`<<`) included; None when the key is absent or this is no map."""
        own = next((value for key, value in self.pairs if key.raw == name), None)
        return own or next((found for merged in self._merged() if (found := merged.get(name))), None)

    def at(self, *path: str | int) -> Node | None:
        """The value at the end of a path of keys and list numbers, or None."""
        node: Node | None = self
        for step in path:
            if node is None:
                return None
            node = node.get(step) if isinstance(step, str) else node.item(step)
        return node

    def item(self, number: int) -> Node | None:
        return self.items[number] if number < len(self.items) else None

    def names(self) -> list[str]:
        return [key.raw for key, _ in self.pairs]

    def text(self, name: str) -> str:
        """The text of a key's value; empty when it is absent or no scalar."""
        found = self.get(name)
        return found.raw if found else ""

    def plain(self) -> object:
        """The value without places: dicts, lists and scalars."""
        if self.kind == "map":
            merged = {k: v for other in reversed(self._merged()) for k, v in dict_of(other).items()}
            return merged | {key.raw: value.plain() for key, value in self.pairs if key.raw != "<<"}
        return [item.plain() for item in self.items] if self.kind == "list" else self.value

    def walk(self) -> Iterator[Node]:
        """This node and all below it, in the order of the file."""
        yield self
        for child in (*self.items, *(node for pair in self.pairs for node in pair)):
            yield from child.walk()

    def shown(self) -> str:
        """What this is, in words for an error; long texts are cut."""
        if self.kind in ("map", "list"):
            return _KIND_NAMES[self.kind]
        if self.kind == "nothing":
            return "no value"
        return f"{_KIND_NAMES[self.kind]} {self.raw[:60]!r}" if self.kind == "text" else self.raw[:60]

    def _merged(self) -> list[Node]:
        found = next((value for key, value in self.pairs if key.raw == "<<"), None)
        return [] if found is None else list(found.items) if found.kind == "list" else [found]


@dataclass(frozen=True, eq=False)
class Document:
    """A file that was read: its source and the tree of its values."""

    source: Source
    root: Node

    def where(self, node: Node) -> str:
        return self.source.where(node.start)

    def line(self, node: Node) -> int:
        return self.source.line(node.start)

    def bad(self, node: Node, *, wanted: str, next_step: str, seen: str = "") -> BadInput:
        """The error for a value of this file; the caller raises it."""
        return self.source.bad(node.start, seen=seen or node.shown(), wanted=wanted, next_step=next_step)

    def top_map(self, what: str) -> Node:
        """The root, which must be a map: nearly every deployment file is one."""
        if self.root.kind != "map":
            raise self.bad(self.root, wanted=f"{what} with its keys", next_step=f"write the file as {what}")
        return self.root


def dict_of(node: Node | None) -> dict[str, object]:
    """The plain dict of a map; empty for anything else."""
    plain = node.plain() if node else None
    return plain if isinstance(plain, dict) else {}


def first_repeated(pairs: tuple[tuple[Node, Node], ...]) -> tuple[Node, Node] | None:
    """A key that is written twice: both places."""
    seen: dict[str, Node] = {}
    for key, _ in pairs:
        if key.raw in seen:
            return seen[key.raw], key
        seen[key.raw] = key
    return None


def repeated_key(source: Source, first: Node, second: Node) -> BadInput:
    """A key that is written twice has two values, and readers disagree which of them counts."""
    return source.bad(
        second.start,
        seen=f"the key {second.raw!r} a second time (first on line {source.line(first.start)})",
        wanted="every key once",
        next_step="remove one of the two",
    )


def too_deep(source: Source, index: int, *, most: int = LARGEST_TREE) -> BadInput:
    return source.bad(
        index,
        seen=f"more than {DEEPEST} levels, or more than {most:,} values",
        wanted="a deployment file",
        next_step="check that this is the right file",
    )
