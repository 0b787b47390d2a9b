"""Words of a shell command: what is literal, what the shell expands, and what stood between quotes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runbook_lib.documents.shell.grammar import EXPANSIONS

if TYPE_CHECKING:
    from tree_sitter import Node

_QUOTES = frozenset({"string", "raw_string", "ansi_c_string", "translated_string"})
_LOOKING_UP = frozenset({"simple_expansion", "expansion", "subscript"})
_NAME = re.compile(r"\w+")
_OPERATOR = re.compile(r":?[-=+?]|%%?|##?|:|//?")
# Which characters a backslash takes their meaning from (POSIX, XCU 2.2 and 2.7.4); before all others it stays itself.
_VARIABLE = r"|\$(?P<name>[A-Za-z_]\w*)"
_BARE = re.compile(rf"\\(?P<kept>.?){_VARIABLE}", re.DOTALL)
_DOUBLE = re.compile(rf"\\(?P<kept>[$`\"\\\n]){_VARIABLE}")
_HERE = re.compile(rf"\\(?P<kept>[$`\\\n]){_VARIABLE}")
_BACKSLASH = re.compile(r"\\(.)", re.DOTALL)
_ANSI = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"', "0": "\0"}


@dataclass(frozen=True)
class Piece:
    """A part of a word: literal text without its quotes, or an expansion ($NAME, ${...}, $(...), `...`) as written.

    Of a variable's expansion `name` is the variable, `operator` and `argument` what stands behind it in ${...}, and
    `default` the argument's own pieces; `uses` are all variables that the shell looks up for it.
    """

    text: str
    expands: bool = False
    quoted: bool = False
    name: str = ""
    operator: str = ""
    argument: str = ""
    default: tuple[Piece, ...] = ()
    uses: tuple[str, ...] = ()


@dataclass(frozen=True)
class Word:
    """One word of a command and its place in the command's text."""

    raw: str
    start: int
    pieces: tuple[Piece, ...]

    @property
    def end(self) -> int:
        return self.start + len(self.raw)

    @property
    def literal(self) -> str | None:
        """The word after quote removal; None when the shell puts something into it."""
        return None if any(piece.expands for piece in self.pieces) else "".join(piece.text for piece in self.pieces)

    def behind(self, prefix: str) -> Word:
        """The rest of a word that begins with this text: the value of --option=value."""
        first, *others = self.pieces
        rest = Piece(first.text.removeprefix(prefix), quoted=first.quoted)
        return Word(self.raw.removeprefix(prefix), self.start + len(prefix), tuple([rest] * bool(rest.text) + others))


def words_of(nodes: Iterable[Node], text: str) -> Iterator[Word]:
    """The words that these nodes are; nodes without a blank between them are one word."""
    end = -1
    for group in adjacent(nodes):
        yield word_of(group, text, after=end)
        end = group[-1].end_byte


def adjacent(nodes: Iterable[Node]) -> Iterator[list[Node]]:
    """Nodes in their order, those together that touch: the grammar takes `a.$NAME.b` apart behind the $."""
    group: list[Node] = []
    for node in sorted(nodes, key=lambda one: one.start_byte):
        if group and node.start_byte != group[-1].end_byte:
            yield group
            group = []
        group.append(node)
    if group:
        yield group


def word_of(group: Sequence[Node], text: str, *, after: int = -1) -> Word:
    """The word that these nodes are together; `after` is where the one before it ends."""
    start, end = group[0].start_byte, group[-1].end_byte
    # The grammar leaves out a blank that a backslash puts at the beginning of a word.
    while start - 2 > after and text[start - 2 : start] in ("\\ ", "\\\t"):
        start -= 2
    return Word(text[start:end], start, merged(_between(group, text, start, end, _BARE)))


def computed(node: Node, text: str, parts: Iterable[Node] = ()) -> Word:
    """A word whose value is not followed, such as an array's: one expansion, with the variables that it needs."""
    raw = text[node.start_byte : node.end_byte]
    uses = tuple(name for part in (*parts, node) for name in _uses(part, text))
    return Word(raw, node.start_byte, (Piece(raw, expands=True, uses=uses),))


def here_document(body: Node, text: str, start: int, end: int, *, quoted: bool, tabs: bool) -> tuple[Piece, ...]:
    """The pieces of a here-document between two places; `tabs` when those before its lines do not count (<<-)."""
    if quoted:
        found = [Piece(text[start:end], quoted=True)]
    else:
        found = list(_between(body.children, text, start, end, _HERE, quoted=True))
    return merged([_without_tabs(piece) for piece in found] if tabs else found)


