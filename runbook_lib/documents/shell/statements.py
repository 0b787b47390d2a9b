"""Simple commands of a shell text, in order: words, assignments, redirections, and how deep inside if, for or ( )."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from runbook_lib.documents.shell.words import (
    META,
    Piece,
    ShellError,
    Word,
    bracket_end,
    inside_double,
    merged,
    read_word,
)

_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)\+?=")
_OPENING = frozenset({"if", "while", "until", "{", "for", "select", "case"})
_MIDDLE = frozenset({"then", "elif", "else", "do", "!"})
_CLOSING = frozenset({"fi", "done", "esac", "}"})
_HEADS = {
    "for": re.compile(r"[^;\n]*"),
    "select": re.compile(r"[^;\n]*"),
    "case": re.compile(r"\s+(?:[^\s\"']|\"[^\"]*\"|'[^']*')+\s+in\b"),
}
_PATTERN = re.compile(r"\s*(?!\s|esac\b)\(?[^()\n]*\)")
_TEST = re.compile(r".*?\]\]", re.DOTALL)
_JOINING = ("&&", "||", "|", "|&")
_PREFIXES = frozenset({"sudo", "time", "exec", "command", "nohup", "env"})
_DECLARING = frozenset({"export", "declare", "readonly", "local", "typeset"})
_OPERATOR = re.compile(r"&&|\|\||;;&?|;&|\|&|[;|&\n]")
_REDIRECT = re.compile(r"&>>?|<<<|<<-?|<>|>>|>\||[<>]&?")
_LINES = re.compile(r"[^\n]*\n|[^\n]+")


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

    `chain_end` is the end of the && and | chain it stands in, `depth` how many if, for, { or ( are open around it,
    `subshells` the ( ) around it, `whole` is False when its chain runs into an if or a ( and has no simple end.
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


@dataclass
class _Draft:
    depth: int
    subshells: tuple[int, ...]
    joiner: str
    chain: int
    words: list[Word] = field(default_factory=list)
    assignments: list[tuple[str, Word]] = field(default_factory=list)
    redirects: list[Redirect] = field(default_factory=list)
    start: int = -1
    end: int = -1

    @property
    def empty(self) -> bool:
        return self.start < 0


def read_statements(text: str) -> tuple[Statement, ...]:
    """Take a command's text apart; ShellError says where the shell itself would give up."""
    return _Parser(text).run()


