"""Patterns over space-delimited events: [ip, user, time, request = "*GET*", status = 5* || status = 404, ...].

Source: CloudWatch Logs user guide, FilterAndPatternSyntax, "Space-delimited log events".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from runbook_lib.sandbox.errors import not_simulated

WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|\[([^\]]*)\]|(\S+)')
CONDITION = re.compile(r'\s*(\w+)\s*(!=|<=|>=|=|<|>)\s*(?:"([^"]*)"|(\S+))\s*')
ORDER: Mapping[str, Callable[[float, float], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


@dataclass(frozen=True)
class Condition:
    """What must hold of a field."""

    mark: str
    wanted: str

    def holds(self, value: str) -> bool:
        if self.mark in ORDER:
            return _numeric(value) and ORDER[self.mark](float(value), float(self.wanted))
        pattern = re.escape(self.wanted).replace(r"\*", ".*")
        return (re.fullmatch(pattern, value) is not None) == (self.mark == "=")


@dataclass(frozen=True)
class Field:
    """A field: its name, and groups of conditions of which one must hold entirely."""

    name: str
    either: tuple[tuple[Condition, ...], ...] = ((),)

    def fits(self, value: str) -> bool:
        return any(all(one.holds(value) for one in every) for every in self.either)


def compiled(text: str) -> Callable[[str], Mapping[str, str] | None]:
    """What finds the events of a pattern in brackets."""
    if not text.endswith("]"):
        raise ValueError("a pattern over fields ends with ]")
    parts = [part.strip() for part in text[1:-1].split(",")]
    gap = parts.index("...") if "..." in parts else None
    if parts.count("...") > 1:
        raise ValueError("an ellipsis may occur once")
    before = [_field(part, number) for number, part in enumerate(parts[:gap], 1)]
    after = [_field(part, number) for number, part in enumerate(parts[gap + 1 :], 1)] if gap is not None else []

    def find(message: str) -> Mapping[str, str] | None:
        words = [next(filter(None, found), "") for found in WORD.findall(message)]
        few = len(words) < len(before) + len(after)
        if few or (gap is None and len(words) != len(before)):
            return None
        pairs = [*zip(before, words, strict=False), *zip(after, words[len(words) - len(after) :], strict=True)]
        fits = all(field.fits(value) for field, value in pairs)
        return {f"${field.name}": value for field, value in pairs} if fits else None

    return find


def _field(text: str, number: int) -> Field:
    if re.fullmatch(r"\w*", text):
        return Field(text or str(number))
    if "%" in text or "(" in text:
        raise not_simulated(f"logs: regular expressions and parentheses in the field {text!r} of a filter pattern")
    groups = tuple(tuple(_condition(one) for one in group.split("&&")) for group in text.split("||"))
    names = {name for group in groups for name, _ in group}
    if len(names) > 1:
        raise ValueError(f"the conditions of one field name several: {', '.join(sorted(names))}")
    return Field(names.pop(), tuple(tuple(condition for _, condition in group) for group in groups))


def _condition(text: str) -> tuple[str, Condition]:
    found = CONDITION.fullmatch(text)
    if found is None:
        raise ValueError(f"{text.strip()!r} is no condition of a field")
    wanted = found[3] if found[3] is not None else found[4]
    if found[2] in ORDER and not _numeric(wanted):
        raise ValueError(f"{wanted!r} is no number")
    return found[1], Condition(found[2], wanted)


def _numeric(text: str) -> bool:
    return re.fullmatch(r"[-+]?\d+(\.\d+)?([eE][-+]?\d+)?", text) is not None
