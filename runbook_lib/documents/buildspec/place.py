"""Where a new line goes in a buildspec's text, and how it is written there, so that nothing else changes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from runbook_lib.documents.buildspec.spec import Buildspec, Command, parse
from runbook_lib.documents.edit import Edit, Splice, edited
from runbook_lib.documents.node import Node
from runbook_lib.documents.source import Source
from runbook_lib.documents.yaml_text import parse_yaml
from runbook_lib.errors import BadInput

_DASH = re.compile(r"[ ]*-[ ]+")
_CLOSES = re.compile(r"(?:^|[\s;])(?:fi|done|esac|else|elif)\b|[})]")


@dataclass(frozen=True)
class Planned:
    """Splices of a buildspec's text with their reasons, and the question whether nothing else would change."""

    spec: Buildspec
    splices: tuple[Splice, ...]
    reasons: tuple[str, ...]
    verify: Callable[[Buildspec], None] = lambda after: None

    def edit(self, *others: Planned) -> Edit:
        """The edit of this and other plans for the same text, verified by reading its result."""
        every = (self, *others)
        reasons = [reason for planned in every for reason in planned.reasons]
        edit = edited(self.spec.source, [splice for planned in every for splice in planned.splices], reasons)
        if edit.changed:
            after = parse(edit.after, name=edit.name)
            for planned in every:
                planned.verify(after)
        return edit


def item_after(spec: Buildspec, command: Command, line: str) -> Splice:
    """A new command of its own, directly after this one."""
    listed = spec.listed(command.phase, command.section)
    if listed is not None and listed.style == "flow":
        return Splice(command.node.end, command.node.end, f", {single_quoted(line)}")
    prefix = dash_before(spec.source, listed.items if listed else ())
    if prefix is None:
        raise by_hand(spec, command, line, seen="a list whose dashes stand on lines of their own")
    end = line_end_of(spec.source, command.node)
    return Splice(end, end, f"{spec.source.newline}{prefix}{scalar(line)}")


def line_inside(spec: Buildspec, command: Command, start: int, end: int, line: str) -> Splice:
    """A new line in a `|` block, after the statement that stands at `start` to `end` in the command's text."""
    source, text = spec.source, command.text
    rest = text[end:].partition("\n")[0]
    if _CLOSES.search(rest.partition("#")[0]):
        raise by_hand(spec, command, line, seen="a statement inside an if, for or ( ) of one line")
    first = source.line(command.node.start) + 1
    at, _ = source.nth_line(first + text.count("\n", 0, start))
    indent = re.match(r"[ \t]*", source.text[at : source.line_end(at)])
    place = source.nth_line(first + text.count("\n", 0, end))[1]
    return Splice(place, place, f"{source.newline}{indent.group() if indent else ''}{line}")


def replaced(spec: Buildspec, command: Command, start: int, end: int, new: str) -> Splice:
    """Other text in the place of a part of a command."""
    node, source, text = command.node, spec.source, command.text
    if node.style == "|":
        at = spec.index_at(command, start)
        return Splice(at, at + end - start, new)
    if source.line(node.start) != source.line(node.end) or node.alias:
        raise by_hand(spec, command, new, seen="a command over several lines")
    value = text[:start] + new + text[end:]
    flow = (listed := spec.listed(command.phase, command.section)) is not None and listed.style == "flow"
    written = _WRITERS["'" if flow and not node.style else node.style](value)
    return Splice(_after_anchor(source, node), node.end, written)


def dash_before(source: Source, items: Sequence[Node]) -> str | None:
    """Indentation, dash and blanks before the items of a block list."""
    for item in items:
        start = source.line_start(item.start)
        found = _DASH.match(source.text, start, item.start)
        if found and found.end() == item.start:
            return found.group()
    return None


def line_end_of(source: Source, node: Node) -> int:
    """The end of the last line that a value fills; a comment behind it belongs to the line."""
    filled = len(source.text[node.start : node.end].rstrip())
    return source.line_end(node.start + filled)


def scalar(value: str) -> str:
    """The value as YAML writes it in a block list: plain where that is safe, else in single quotes."""
    return value if _plain_is_safe(value) else single_quoted(value)


def single_quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def double_quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def in_style(value: str, style: str) -> str:
    """The value in the quoting of its neighbour."""
    return _WRITERS.get(style, scalar)(value)


def by_hand(spec: Buildspec, command: Command, line: str, *, seen: str) -> BadInput:
    """The refusal of an edit that could change more than it should."""
    return spec.document.bad(
        command.node,
        seen=seen,
        wanted="a command where a line can be added without touching another",
        next_step=f"add it by hand: {line}",
    )


_WRITERS = {"": scalar, "'": single_quoted, '"': double_quoted, "|": scalar, ">": scalar}


def _plain_is_safe(value: str) -> bool:
    if not value or "\n" in value or value != value.strip():
        return False
    try:
        root = parse_yaml(f"- {value}\n", name="line").root
    except BadInput:
        return False
    return len(root.items) == 1 and root.items[0].kind == "text" and root.items[0].raw == value


def _after_anchor(source: Source, node: Node) -> int:
    found = re.compile(r"(?:[&!]\S+\s+)*").match(source.text, node.start)
    return found.end() if found else node.start