class _Parser:
    def __init__(self, text: str) -> None:
        self.text, self.index = text, 0
        self.drafts: list[_Draft] = []
        self.open: list[str] = []
        self.chain, self.joiner = 0, ""
        self.broken: set[int] = set()
        self.heredocs: list[tuple[_Draft, int]] = []
        self.draft = self._fresh()

    def run(self) -> tuple[Statement, ...]:
        while self.index < len(self.text):
            self._step()
        self._finish()
        ends: dict[int, int] = {}
        for draft in self.drafts:
            ends[draft.chain] = max(ends.get(draft.chain, 0), draft.end)
        return tuple(self._statement(draft, ends[draft.chain]) for draft in self.drafts)

    def _statement(self, draft: _Draft, chain_end: int) -> Statement:
        return Statement(
            tuple(draft.words),
            tuple(draft.assignments),
            tuple(draft.redirects),
            draft.start,
            draft.end,
            chain_end,
            draft.joiner,
            draft.depth,
            draft.subshells,
            draft.chain not in self.broken,
        )

    def _fresh(self) -> _Draft:
        subshells = tuple(number for number, opened in enumerate(self.open) if opened == "(")
        return _Draft(len(self.open), subshells, self.joiner, self.chain)

    def _finish(self) -> None:
        if not self.draft.empty:
            self.drafts.append(self.draft)

    def _step(self) -> None:
        text, index = self.text, self.index
        if text[index] in " \t" or text.startswith("\\\n", index):
            self.index += 1 if text[index] in " \t" else 2
        elif text[index] == "#":
            self.index = (text.find("\n", index) + 1 or len(text) + 1) - 1
        elif text.startswith(("<(", ">("), index):
            self.index = bracket_end(text, index + 1)
        elif found := _REDIRECT.match(text, index):
            self._redirect(found.group())
        elif found := _OPERATOR.match(text, index):
            self._operator(found.group())
        elif text[index] in "()":
            self._parenthesis(text[index])
        else:
            self._word()

    def _operator(self, operator: str) -> None:
        goes_on = operator == "\n" and self.draft.empty and self.joiner in _JOINING
        self._finish()
        self.index += len(operator)
        if not goes_on:
            self.joiner = operator
            self.chain += operator not in _JOINING
        if operator == "\n":
            self._read_heredocs()
        if operator.startswith(";;"):
            self._skip_pattern()
        self.draft = self._fresh()

    def _parenthesis(self, which: str) -> None:
        if which == "(" and (self.draft.words or self.draft.assignments):
            # A function's name with its (), or an array's values: nothing of it is a command.
            self.index = bracket_end(self.text, self.index)
            self.draft = self.draft if self.draft.assignments else self._fresh()
            return
        self.index += 1
        if which == "(":
            self._break_chain()
            self.open.append("(")
        elif self.open and self.open[-1] == "(":
            self._finish()
            self.open.pop()
        self.draft = self._fresh()

    def _break_chain(self) -> None:
        if self.joiner in _JOINING:
            self.broken.add(self.chain)

    def _word(self) -> None:
        word = read_word(self.text, self.index)
        self.index = word.end
        if self.draft.words or self.draft.assignments or not self._keyword(word.raw):
            self._add(word)

    def _keyword(self, raw: str) -> bool:
        if raw in _OPENING:
            self._break_chain()
            self.open.append(raw)
        elif raw in _CLOSING and self.open:
            self.open.pop()
        elif raw not in _MIDDLE:
            return False
        if found := _HEADS[raw].match(self.text, self.index) if raw in _HEADS else None:
            self.index = found.end()
        if raw == "case":
            self._skip_pattern()
        self.draft = self._fresh()
        return True

    def _skip_pattern(self) -> None:
        found = _PATTERN.match(self.text, self.index)
        self.index = found.end() if found else self.index

    def _add(self, word: Word) -> None:
        draft = self.draft
        draft.start = word.start if draft.empty else draft.start
        assigned = _ASSIGNMENT.match(word.raw)
        declares = draft.words and draft.words[0].raw in _DECLARING
        if assigned and (not draft.words or declares):
            value = read_word(word.raw, assigned.end())
            draft.assignments.append((assigned[1], Word(value.raw, word.start + assigned.end(), value.pieces)))
        else:
            draft.words.append(word)
        if word.raw == "[[" and (found := _TEST.match(self.text, word.end)):
            self.index = found.end()
        draft.end = self.index

    def _redirect(self, operator: str) -> None:
        draft, descriptor = self.draft, self._descriptor()
        start = self.index + len(operator)
        while self.text[start : start + 1] in (" ", "\t"):
            start += 1
        if start >= len(self.text) or self.text[start] in META:
            raise ShellError(self.index, f"{operator} without a file name")
        target = read_word(self.text, start)
        draft.start = self.index if draft.empty else draft.start
        draft.end = self.index = target.end
        draft.redirects.append(Redirect(f"{descriptor}{operator}", target))
        if operator in ("<<", "<<-"):
            self.heredocs.append((draft, len(draft.redirects) - 1))

    def _descriptor(self) -> str:
        """The number before a redirection, as in 2>; empty for standard output."""
        last = self.draft.words[-1] if self.draft.words else None
        if last is None or not last.raw.isdigit() or last.end != self.index:
            return ""
        self.draft.words.pop()
        return "" if last.raw == "1" else last.raw

    def _read_heredocs(self) -> None:
        for draft, number in self.heredocs:
            redirect = draft.redirects[number]
            body, draft.end = self._heredoc(redirect)
            quoted = any(piece.quoted for piece in redirect.target.pieces)
            pieces = (Piece(body, quoted=True),) if quoted else merged(list(inside_double(body, quote="")))
            draft.redirects[number] = Redirect(redirect.operator, redirect.target, pieces)
        self.heredocs = []

    def _heredoc(self, redirect: Redirect) -> tuple[str, int]:
        """The lines up to the delimiter, and the end of the delimiter's line."""
        delimiter, body = "".join(piece.text for piece in redirect.target.pieces), ""
        for found in _LINES.finditer(self.text, self.index):
            line = found.group().lstrip("\t") if redirect.operator == "<<-" else found.group()
            self.index = found.end()
            if line.rstrip("\r\n") == delimiter:
                return body, found.start() + len(found.group().rstrip("\n"))
            body += line
        return body, len(self.text)
