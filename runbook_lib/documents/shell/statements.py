"""Simple commands of a shell text, in order: words, assignments, redirections, and how deep inside if, for or ( )."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from runbook_lib.documents.shell.grammar import COMPOUND, Unread, tree_of
from runbook_lib.documents.shell.words import Piece, Word, adjacent, computed, here_document, word_of, words_of

if TYPE_CHECKING:
    from tree_sitter import Node

_PREFIXES = frozenset({"sudo", "time", "exec", "command", "nohup", "env"})
_JOINING = frozenset({"&&", "||", "|", "|&"})
_SIMPLE = frozenset(
    {"command", "declaration_command", "unset_command", "test_command", "variable_assignment", "variable_assignments"}
)
_CHAINED = frozenset({"list", "pipeline", "redirected_statement", "negated_command"})
_REDIRECTS = frozenset({"file_redirect", "heredoc_redirect", "herestring_redirect"})
_EXPRESSIONS = frozenset(
    {"test_command", "binary_expression", "unary_expression", "parenthesized_expression", "ternary_expression"}
)
_REMEMBERED = 1024  # a buildspec is followed several times: for its facts, its checks, its edits


@dataclass(frozen=True)
class Redirect:
    """A redirection; a here-document has its `body` instead of a file."""

    operator: str
    target: Word
    body: tuple[Piece, ...] | None = None

    @property
    def writes(self) -> bool:
        return self.operator in (">", ">>", ">|", "&>", "&>>")


@dataclass(frozen=True)
class Statement:
    """One simple command. `start` to `end` is its text, here-documents included.

    `joiner` is the && || or | before it, `chain_end` the end of the chain of these that it stands in, `depth` how many
    if, for, { or ( are open around it, `subshells` the places of the ( ) around it, `whole` is False when its chain has
    an if, a { or a ( as a member. The variable that a `for` sets is a statement of its own without words.
    """

    words: tuple[Word, ...]
    assignments: tuple[tuple[str, Word], ...]
    redirects: tuple[Redirect, ...]
    start: int
    end: int
    chain_end: int
    joiner: str
    depth: int
    subshells: tuple[int, ...]
    whole: bool

    @property
    def program(self) -> str:
        """The command's name; empty for a bare assignment or when a variable names it."""
        words = self.arguments_from(0)
        return (words[0].literal or "") if words else ""

    @property
    def arguments(self) -> tuple[Word, ...]:
        return self.arguments_from(1)

    def arguments_from(self, first: int) -> tuple[Word, ...]:
        words = self.words
        while words and words[0].literal in _PREFIXES:
            words = words[1:]
        return words[first:]


@dataclass(frozen=True)
class Script:
    """What a text says: its simple commands, and the first place that could not be read, if any."""

    statements: tuple[Statement, ...]
    unread: Unread | None


@lru_cache(maxsize=_REMEMBERED)
def read_script(text: str) -> Script:
    """Take a command's text apart; behind a place that cannot be read it goes on."""
    root, unread = tree_of(text)
    reader = _Reader(text)
    if root is not None:
        reader.body(root, _Around())
    return Script(tuple(reader.statements), unread)


@dataclass(frozen=True)
class _Around:
    depth: int = 0
    subshells: tuple[int, ...] = ()


@dataclass
class _Member:
    """A member of a chain: what joins it to the one before, its node (None: redirections alone), its redirections."""

    joiner: str
    node: Node | None
    redirects: list[Node] = field(default_factory=list)

    @property
    def simple(self) -> bool:
        return self.node is None or self.node.type in _SIMPLE


@dataclass
class _Parts:
    """What a simple command consists of, as it is found; `spans` are the places of all of it."""

    words: list[Node] = field(default_factory=list)
    assignments: list[tuple[str, Word]] = field(default_factory=list)
    redirects: list[Redirect] = field(default_factory=list)
    spans: list[tuple[int, int]] = field(default_factory=list)


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.statements: list[Statement] = []

    def body(self, node: Node, around: _Around) -> None:
        """Every chain of commands in a list of them."""
        for child in node.named_children:
            if child.type in _SIMPLE or child.type in _CHAINED:
                self._chain(child, around)
            elif child.type in COMPOUND or child.type == "ERROR":
                self._compound(child, around)

    def _compound(self, node: Node, around: _Around) -> None:
        # The parts of a compound command (then, do ... done, a case's branch) are no deeper than their whole.
        opens = node.type.endswith(("_statement", "subshell"))
        subshells = (*around.subshells, node.start_byte) if node.type == "subshell" else around.subshells
        inner = _Around(around.depth + opens, subshells)
        if node.type == "for_statement":
            self._head(node, inner)
        self.body(node, inner)

    def _head(self, node: Node, around: _Around) -> None:
        name, values = node.child_by_field_name("variable"), node.children_by_field_name("value")
        if name is not None:
            word = computed(name, self.text, values)
            end = values[-1].end_byte if values else name.end_byte
            assigned = ((word.raw, word),)
            self.statements.append(
                Statement((), assigned, (), node.start_byte, end, end, "", around.depth, around.subshells, whole=False)
            )

    def _chain(self, node: Node, around: _Around) -> None:
        members = list(_members(node))
        commands = [member for member in members if member.node is not None]
        whole = len(commands) < 2 or all(member.simple for member in commands)
        parts = [self._parts(member) if member.simple else None for member in members]
        chain_end = max((end for one in parts if one for _, end in one.spans), default=node.end_byte)
        for member, one in zip(members, parts, strict=True):
            if one is None:
                assert member.node is not None
                self._compound(member.node, around)
            elif one.spans:
                self.statements.append(
                    Statement(
                        tuple(words_of(one.words, self.text)),
                        tuple(one.assignments),
                        tuple(one.redirects),
                        min(one.spans)[0],
                        max(end for _, end in one.spans),
                        chain_end,
                        member.joiner,
                        around.depth,
                        around.subshells,
                        whole,
                    )
                )

    def _parts(self, member: _Member) -> _Parts:
        parts = _Parts()
        if member.node is not None:
            self._simple(member.node, parts)
        for redirect in member.redirects:
            self._redirect(redirect, parts)
        parts.spans += [(node.start_byte, node.end_byte) for node in parts.words]
        return parts

    def _simple(self, node: Node, parts: _Parts) -> None:
        if node.type == "variable_assignment":
            self._assignment(node, [], parts)
        elif node.type == "test_command":
            parts.words += _leaves(node)
        else:
            self._command(node, parts)

    def _command(self, node: Node, parts: _Parts) -> None:
        assigned: list[Node] = []
        for number, child in enumerate(node.children):
            argument = child.is_named or child.type.isalpha() or node.field_name_for_child(number) == "argument"
            if child.type == "variable_assignment":
                assigned.append(child)
            elif child.type in _REDIRECTS:
                self._redirect(child, parts)
            elif argument and child.type not in ("comment", "ERROR") and not child.is_missing:
                parts.words.append(child)
        for group in adjacent((*assigned, *parts.words)):
            if group[0] in assigned:
                self._assignment(group[0], group[1:], parts)
                parts.words = [word for word in parts.words if word not in group]

    def _assignment(self, node: Node, rest: list[Node], parts: _Parts) -> None:
        """An assignment; the rest is what the grammar took apart of its value."""
        name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
        if name is None:
            return
        called = self.text[name.start_byte : name.end_byte]
        if value is not None and value.type == "array":
            word = computed(value, self.text)
        else:
            values = [value, *rest] if value is not None else rest
            word = word_of(values, self.text) if values else Word("", node.end_byte, ())
        if any(child.type == "+=" for child in node.children):
            former = Piece(f"${called}", expands=True, name=called, uses=(called,))
            word = Word(word.raw, word.start, (former, *word.pieces))
        parts.assignments.append((called, word))
        parts.spans.append((node.start_byte, word.end))

    def _redirect(self, node: Node, parts: _Parts) -> None:
        if node.type == "heredoc_redirect":
            self._here_document(node, parts)
            return
        named = [child for child in node.named_children if child.type not in ("file_descriptor", "ERROR")]
        described = node.child_by_field_name("descriptor")
        number = self.text[described.start_byte : described.end_byte] if described else ""
        operator = next((child.type for child in node.children if not child.is_named), "")
        # The grammar counts the words behind the file's name to the redirection; the shell counts them to the command.
        target, *others = list(adjacent(named)) or [[]]
        word = word_of(target, self.text) if target else Word("", node.end_byte, ())
        parts.redirects.append(Redirect(f"{'' if number == '1' else number}{operator}", word))
        parts.spans.append((node.start_byte, word.end))
        parts.words += [one for group in others for one in group]

    def _here_document(self, node: Node, parts: _Parts) -> None:
        found = {child.type: child for child in node.children}
        start, body, end = (found.get(f"heredoc_{part}") for part in ("start", "body", "end"))
        operator = "<<-" if "<<-" in found else "<<"
        if start is None or body is None:
            return
        first = self.text.rfind("\n", 0, body.start_byte) + 1
        last = self.text.rfind("\n", 0, end.start_byte) + 1 if end else body.end_byte
        delimiter = word_of([start], self.text)
        quoted = any(mark in delimiter.raw for mark in "'\"\\")
        pieces = here_document(body, self.text, first, last, quoted=quoted, tabs=operator == "<<-")
        parts.redirects.append(Redirect(operator, delimiter, pieces))
        parts.spans.append((node.start_byte, end.end_byte if end else body.end_byte))
        for child in node.children_by_field_name("redirect"):
            self._redirect(child, parts)
        parts.words += node.children_by_field_name("argument")


def _members(node: Node) -> Iterator[_Member]:
    """The members of a chain in their order; no recursion, since a chain may have a thousand of them."""
    found: list[_Member] = []
    todo: list[tuple[str, Node | list[Node]]] = [("", node)]
    while todo:
        joiner, next_one = todo.pop()
        if isinstance(next_one, list):
            if not found or not found[-1].simple:
                found.append(_Member("", None))
            found[-1].redirects += next_one
        elif next_one.type == "redirected_statement":
            todo.extend(reversed(list(_redirected(joiner, next_one))))
        elif next_one.type in _CHAINED:
            todo.extend(reversed(list(_joined(joiner, next_one))))
        elif next_one.type not in ("comment", "ERROR"):
            found.append(_Member(joiner, next_one))
    yield from found


def _joined(joiner: str, node: Node) -> Iterator[tuple[str, Node]]:
    """The parts of a list or pipeline, each with what joins it to the one before."""
    for child in node.children:
        if child.type in _JOINING:
            joiner = child.type
        elif child.is_named:
            yield joiner, child


def _redirected(joiner: str, node: Node) -> Iterator[tuple[str, Node | list[Node]]]:
    """A command with its redirections; what stands behind a << on its line belongs to the chain, not to it."""
    body, redirects = node.child_by_field_name("body"), node.children_by_field_name("redirect")
    if body is not None:
        yield joiner, body
    yield "", redirects
    for redirect in redirects:
        if redirect.type == "heredoc_redirect":
            yield from _behind(redirect)


def _behind(redirect: Node) -> Iterator[tuple[str, Node]]:
    joiner = ""
    for child in redirect.children:
        if child.type in _JOINING:
            joiner = child.type
        elif child.type == "pipeline":
            yield "|", child
        elif joiner and child.is_named and not child.type.startswith("heredoc"):
            yield joiner, child
            joiner = ""


def _leaves(node: Node) -> Iterator[Node]:
    """The words of a test, its operators and brackets included."""
    stack = [node]
    while stack:
        found = stack.pop()
        if found.type in _EXPRESSIONS:
            stack.extend(reversed(found.children))
        elif found.type != "ERROR" and not found.is_missing:
            yield found