def merged(pieces: Iterable[Piece]) -> tuple[Piece, ...]:
    """Neighbouring literal pieces of the same kind joined into one."""
    joined: list[Piece] = []
    for piece in pieces:
        last = joined[-1] if joined else None
        if last and not last.expands and not piece.expands and last.quoted == piece.quoted:
            joined[-1] = Piece(last.text + piece.text, quoted=piece.quoted)
        elif piece.text or piece.expands:
            joined.append(piece)
    return tuple(joined)


def _pieces(node: Node, text: str, *, quoted: bool = False) -> Iterator[Piece]:
    start, end = node.start_byte, node.end_byte
    if node.type in EXPANSIONS:
        yield _expansion(node, text, quoted)
    elif node.type == "raw_string":
        yield Piece(text[start + 1 : end - 1], quoted=True)
    elif node.type == "ansi_c_string":
        made = _BACKSLASH.sub(lambda one: _ANSI.get(one[1], one[0]), text[start + 2 : end - 1])
        yield Piece(made, quoted=True)
    elif node.type == "translated_string":
        yield from _between(node.children, text, start + 1, end, _DOUBLE, quoted=True)
    else:
        yield from _between(node.children, text, start + 1, end - 1, _DOUBLE, quoted=True)


def _between(
    nodes: Iterable[Node], text: str, start: int, end: int, special: re.Pattern[str], *, quoted: bool = False
) -> Iterator[Piece]:
    """Expansions and quotes in these nodes between two places, and what is literal before, between and behind them."""
    for inner in _inner(nodes):
        if start <= inner.start_byte < end:
            before = text[start : inner.start_byte]
            # $"..." is "..." in the language of the user; the grammar takes its $ for text.
            translated = special is _BARE and inner.type == "string" and re.search(r"(?<!\\)\$$", before)
            yield from _literal(before[:-1] if translated else before, special, quoted)
            yield from _pieces(inner, text, quoted=quoted)
            start = inner.end_byte
    yield from _literal(text[start:end], special, quoted)


def _inner(nodes: Iterable[Node]) -> Iterator[Node]:
    for node in nodes:
        if node.type in EXPANSIONS or node.type in _QUOTES:
            yield node
        else:
            yield from _inner(node.children)


def _literal(text: str, special: re.Pattern[str], quoted: bool) -> Iterator[Piece]:
    """Text in which a backslash may stand; a $NAME in it is a variable that the grammar did not see."""
    index = 0
    for found in special.finditer(text):
        yield Piece(text[index : found.start()], quoted=quoted)
        if found["name"]:
            name = found["name"]
            yield Piece(f"${name}", expands=True, quoted=quoted, name=name, uses=(name,))
        else:
            yield Piece("" if found["kept"] == "\n" else found["kept"], quoted=True)
        index = found.end()
    yield Piece(text[index:], quoted=quoted)


def _expansion(node: Node, text: str, quoted: bool) -> Piece:
    raw, uses = text[node.start_byte : node.end_byte], tuple(_uses(node, text))
    if node.type == "simple_expansion":
        name = raw[1:] if _NAME.fullmatch(raw[1:]) else ""
        return Piece(raw, expands=True, quoted=quoted, name=name, uses=uses)
    variable = node.named_children[0] if node.type == "expansion" and node.named_children else None
    # ${#NAME}, ${!NAME} and ${NAME[0]} are not followed: what stands between ${ and } must begin with the name.
    if variable is None or variable.type != "variable_name" or variable.start_byte != node.start_byte + 2:
        return Piece(raw, expands=True, quoted=quoted, uses=uses)
    name = text[variable.start_byte : variable.end_byte]
    operator = _OPERATOR.match(text, variable.end_byte)
    if operator is None:
        plain = variable.end_byte == node.end_byte - 1
        return Piece(raw, expands=True, quoted=quoted, name=name if plain else "", uses=uses)
    start, end = operator.end(), node.end_byte - 1
    default = merged(_between(node.children, text, start, end, _DOUBLE, quoted=True))
    return Piece(raw, True, quoted, name, operator.group(), text[start:end], default, uses)


def _uses(node: Node, text: str) -> Iterator[str]:
    """The variables that are looked up below a node, in their order."""
    stack = [node]
    while stack:
        found = stack.pop()
        if found.type == "variable_name" and found.parent and found.parent.type in _LOOKING_UP:
            yield text[found.start_byte : found.end_byte]
        stack.extend(reversed(found.children))


def _without_tabs(piece: Piece) -> Piece:
    return piece if piece.expands else Piece(re.sub(r"(?<=\n)\t+|\A\t+", "", piece.text), quoted=piece.quoted)
