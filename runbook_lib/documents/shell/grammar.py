"""The tree of a shell text by tree-sitter's grammar for bash, which goes on behind an error and keeps every place.

Grammar: https://github.com/tree-sitter/tree-sitter-bash; language: POSIX, "Shell Command Language" (IEEE Std 1003.1,
XCU chapter 2), and the Bash Reference Manual.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

# The grammar needs time in the square of some senseless texts (a thousand `|`): 0.4 s for this many characters.
LONGEST = 8192
DEEPEST = 50
COMPOUND = frozenset(
    {
        "subshell",
        "compound_statement",
        "if_statement",
        "while_statement",
        "for_statement",
        "c_style_for_statement",
        "case_statement",
        "function_definition",
        "do_group",
        "elif_clause",
        "else_clause",
        "case_item",
    }
)
EXPANSIONS = frozenset(
    {"simple_expansion", "expansion", "command_substitution", "arithmetic_expansion", "process_substitution"}
)
_NESTING = COMPOUND | EXPANSIONS | {"string", "concatenation", "array", "parenthesized_expression", "ERROR"}
_CLOSING = {"'": "'", '"': '"', "`": "`", "$(": ")", "${": "}", "(": ")", "{": "}"}
_OPENING = re.compile(r"\s*('|\"|`|\$\(|\$\{|\(|\{)")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_STAND_IN = "%"  # a character of a word, and of no name: so an offset in bytes is one in characters


@dataclass(frozen=True)
class Unread:
    """A place that could not be read; `certain` when the shell cannot read it either, as an open quote."""

    index: int
    seen: str
    certain: bool


@cache
def _parser() -> Parser:
    import tree_sitter_bash
    from tree_sitter import Language, Parser

    return Parser(Language(tree_sitter_bash.language()))


def tree_of(text: str) -> tuple[Node | None, Unread | None]:
    """The root of a text's tree, and the first place that is not in order; no root when it is too long or too deep."""
    if len(text) > LONGEST:
        return None, Unread(0, f"one command of {len(text):,} characters, more than {LONGEST:,}", certain=False)
    root = _parser().parse(_NOT_ASCII.sub(_STAND_IN, text).encode()).root_node
    for node, depth in _walked(root):
        if depth > DEEPEST:
            seen = f"commands and expansions inside each other, more than {DEEPEST} deep"
            return None, Unread(node.start_byte, seen, certain=False)
    return root, _first_error(root, text) if root.has_error else None


def _walked(root: Node) -> Iterator[tuple[Node, int]]:
    """Every node with how many others that hold commands or words are around it."""
    stack = [(root, 0)]
    while stack:
        node, depth = stack.pop()
        yield node, depth
        inner = depth + (node.type in _NESTING)
        stack.extend((child, inner) for child in node.children)


def _first_error(root: Node, text: str) -> Unread | None:
    found = [node for node, _ in _walked(root) if node.is_error or node.is_missing]
    told = sorted((_told(node, text) for node in found), key=lambda one: (not one.certain, one.index))
    return told[0] if told else None


def _told(node: Node, text: str) -> Unread:
    if node.is_missing:
        around = node.parent
        opening = around.children[0].type if around else ""
        if around and _CLOSING.get(opening) == node.type:
            return Unread(around.start_byte, f"a {opening} that is never closed", certain=True)
        what = "a command" if node.is_named else repr(node.type)
        return Unread(node.start_byte, f"no {what} before {_few(text[node.start_byte :])}", certain=True)
    written = text[node.start_byte : node.end_byte]
    opened = _OPENING.match(written)
    if opened and _CLOSING[opened[1]] not in written[opened.end() :]:
        return Unread(node.start_byte + opened.start(1), f"a {opened[1]} that is never closed", certain=True)
    return Unread(node.start_byte, _few(written), certain=False)


def _few(text: str) -> str:
    """The beginning of a text, as evidence."""
    line = text.strip().partition("\n")[0]
    return repr(line[:40]) if line else "the end"
